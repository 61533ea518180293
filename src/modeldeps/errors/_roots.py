"""Errors about who uses what in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors._store import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence


class StoreBusyError(StoreError):
    """Another process is freeing what a store can do without."""

    def __init__(self, root: object, *, holder: str) -> None:
        super().__init__(
            "another process is freeing space in the store",
            ("store", root),
            ("process", holder),
            hint="wait for it; `modeldeps cache gc --dry-run` can be run meanwhile",
        )


class NotInStoreError(StoreError):
    """A model was named that neither the store nor an environment that uses it has."""

    def __init__(self, name: str, *, known: Sequence[str], hint: str) -> None:
        super().__init__(
            f"the store knows nothing of {name}",
            ("known", ", ".join(known) or "no model"),
            hint=hint,
        )
