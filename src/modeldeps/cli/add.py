"""`modeldeps add`: declare models in this project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._output import say, write
from modeldeps.config import channel_url
from modeldeps.errors import NoProjectError, UsageError
from modeldeps.names import check_publishable
from modeldeps.requirement import ModelRequirement

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  modeldeps add "digits>=2.1"                     to this project
  modeldeps add segment --optional gpu            to its extra `gpu`
  modeldeps add digits --group dev                to a dependency group (PEP 735)
  modeldeps add digits --script classify.py       to a script's inline metadata (PEP 723)
  modeldeps add digits --channel https://models.example.com/

The form is the one that works for the project's build backend: the [tool.modeldeps]
table for setuptools, hatchling and pdm-backend, plain requirements elsewhere.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the words of the command."""
    parser.add_argument("requirements", metavar="REQ", nargs="+", help="a model, such as 'digits>=2.1'")
    places = parser.add_mutually_exclusive_group()
    places.add_argument("--optional", metavar="EXTRA", default="", help="add to an extra of the project")
    places.add_argument("--group", metavar="GROUP", default="", help="add to a dependency group")
    places.add_argument("--script", metavar="FILE", type=Path, help="add to a script's inline metadata")
    parser.add_argument(
        "--channel", metavar="URL", action="append", default=[], help="name a channel in the project too"
    )
    parser.add_argument(
        "--runtime",
        choices=("cpu", "cuda", "extras", "none"),
        default="",
        help="the ONNX Runtime that the project's models bring",
    )
    add_project(parser)


def add_project(parser: argparse.ArgumentParser) -> None:
    """Let a command be told the project."""
    parser.add_argument(
        "--project", metavar="DIR", type=Path, default=Path(), help="the project's folder (default: this one)"
    )


def execute(args: argparse.Namespace) -> int:
    """Edit the project's file, and say what was written where."""
    models = [ModelRequirement.parse(text) for text in args.requirements]
    for model in models:
        check_publishable(model.name)
    if args.script:
        return _script(args, models)
    from modeldeps.project import Place, add  # noqa: PLC0415 - at first use

    place = Place(extra=args.optional, group=args.group)
    file = project_file(args.project)
    urls = [channel_url(text) for text in args.channel]
    channels = [_channel(text, file.parent) for text in args.channel]
    edited = add(file, models, place=place, channels=channels, runtime=args.runtime)
    for entry in edited.entries:
        write(entry)
    state = "models of" if edited.form == "plugin" else "plain requirements of"
    say(f"{state} {edited.file}{'' if edited.changed else ': nothing changed'}")
    if edited.moved:
        say("the project's static dependencies moved to [tool.modeldeps]; the build plugin puts them back")
    for url in urls:
        say(f"hint: installers need the channel as an index: pip install --extra-index-url {url}simple/")
    return 0


def _channel(text: str, folder: Path) -> str:
    """Return a channel as the project's file spells it: a folder is meant from where the file lies."""
    if "://" in text or Path(text).is_absolute() or text.startswith("~"):
        return text
    return Path(os.path.relpath(text, folder)).as_posix()


def project_file(folder: Path) -> Path:
    """
    Return the pyproject.toml around a folder, or the file itself.

    Raises NoProjectError, also for a folder that is not there: one above it is not what was meant.
    """
    from modeldeps.project import find  # noqa: PLC0415 - at first use

    file = folder if folder.is_file() else find(folder) if folder.is_dir() else None
    if file is None:
        raise NoProjectError(folder.absolute())
    return file


def _script(args: argparse.Namespace, models: list[ModelRequirement]) -> int:
    """Edit a script, which has no build backend and no channels of its own."""
    from modeldeps.project import add_to_script  # noqa: PLC0415 - at first use

    if args.channel or args.runtime == "extras":
        raise UsageError("a script has neither channels nor extras of its own", hint="set MODELDEPS_CHANNELS")
    for entry in add_to_script(args.script, models, runtime=args.runtime or "cpu"):
        write(entry)
    say(f"plain requirements of {args.script}")
    return 0
