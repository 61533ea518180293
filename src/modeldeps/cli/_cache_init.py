"""`modeldeps cache init`: make a store, for oneself or for several users."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._output import facts, say, write
from modeldeps.config import system_config_file
from modeldeps.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from modeldeps.store import Store

HELP = "make a store, for yourself or for several users"

EPILOG = """\
examples:
  sudo modeldeps cache init --shared /srv/models            for all users of this machine
  sudo modeldeps cache init --shared --group ml /srv/models  for a group, whom nobody else can read
  modeldeps cache init ./image/models                        a store to be copied into an image

Each user of a shared store writes a store of his own inside it, which the others read. What another
user put there is believed after it was hashed once, and hashed again when it was altered; what root
put there is believed by all. Who makes a shared store can hide what others put there, so that should
be root. Run it again to mend the rights of a shared store.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take where, and for whom."""
    parser.add_argument("path", metavar="PATH", help="a new or empty folder")
    parser.add_argument("--shared", action="store_true", help="for several users, each with what he fetched")
    parser.add_argument("--group", metavar="NAME", help="only for the members of this group")


def execute(args: argparse.Namespace) -> int:
    """Make it, and say how to use it."""
    from modeldeps.store import Store  # noqa: PLC0415

    if args.group is not None and not args.shared:
        raise UsageError("--group needs --shared", hint="modeldeps cache init --shared --group NAME PATH")
    folder = Path(args.path).expanduser().absolute()
    made = Store.make(folder, shared=args.shared, group=args.group)
    for line in facts(_pairs(folder, made, args)):
        write(line)
    for wall in made.walls() if args.shared else ():
        say(f"note: {wall}")
    return 0


def _pairs(folder: Path, made: Store, args: argparse.Namespace) -> list[tuple[str, object]]:
    whom = (f"the members of {args.group}" if args.group else "all users") if args.shared else "you"
    return [
        ("store", folder),
        ("for", whom),
        ("yours", made.root if args.shared else ""),
        ("to use it", f'MODELDEPS_CACHE="{folder}"'),
        ("for all", f"{system_config_file()} with the line\ncache = {_toml(folder)}" if args.shared else ""),
    ]


def _toml(path: Path) -> str:
    """Return a path as a text of TOML."""
    import json  # noqa: PLC0415 - its texts are texts of TOML too

    return json.dumps(str(path), ensure_ascii=False)
