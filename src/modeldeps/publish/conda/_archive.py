"""The archive of a conda package: a zip of two tar archives (CEP 24, `.conda` format 2)."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

from modeldeps.publish._npz import EPOCH, REGULAR
from modeldeps.publish.conda._zstd import stored

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = json.dumps({"conda_pkg_format_version": 2}).encode()
"""What metadata.json says."""


def archive_bytes(stem: str, files: Mapping[str, bytes], info: Mapping[str, bytes], *, seconds: int) -> bytes:
    """
    Return the `.conda` file around files by their paths, `info/…` apart from the rest.

    Sorted, with one mode, owner and date, and not compressed: the same input gives the same bytes.
    """
    target = io.BytesIO()
    members = {
        "metadata.json": FORMAT,
        f"pkg-{stem}.tar.zst": stored(_tar(files, seconds)),
        f"info-{stem}.tar.zst": stored(_tar(info, seconds)),
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = 3, REGULAR
            archive.writestr(entry, content)
    return target.getvalue()


def _tar(files: Mapping[str, bytes], seconds: int) -> bytes:
    """Return a tar archive of plain files (POSIX.1-2001)."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(content), 0o644, seconds
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()
