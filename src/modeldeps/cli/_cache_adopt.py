"""`modeldeps cache adopt`: take in bytes that are on this machine already."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._cache_known import manifests, sites
from modeldeps.cli._output import add_json, reporter, say, table, write, write_json
from modeldeps.config import settings
from modeldeps.errors import UsageError
from modeldeps.progress import format_bytes
from modeldeps.store import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.manifest import File
    from modeldeps.store import Adopted, Adoption, Store

HELP = "take in bytes that are on this machine already"
CACHES = ("hf", "ollama", "torch", "pip", "uv", "conda", "environments")
"""What `--from` understands; all of them are searched where nothing is named."""

EPILOG = """\
Wanted is what the models of this environment, and of others that use the store, are made of. Every file is
hashed before it is taken. Bytes are shared by reflink or hard link where the system can, else copied; the
files that were found are not changed. What can follow `--from`:
  hf             the cache of the Hugging Face Hub
  ollama         the models of Ollama
  torch          the folder of torch hub
  pip, uv        what they downloaded, built and unpacked; wheels are looked into
  conda          packages and environments of conda, mamba and pixi
  environments   the installed packages of this environment, and of others that use the store

examples:
  modeldeps cache adopt                        search all known caches
  modeldeps cache adopt --from hf,ollama       search these
  modeldeps cache adopt ~/Downloads --dry-run  tell what a folder has
  modeldeps cache adopt ./models --all         take all that lies there, wanted or not
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take where to look, and for what."""
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="a folder or file to search")
    parser.add_argument(
        "--from",
        dest="caches",
        type=_caches,
        default=(),
        metavar="CACHE,…",
        help=f"known caches to search: {', '.join(CACHES)}",
    )
    parser.add_argument("--all", action="store_true", help="take every file, not only what models need")
    parser.add_argument(
        "--copy", action="store_true", help="make no hard links: the owners alter their files"
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be taken")
    add_json(parser)


def _caches(text: str) -> tuple[str, ...]:
    """Return the names of caches in a list."""
    names = tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    for name in names:
        if name not in CACHES:
            raise argparse.ArgumentTypeError(f"{name!r} is no known cache; there are {', '.join(CACHES)}")
    return names


def execute(args: argparse.Namespace) -> int:
    """Search, take, and tell what came from where; 0 also where nothing was found."""
    from modeldeps.store import Store  # noqa: PLC0415

    _check(args)
    store = Store.open(settings())
    store.check_place()
    models: dict[str, str] = {}
    wanted: dict[str, File] = {}
    for manifest in () if args.all else manifests(store):
        for file in manifest.all_files():
            models.setdefault(file.sha256, f"{manifest.name} {manifest.version}")
            wanted.setdefault(file.sha256, file)
    talk = reporter()
    talk.begin("searching", total=None)
    try:
        done = store.gather(
            _places(args, store),
            None if args.all else wanted.values(),
            reporter=talk,
            share=not args.copy,
            dry_run=args.dry_run,
        )
    finally:
        talk.end()
    if not wanted and not args.all:
        say("no model is installed here, so nothing is wanted; `--all` takes every file of a folder")
    elif wanted and not done.adopted and not done.missing:
        say("the store has all that models need")
    _tell(done, models, args)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise UsageError for words that don't go together."""
    if args.all and not args.paths and not args.caches:
        raise UsageError(
            "--all needs a place to take everything from",
            hint="modeldeps cache adopt PATH --all, or --from CACHE --all",
        )
    for path in args.paths:
        if reason := _obstacle(path):
            raise UsageError("that can't be searched", ("path", plain(str(path))), ("reason", reason))


def _obstacle(path: Path) -> str:
    """Return in words why a file or folder can't be looked at, or nothing."""
    try:
        path.stat()
    except (OSError, ValueError) as error:
        return (getattr(error, "strerror", None) or str(error)).lower()
    return ""


def _places(args: argparse.Namespace, store: Store) -> list[Path]:
    """Return what is to be searched: what was named, or all known caches."""
    from modeldeps.store._elsewhere import CACHES as KNOWN  # noqa: PLC0415

    named = args.caches or (() if args.paths else CACHES)
    places = [place for name in named if name in KNOWN for place in KNOWN[name](os.environ)]
    return [*args.paths, *places, *(sites(store) if "environments" in named else ())]


def _tell(done: Adoption, models: dict[str, str], args: argparse.Namespace) -> None:
    if args.json:
        write_json(_json(done, models, dry_run=args.dry_run))
        return
    if done.adopted:
        rows = [_row(one, models) for one in done.adopted]
        for line in table(("MODEL", "FILE", "SIZE", "HOW", "FROM"), rows):
            write(line)
    for source in done.lying:
        say(f"warning: {plain(str(source))} has other bytes than its name says; whoever uses it is misled")
    files = [one.file for one in done.adopted]
    were = "was" if len(done.missing) == 1 else "were"
    missing = f"; {_count(done.missing)} that models need {were} not found" if done.missing else ""
    say(f"{'would take' if args.dry_run else 'took'} {_count(files) or 'nothing'}{missing}")


def _count(files: Sequence[File]) -> str:
    """Return how many files there are, and how large they are."""
    size = format_bytes(sum(one.size for one in files))
    return f"{len(files)} file{'s' if len(files) != 1 else ''} ({size})" if files else ""


def _row(one: Adopted, models: dict[str, str]) -> tuple[str, ...]:
    model = models.get(one.file.sha256, "")
    how = one.how.value if one.how else "not taken yet"
    return model, plain(one.file.path), format_bytes(one.file.size), how, plain(str(one.source))


def _json(done: Adoption, models: dict[str, str], *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "adopted": [
            {
                **_facts(one.file, models),
                "how": one.how.value if one.how else None,
                "source": str(one.source.path),
                "member": one.source.member,
            }
            for one in done.adopted
        ],
        "missing": [_facts(file, models) for file in done.missing],
        "misnamed": [str(one) for one in done.lying],
        "bytes": sum(one.file.size for one in done.adopted),
    }


def _facts(file: File, models: dict[str, str]) -> dict[str, object]:
    return {
        "model": models.get(file.sha256),
        "path": file.path,
        "sha256": file.sha256,
        "bytes": file.size,
    }
