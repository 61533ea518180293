"""The archive of a conda package: a zip of two tar archives (CEP 24, `.conda` format 2)."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from modeldeps.digest import new_hash, sha256_bytes
from modeldeps.errors import FileChangedError
from modeldeps.publish._npz import EPOCH, REGULAR
from modeldeps.publish.conda._zstd import StoredWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = json.dumps({"conda_pkg_format_version": 2}).encode()
"""What metadata.json says."""


@dataclass(frozen=True)
class FileContent:
    """A file of a package that lies on the disk."""

    source: Path
    """Where it lies."""
    size: int
    """Its length in bytes."""
    sha256: str
    """Its digest; what is packed is proved against it."""


def digest_and_size(content: bytes | FileContent) -> tuple[str, int]:
    """Return the sha256 and the length of a file of a package."""
    if isinstance(content, bytes):
        return sha256_bytes(content), len(content)
    return content.sha256, content.size


def write_archive(
    target: IO[bytes],
    stem: str,
    files: Mapping[str, bytes | FileContent],
    info: Mapping[str, bytes],
    *,
    seconds: int,
) -> None:
    """
    Write a `.conda` file around files by their paths, `info/…` apart from the rest.

    Sorted, with one mode, owner and date, and not compressed: the same input gives the same bytes.
    Raises FileChangedError where a file on the disk is not what was said of it, OSError.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry("metadata.json"), FORMAT)
        for name, contents in (("pkg", files), ("info", info)):
            with (
                archive.open(_entry(f"{name}-{stem}.tar.zst"), "w") as member,
                StoredWriter(member) as frame,
            ):
                _write_tar(frame, contents, seconds)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system, entry.external_attr = 3, REGULAR
    return entry


def _write_tar(target: io.RawIOBase, files: Mapping[str, bytes | FileContent], seconds: int) -> None:
    """Write a tar archive of plain files (POSIX.1-2001)."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            _, entry.size = digest_and_size(content)
            entry.mode, entry.mtime = 0o644, seconds
            if isinstance(content, bytes):
                archive.addfile(entry, io.BytesIO(content))
            else:
                _add_file(archive, entry, content)


def _add_file(archive: tarfile.TarFile, entry: tarfile.TarInfo, content: FileContent) -> None:
    """Add a file of the disk, and prove what was read. Raises FileChangedError."""
    with content.source.open("rb") as stream:
        proved = _Proved(stream)
        try:
            archive.addfile(entry, proved)
        except OSError:
            raise FileChangedError(content.source) from None
        if proved.running.hexdigest() != content.sha256:
            raise FileChangedError(content.source)


class _Proved:
    """A stream that digests what is read of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.running = new_hash()

    def read(self, count: int = -1) -> bytes:
        """Read at most as many bytes."""
        block = self._stream.read(count)
        self.running.update(block)
        return block
