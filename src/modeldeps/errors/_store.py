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
            *([("needed", needed)] if needed else []),
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


class StoreGoneError(StoreError):
    """The folder of the store vanished while it was used."""

    def __init__(self, root: object, *, reason: str) -> None:
        super().__init__(
            "the store vanished while it was used",
            ("store", root),
            ("reason", reason),
            hint="mount its disk again, or run the command again: a store that was deleted is made anew",
        )


class NotAStoreError(StoreError):
    """The place of the store is taken by something else."""

    def __init__(self, root: object, *, found: str) -> None:
        super().__init__(
            "the store can't be where it was set to be",
            ("store", root),
            ("expected", "a store, or a new or empty folder"),
            ("found", found),
            hint="set MODELDEPS_CACHE, or `cache` in the configuration file, to an empty folder",
        )


class SharingError(StoreError):
    """A store can't be shared by several users as it was asked for."""

    def __init__(self, place: object, *, reason: str, hint: str = "modeldeps cache init --help") -> None:
        super().__init__(
            "the store can't be shared by several users",
            ("folder", place),
            ("reason", reason),
            hint=hint,
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
