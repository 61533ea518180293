"""`modeldeps new`: write a model project around a model file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._output import say, write
from modeldeps.publish import NewProject, new_project

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  modeldeps new model.onnx --name digits --version 1.0.0 --output digits-project
  modeldeps new model.onnx --name digits --version 1.0.0 --license MIT --output digits-project
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Describe the words of the command."""
    parser.add_argument("model", metavar="MODEL.onnx", help="the model's file")
    parser.add_argument("--name", required=True, help="name of the model")
    parser.add_argument("--version", default="1.0.0", help="its version (default: %(default)s)")
    parser.add_argument(
        "--license", default=NewProject.license, help="SPDX expression (default: %(default)s)"
    )
    parser.add_argument("--summary", default="", help="one line about the model")
    parser.add_argument("--output", required=True, metavar="DIR", help="folder of the new project")


def execute(args: argparse.Namespace) -> int:
    """Write the project, and say what comes next."""
    project = NewProject(args.name, args.version, args.license, args.summary)
    folder = new_project(Path(args.model), Path(args.output), project)
    write(str(folder))
    say(f"next: fill in {folder / 'pyproject.toml'}, then `modeldeps build {folder} --output dist`")
    return 0
