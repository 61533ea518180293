"""Where things lie in a store."""

from __future__ import annotations

import json
import os
from functools import cached_property
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.digest import short_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from modeldeps.manifest import File

VERSION = "1"
"""The layout that this version reads and writes."""
SHARED = "shared 1"
"""What the `layout` file of a folder says that holds a store for each of several users."""
MEMBERS = "modeldeps-members"
"""The folder of their stores within it; no store of one user lies in a folder of that name."""
_LONGEST = 32
"""Bytes of a `layout` file that are looked at."""
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class Layout:
    """The places of one store."""

    root: Path
    """Its folder."""

    @cached_property
    def common(self) -> Path:
        """Holds what several users share: the folder above their stores, or the store of one user itself."""
        return self.root.parent.parent if self.root.parent.name == MEMBERS else self.root

    @property
    def version_file(self) -> Path:
        """Holds the layout's number."""
        return self.root / "layout"

    @cached_property
    def blobs(self) -> Path:
        """Holds `ab/<digest>` for each blob."""
        return self.root / "blobs" / "sha256"

    @cached_property
    def partial(self) -> Path:
        """Holds what is not a blob yet."""
        return self.root / "partial"

    @cached_property
    def models(self) -> Path:
        """Holds `<name>/<version>/<variant>-<key>/` for each materialised model."""
        return self.root / "models"

    @cached_property
    def chunks(self) -> Path:
        """Holds hints about where chunks lie."""
        return self.root / "chunks"

    @property
    def roots(self) -> Path:
        """Holds `<user>/<key>` for each use of a model that one user noted."""
        return self.common / "roots"

    def note(self, user: int, location: str, folder: str) -> str:
        """Return where one user's note lies of a use by the pointer package at a location; load() asks."""
        key = short_key(os.fsencode(f"{location}\0{folder}"))
        return f"{self.common}{os.sep}roots{os.sep}{user}{os.sep}{key}"

    @property
    def trash(self) -> Path:
        """Holds what is about to be deleted."""
        return self.root / "trash"

    def stamps(self, user: int) -> Path:
        """Return the folder of one user's stamps."""
        return self.root / "stamps" / str(user)

    def lock(self, digest: str) -> Path:
        """Return the lock of whoever lands a blob, for all users of the store."""
        folder = self.partial if self.common is self.root else self.common / "locks"
        return folder / f"{digest}.lock"

    def blob(self, digest: str) -> Path:
        """Return where a blob lies or would lie."""
        return self.blobs.joinpath(digest[:2], digest)

    def model(self, name: str, version: str, variant: str, files: Iterable[File]) -> Path:
        """Return the folder of a materialised model; other bytes or other names give another folder."""
        return self.models / name / version / model_key(variant, files)

    def text(self) -> str:
        """Return what the `layout` file says; nothing where there is none, or one that can't be read."""
        try:
            handle = os.open(self.version_file, _OPEN)
        except OSError:
            return ""
        try:
            return os.read(handle, _LONGEST).decode("ascii", "replace").strip()
        except OSError:
            return ""
        finally:
            os.close(handle)

    def check(self) -> bool:
        """Tell whether there is a store. Raises StoreLayoutError for one of another layout."""
        found = self.text()
        if found and found != VERSION:
            from modeldeps.errors import StoreLayoutError  # noqa: PLC0415 - load() needs neither this nor the next

            raise StoreLayoutError(self.root, expected=f"layout {VERSION}", found=f"layout {found!r}")
        return bool(found)

    def prepare(self) -> None:
        """
        Make the folders of a store where they are missing, or bring an older layout forward.

        Raises OSError, NotAStoreError, SharingError and StoreLayoutError.
        """
        from modeldeps.store._prepare import prepare  # noqa: PLC0415

        prepare(self)


def model_key(variant: str, files: Iterable[File]) -> str:
    """Return the name of the folder of a materialised variant; other bytes or other names give another."""
    listing = json.dumps(sorted((file.path, file.sha256) for file in files))
    return f"{variant}-{short_key(listing.encode())}"


def places(root: Path, *, own: bool) -> tuple[Path, ...]:
    """
    Return the stores of a folder: the folder itself, or those of its users where several share it.

    With `own` this user's comes first, whether it is there yet or not. Raises StoreLayoutError.
    """
    layout = Layout(root)
    found = layout.text()
    if found == SHARED:
        from modeldeps.store import _shared  # noqa: PLC0415

        return _shared.stores(root, own=own)
    if found and found != VERSION:
        from modeldeps.store._prepare import catch_up  # noqa: PLC0415

        catch_up(layout, writable=own)
    return (root,)
