"""Stores for tests: what lies in them, and the file systems that they lie on."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import file_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.manifest import File
    from modeldeps.store import Store

NAMED = {"name": "digits", "version": "2.1.0", "variant": "fp32"}
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root mounts file systems and becomes somebody else",
)


def keep(store: Store, data: bytes, tmp_path: Path, path: str = "model.onnx") -> File:
    """Put bytes into a store; return their file."""
    file = file_of(data, path)
    place = tmp_path / "adopted"
    place.write_bytes(data)
    store.adopt(place, file.sha256, file.size)
    return file


@contextmanager
def mounted(options: str) -> Iterator[Path]:
    """Mount a small file system in memory for the time of a with block."""
    with tempfile.TemporaryDirectory() as name:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", name], capture_output=True, check=False
        )
        if made.returncode:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)


@contextmanager
def looped(disk: Path, folder: Path) -> Iterator[None]:
    """Mount the image of a disk for the time of a with block."""
    made = subprocess.run(["mount", "-o", "loop", str(disk), str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no image of a disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
