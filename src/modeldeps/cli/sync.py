"""`modeldeps sync`: make the store hold what this environment needs."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps import environment, project
from modeldeps.cli._output import add_json, reporter, say, table, write, write_json
from modeldeps.config import settings
from modeldeps.errors import ModelNotInstalledError
from modeldeps.names import model_name
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from modeldeps.environment import Pointer
    from modeldeps.fetch import Opener
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.store import Store
    from modeldeps.sync import Synced

EPILOG = """\
examples:
  modeldeps sync                    every model of this environment
  modeldeps sync digits             this model alone
  modeldeps sync --all-variants     also what this machine would not take, for an image that travels
  modeldeps sync --offline          only look; 3 is returned where something is missing
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take the models, and how far to go."""
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a model; none means all of this environment"
    )
    parser.add_argument(
        "--offline", action="store_true", help="use no network; folders still serve as channels"
    )
    parser.add_argument(
        "--all-variants", action="store_true", help="not only the variants that this machine takes"
    )
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Make sure of the bytes, and tell what travelled and where it lies."""
    return synchronise(args)


def synchronise(
    args: argparse.Namespace,
    *,
    first: Sequence[str] = (),
    opener: Opener | None = None,
    taken_there: Callable[[Manifest], Sequence[Variant]] | None = None,
) -> int:
    """
    Do what `execute` does for a host that knows channels of its own, which are asked first.

    `opener` gives the transport of a URL, and `taken_there` the variants that are taken, where the host
    knows better than this process.
    """
    from modeldeps.store import Store, wrong_layers  # noqa: PLC0415
    from modeldeps.sync import sync  # noqa: PLC0415

    found = settings()
    asked = tuple(dict.fromkeys((*first, *channels(found.channels))))
    pointers = _pointers(args.names, asked)
    store, offline = Store.open(found), args.offline or found.offline
    for layer, problem in wrong_layers(found.stores).items():
        say(f"note: the read-only store {layer} {problem}")
    taken = _all if args.all_variants else taken_there or _taken_here
    # who only looks makes no store; False, not an error, where it may not be looked at
    if not offline or os.path.exists(store.root):  # noqa: PTH110
        _note(pointers, taken, store)
    done = sync(
        pointers,
        taken,
        store=store,
        channels=asked,
        reporter=reporter(),
        offline=offline,
        opener=opener,
    )
    _tell(done, as_json=args.json)
    if not pointers:
        say("no model is installed in this environment")
    _warn(pointers)
    return 0


def channels(configured: Sequence[str]) -> tuple[str, ...]:
    """Return the channels that the user set, then those of the project around the current folder."""
    declaration = project.load(Path.cwd())
    return tuple(dict.fromkeys((*configured, *(declaration.channels if declaration else ()))))


def _pointers(names: Sequence[str], channels: Sequence[str]) -> tuple[Pointer, ...]:
    """Return the pointers that were named, or all. Raises ModelNotInstalledError."""
    installed = {one.name: one for one in environment.pointers()}
    wanted = [model_name(name) for name in names] or list(installed)
    for name in wanted:
        if name not in installed:
            index = next((f"{one}simple/" for one in channels), "")
            raise ModelNotInstalledError(name, list(installed), index=index)
    return tuple(installed[name] for name in dict.fromkeys(wanted))


def _note(pointers: Sequence[Pointer], select: Callable[[Manifest], Sequence[Variant]], store: Store) -> None:
    """Note who uses what, before it is looked for, so that nobody frees it meanwhile."""
    chosen = [(one, manifest, select(manifest)) for one in pointers for manifest in [one.manifest()]]
    for pointer, manifest, variants in chosen:
        for variant in variants:
            store.note_use(manifest, variant, by=pointer.location)


def _all(manifest: Manifest) -> tuple[Variant, ...]:
    return manifest.variants


def _taken_here(manifest: Manifest) -> tuple[Variant, ...]:
    from modeldeps.runtime import select  # noqa: PLC0415

    return select(manifest)


def _tell(done: Sequence[Synced], *, as_json: bool) -> None:
    if as_json:
        write_json(
            {
                "models": [_model(one) for one in done],
                "bytes_fetched": sum(one.bytes_fetched for one in done),
                "wrong_sources": sorted({source for one in done for source in one.wrong}),
            }
        )
    elif done:
        rows = [
            (one.name, one.version, one.variant, format_bytes(one.bytes_fetched), one.path) for one in done
        ]
        for line in table(("MODEL", "VERSION", "VARIANT", "FETCHED", "PATH"), rows):
            write(line)


def _model(one: Synced) -> dict[str, object]:
    return {
        key: str(value) if key == "path" else value for key, value in asdict(one).items() if key != "wrong"
    }


def _warn(pointers: Sequence[Pointer]) -> None:
    """Say which models can't be opened although they are here; installers don't see all that they need."""
    from modeldeps.runtime import obstacle  # noqa: PLC0415

    for pointer in pointers:
        if error := obstacle(pointer.manifest()):
            say(f"warning: {error}")
