"""The store: bytes named by their digest, shared by every environment of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.store._store import Store

if TYPE_CHECKING:
    from modeldeps.store._landing import Landing
    from modeldeps.store._usage import Usage

__all__ = ["Landing", "Store", "Usage"]

_HOMES = {"Landing": "modeldeps.store._landing", "Usage": "modeldeps.store._usage"}


def __getattr__(name: str) -> object:
    """Import what only a fetch needs at its first use: load() waits for what is imported here."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOMES[name]), name)
