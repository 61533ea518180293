"""`modeldeps remove`: take models out of this project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.cli._output import say, write
from modeldeps.cli.add import add_project, project_file
from modeldeps.names import model_name

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  modeldeps remove digits
  modeldeps remove digits wakeword --project ../app
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the words of the command."""
    parser.add_argument("names", metavar="NAME", nargs="+", help="a model that the project declares")
    add_project(parser)


def execute(args: argparse.Namespace) -> int:
    """Edit the project's file, and say what was taken out."""
    from modeldeps.project import remove  # noqa: PLC0415 - at first use

    file = project_file(args.project)
    for edited in remove(file, list(dict.fromkeys(map(model_name, args.names)))):
        for entry in edited.entries:
            write(entry)
    say(f"taken out of {file}")
    return 0
