"""`modeldeps cache info`: what the store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.cli._output import add_json, facts, write, write_json
from modeldeps.config import settings
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    import argparse

    from modeldeps.store import Store, Usage

HELP = "what the store holds, and where it is"

EPILOG = """\
examples:
  modeldeps cache info
  modeldeps cache info --json
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take how to write it."""
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Tell about the store; nothing is made."""
    from modeldeps.store import Store  # noqa: PLC0415

    store = Store.open(settings())
    usage = store.usage()
    if args.json:
        write_json(_json(store, usage))
        return 0
    for line in facts(_pairs(store, usage)):
        write(line)
    return 0


def _json(store: Store, usage: Usage) -> dict[str, object]:
    return {
        "path": str(store.root),
        "stores": [str(one) for one in store.layers],
        "writable": store.is_writable(),
        "free": store.free(),
        "blobs": usage.blobs,
        "bytes": usage.blob_bytes,
        "models": usage.models,
        "partial": usage.partial,
        "partial_bytes": usage.partial_bytes,
    }


def _pairs(store: Store, usage: Usage) -> list[tuple[str, object]]:
    free = store.free()
    return [
        ("store", store.root),
        ("read-only stores", "\n".join(map(str, store.layers))),
        ("writable", "yes" if store.is_writable() else "no"),
        ("free", "unknown" if free is None else format_bytes(free)),
        ("models", usage.models),
        ("blobs", f"{usage.blobs} ({format_bytes(usage.blob_bytes)})"),
        ("interrupted", f"{usage.partial} ({format_bytes(usage.partial_bytes)})" if usage.partial else ""),
    ]
