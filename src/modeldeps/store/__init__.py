"""The store: bytes named by their digest, shared by every environment of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.store._store import Store

if TYPE_CHECKING:
    from modeldeps.store._claim import Claim
    from modeldeps.store._land import Berth, Busy, Watch
    from modeldeps.store._landing import Landing
    from modeldeps.store._usage import Usage

__all__ = ["Berth", "Busy", "Claim", "Landing", "Store", "Usage", "Watch"]

_HOMES = {
    "Berth": "modeldeps.store._land",
    "Busy": "modeldeps.store._land",
    "Claim": "modeldeps.store._claim",
    "Landing": "modeldeps.store._landing",
    "Usage": "modeldeps.store._usage",
    "Watch": "modeldeps.store._land",
}


def __getattr__(name: str) -> object:
    """Import what only a fetch needs at its first use: load() waits for what is imported here."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOMES[name]), name)
