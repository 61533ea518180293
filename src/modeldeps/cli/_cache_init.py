"""`modeldeps cache init`: make a store, for oneself or for several users."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from modeldeps.cli._output import facts, say, write
from modeldeps.config import system_config_file
from modeldeps.errors import NotAStoreError, StoreReadOnlyError, UsageError

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
    folder = _folder(args.path)
    try:
        made = Store.make(folder, shared=args.shared, group=args.group)
    except (NotAStoreError, StoreReadOnlyError) as error:
        error.hint = _hint(folder, args, is_closed=isinstance(error, StoreReadOnlyError))
        raise
    for line in facts(_pairs(folder, made, args)):
        write(line)
    for wall in made.walls() if args.shared else ():
        say(f"note: {wall}")
    return 0


def _folder(text: str) -> Path:
    """Return the folder that was named. Raises UsageError for none, and for the home of nobody."""
    try:
        if text:
            return Path(text).expanduser().absolute()
        reason = "it is empty"
    except RuntimeError:  # as Path says it
        reason = "there is no such user, or he has no home"
    raise UsageError("that is no folder", ("path", repr(text)), ("reason", reason))


def _hint(folder: Path, args: argparse.Namespace, *, is_closed: bool) -> str:
    """Return what to do about a folder that can't become a store."""
    from modeldeps.store import is_shared  # noqa: PLC0415

    words = ["modeldeps cache init", *(["--shared"] if args.shared else [])]
    words += ["--group", args.group] if args.group else []
    if is_shared(folder) and (is_closed or not args.shared):
        mend = f"sudo modeldeps cache init --shared {quote(str(folder))}"
        return f"it is ready, set MODELDEPS_CACHE to it; its owner can mend its rights: {mend}"
    if is_closed:
        return f"name a folder that you can write, or: sudo {' '.join([*words, quote(str(folder))])}"
    within = folder / "models"
    taken = map(os.path.lexists, (within, folder / "layout"))
    inner = os.path.isdir(folder) and not any(taken)  # noqa: PTH112 - also where it may not be looked at
    place = quote(str(within)) if inner else "PATH"
    return f"name a new or empty folder: {' '.join([*words, place])}"


def _pairs(folder: Path, made: Store, args: argparse.Namespace) -> list[tuple[str, object]]:
    whom = (f"the members of {args.group}" if args.group else "all users") if args.shared else "you"
    return [
        ("store", folder),
        ("for", whom),
        ("yours", made.root if args.shared else ""),
        ("to use it", f"MODELDEPS_CACHE={_shell(folder)}"),
        ("for all", f"{system_config_file()} with the line\ncache = {_toml(folder)}" if args.shared else ""),
    ]


def _shell(path: Path) -> str:
    """Return a path as a shell takes it, between double quotes where it means nothing special there."""
    text = str(path)
    return quote(text) if set(text) & set('"$`\\!') and os.name != "nt" else f'"{text}"'


def _toml(path: Path) -> str:
    """Return a path as a text of TOML."""
    import json  # noqa: PLC0415 - its texts are texts of TOML too

    return json.dumps(str(path), ensure_ascii=False)
