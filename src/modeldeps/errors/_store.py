"""Errors about the store: the folder that holds the bytes."""

from __future__ import annotations

from modeldeps.errors._base import ModelDepsError


class StoreError(ModelDepsError):
    """The store can't do what it was asked for."""


class StoreFullError(StoreError):
    """The disk of the store has no room for what is to be kept."""

    def __init__(self, root: object, *, needed: str, free: str) -> None:
        super().__init__(
            "the disk of the store is full",
            ("store", root),
            ("needed", needed),
            ("free", free),
            hint="make room, or set MODELDEPS_CACHE to a folder on another disk; what came so far is kept",
        )


class StoreReadOnlyError(StoreError):
    """The store must be written, and may not be."""

    def __init__(self, root: object, *, reason: str) -> None:
        super().__init__(
            "the store can't be written",
            ("store", root),
            ("reason", reason),
            hint="set MODELDEPS_CACHE to a folder that can be written, and name this one in MODELDEPS_STORES",
        )


class StoreFailedError(StoreError):
    """The disk of the store failed."""

    def __init__(self, root: object, *, reason: str) -> None:
        super().__init__(
            "the disk of the store failed",
            ("store", root),
            ("reason", reason),
            hint="nothing unproved was kept; run the command again, or set MODELDEPS_CACHE to another disk",
        )


class StoreLayoutError(StoreError):
    """A folder is no store, or one that another version of modeldeps made."""

    def __init__(self, root: object, *, expected: str, found: str) -> None:
        super().__init__(
            "the store has a layout that this version does not know",
            ("store", root),
            ("expected", expected),
            ("found", found),
            hint="pip install --upgrade modeldeps, or set MODELDEPS_CACHE to another folder",
        )


class BlobMissingError(StoreError):
    """A blob that should be in the store is not, or no longer right."""

    def __init__(self, path: str, digest: str) -> None:
        super().__init__(
            f"the store lacks {path}",
            ("expected", f"sha256 {digest}"),
            hint="modeldeps sync",
        )
