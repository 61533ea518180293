"""`modeldeps cache pin`: keep a model although no environment needs it."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from modeldeps import environment, project
from modeldeps.cli._cache_words import date, moment, place, state, user
from modeldeps.cli._output import add_json, say, table, write, write_json
from modeldeps.config import settings
from modeldeps.errors import NotInStoreError
from modeldeps.names import model_name
from modeldeps.progress import format_bytes
from modeldeps.store import plain

if TYPE_CHECKING:
    import argparse

    from modeldeps.store import Judged, Note, Store, Use

HELP = "keep models although no environment needs them; list what is kept so"

EPILOG = """\
examples:
  modeldeps cache pin                 list the pins
  modeldeps cache pin digits          the release of this environment
  modeldeps cache pin digits==2.0.0   any release that the store holds

A pin lasts as long as the project around the current folder, or where there is none until it is
unpinned. Variants whose bytes are in the store are pinned; nothing is fetched.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take the models."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a model, or NAME==VERSION; none lists the pins"
    )
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Pin models, or list the pins. Raises NotInStoreError."""
    from modeldeps.store import Store, pin_of  # noqa: PLC0415

    store = Store.open(settings())
    here = project.find(Path.cwd())
    for use in [use for name in args.names for use in _known(name, store)]:
        store.pin(pin_of(here, use))
    found = [one for one in store.notes() if one.use.kind == "pin"]
    if args.json:
        write_json([_json(one) for one in found])
    elif found:
        _tell(found)
    else:
        say("nothing is pinned")
    return 0


def split(text: str) -> tuple[str, str]:
    """Return the model and the version of `NAME` or `NAME==VERSION`. Raises InvalidNameError."""
    name, _, version = text.partition("==")
    return model_name(name.strip()), version.strip()


def _known(text: str, store: Store) -> list[Use]:
    """Return the variants of a release that the store holds. Raises NotInStoreError."""
    name, version = split(text)
    if found := _installed(name, version, store) or _noted(name, version, store):
        return found
    known = {plain(f"{one.use.name}=={one.use.version}") for one in store.notes()}
    pointer = environment.find(name)
    is_here = pointer is not None and version in ("", pointer.version)
    hint = "modeldeps sync" if is_here else f"pip install modeldeps-{name} && modeldeps sync"
    raise NotInStoreError(text, known=sorted(known), hint=hint)


def _installed(name: str, version: str, store: Store) -> list[Use]:
    """Return the variants of this environment's release whose bytes are here."""
    pointer = environment.find(name)
    if pointer is None or version not in ("", pointer.version):
        return []
    manifest = pointer.manifest()
    return [use for one in manifest.variants if (use := store.use_of(manifest, one))]


def _noted(name: str, version: str, store: Store) -> list[Use]:
    """Return the variants of the release that somebody used last, of those that were asked for."""
    notes = [one for one in store.notes() if one.use.name == name and version in ("", one.use.version)]
    last = max(notes, key=lambda one: one.used, default=None)
    return [one.use for one in notes if last and one.use.version == last.use.version]


def _json(one: Note) -> dict[str, object]:
    use = one.use
    size = sum(use.blobs.values())
    named = {"name": use.name, "version": use.version, "variant": use.variant}
    whose = {"project": use.place, "user": user(one.user), "since": moment(one.used)}
    return {**named, "bytes": size, **whose, "state": state(_judged(one))}


def _judged(one: Note) -> Judged:
    from modeldeps.store import Judged, judge  # noqa: PLC0415

    return Judged(one, judge(one.use))


def _tell(found: list[Note]) -> None:
    from modeldeps.store import Dead  # noqa: PLC0415

    pins = [_judged(one) for one in found]
    rows = [
        (
            one.note.use.model,
            format_bytes(sum(one.note.use.blobs.values())),
            date(one.note.used),
            place(one),
            state(one),
        )
        for one in pins
    ]
    for line in table(("MODEL", "SIZE", "SINCE", "PIN", "STATE"), rows):
        write(line)
    ended = next((one.note.use for one in pins if isinstance(one.state, Dead)), None)
    if ended:
        command = f"modeldeps cache unpin {plain(ended.name)} --project {quote(plain(ended.place))}"
        say(f"hint: `modeldeps cache gc` takes such pins away in time; at once: {command}")
