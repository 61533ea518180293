"""What a store holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.digest import is_sha256
from modeldeps.store._land import present

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.store._layout import Layout


@dataclass(frozen=True)
class Usage:
    """Numbers about one store."""

    blobs: int
    """Blobs."""
    blob_bytes: int
    """Bytes of all blobs."""
    partial: int
    """Part files: downloads that go on, or that were interrupted."""
    partial_bytes: int
    """Bytes that came into all part files; their holes don't count."""
    models: int
    """Materialised models."""


def measure(layout: Layout) -> Usage:
    """Walk through a store; what vanishes meanwhile, or can't be read, is not counted."""
    blobs = [one for folder in _entries(layout.blobs) for one in _entries(folder.path) if is_sha256(one.name)]
    parts = [one for one in _entries(layout.partial) if not one.name.endswith(".lock")]
    models = [
        variant
        for name in _entries(layout.models)
        for version in _entries(name.path)
        for variant in _entries(version.path)
        if not variant.name.startswith(".")
    ]
    return Usage(len(blobs), sum(map(_size, blobs)), len(parts), sum(map(_came, parts)), len(models))


def _entries(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from found
    except OSError:
        return


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _came(entry: os.DirEntry[str]) -> int:
    try:
        return present(Path(entry.path))
    except OSError:
        return 0
