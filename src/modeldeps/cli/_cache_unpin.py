"""`modeldeps cache unpin`: take a pin away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps import project
from modeldeps.cli._cache_pin import split
from modeldeps.cli._output import say
from modeldeps.config import settings
from modeldeps.errors import NotInStoreError
from modeldeps.store import plain

if TYPE_CHECKING:
    import argparse

HELP = "take a pin away"

EPILOG = """\
examples:
  modeldeps cache unpin digits
  modeldeps cache unpin digits==2.0.0 --project ../old

Only pins of this user are taken away: those of the project around the current folder, or where there
is none those that belong to no project, or to one in this folder that is gone.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take the models, and whose pins."""
    parser.add_argument("names", nargs="+", metavar="NAME", help="a model, or NAME==VERSION")
    parser.add_argument(
        "--project", type=Path, metavar="FOLDER", help="the project whose pins they are, gone or not"
    )


def execute(args: argparse.Namespace) -> int:
    """Take the pins away. Raises NotInStoreError where there is none of a model."""
    from modeldeps.store import Store  # noqa: PLC0415

    store = Store.open(settings())
    here = project.find(Path.cwd()) if args.project is None else args.project.absolute() / "pyproject.toml"
    places = ("", str(Path.cwd())) if here is None else (str(here.parent),)
    pins = [one for one in store.own_notes() if one.use.kind == "pin" and one.use.place in places]
    chosen = []
    for text in args.names:
        name, version = split(text)
        found = [one for one in pins if one.use.name == name and version in ("", one.use.version)]
        if not found:
            known = sorted({plain(f"{one.use.name}=={one.use.version}") for one in pins})
            raise NotInStoreError(f"a pin of {text} here", known=known, hint="modeldeps cache pin")
        chosen += found
    for one in chosen:
        store.unpin(one)
        say(f"unpinned {one.use.model}")
    return 0
