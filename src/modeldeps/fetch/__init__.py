"""Bring bytes here: transports, sources, and the fetch of a model's files into a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.fetch._document import read_url
from modeldeps.fetch._fetch import Fetched, fetch
from modeldeps.fetch._open import Opener, transport
from modeldeps.fetch._sources import blob_url, sources
from modeldeps.fetch._transport import MAX_BLOCK, Block, Body, Request, Transport, open_in_turn

if TYPE_CHECKING:
    from modeldeps.fetch._answer import judge
    from modeldeps.fetch._head import Head

__all__ = [
    "MAX_BLOCK",
    "Block",
    "Body",
    "Fetched",
    "Head",
    "Opener",
    "Request",
    "Transport",
    "blob_url",
    "fetch",
    "judge",
    "open_in_turn",
    "read_url",
    "sources",
    "transport",
]

_HOMES = {"Head": "modeldeps.fetch._head", "judge": "modeldeps.fetch._answer"}


def __getattr__(name: str) -> object:
    """Import what only a transport needs at its first use: load() may wait for what is imported here."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOMES[name]), name)
