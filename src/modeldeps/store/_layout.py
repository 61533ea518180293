"""Where things lie in a store."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.digest import short_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from modeldeps.manifest import File

VERSION = "1"
"""The layout that this version reads and writes."""
_LONGEST = 32
"""Bytes of a `layout` file that are looked at."""


@dataclass(frozen=True)
class Layout:
    """The places of one store."""

    root: Path
    """Its folder."""

    @property
    def version_file(self) -> Path:
        """Holds the layout's number."""
        return self.root / "layout"

    @property
    def blobs(self) -> Path:
        """Holds `ab/<digest>` for each blob."""
        return self.root / "blobs" / "sha256"

    @property
    def partial(self) -> Path:
        """Holds what is not a blob yet, and the locks."""
        return self.root / "partial"

    @property
    def models(self) -> Path:
        """Holds `<name>/<version>/<variant>-<key>/` for each materialised model."""
        return self.root / "models"

    @property
    def chunks(self) -> Path:
        """Holds hints about where chunks lie."""
        return self.root / "chunks"

    @property
    def roots(self) -> Path:
        """Holds `<user>/<key>` for each use of a model that one user noted."""
        return self.root / "roots"

    def note(self, user: int, location: str, folder: str) -> str:
        """Return where one user's note lies of a use by the pointer package at a location; load() asks."""
        key = short_key(os.fsencode(f"{location}\0{folder}"))
        return f"{self.root}{os.sep}roots{os.sep}{user}{os.sep}{key}"

    @property
    def trash(self) -> Path:
        """Holds what is about to be deleted."""
        return self.root / "trash"

    def stamps(self, user: int) -> Path:
        """Return the folder of one user's stamps."""
        return self.root / "stamps" / str(user)

    def blob(self, digest: str) -> Path:
        """Return where a blob lies or would lie."""
        return self.blobs / digest[:2] / digest

    def model(self, name: str, version: str, variant: str, files: Iterable[File]) -> Path:
        """Return the folder of a materialised model; other bytes or other names give another folder."""
        listing = json.dumps(sorted((file.path, file.sha256) for file in files))
        return self.models / name / version / f"{variant}-{short_key(listing.encode())}"

    def check(self) -> bool:
        """Tell whether there is a store. Raises StoreLayoutError for one of another layout."""
        try:
            with self.version_file.open("rb") as stream:
                found = stream.read(_LONGEST).decode("ascii", "replace").strip()
        except OSError:
            return False
        if found != VERSION:
            from modeldeps.errors import StoreLayoutError  # noqa: PLC0415 - load() needs neither this nor the next

            raise StoreLayoutError(self.root, expected=f"layout {VERSION}", found=f"layout {found!r}")
        return True

    def prepare(self) -> None:
        """Make the folders of a store where they are missing. Raises OSError."""
        from modeldeps.files import write_atomically  # noqa: PLC0415

        self.partial.mkdir(parents=True, exist_ok=True)
        if not self.check():
            write_atomically(self.version_file, f"{VERSION}\n".encode())
