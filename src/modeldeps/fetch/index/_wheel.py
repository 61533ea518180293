"""A pointer wheel as hostile input: read once, bounded, every file checked against RECORD."""

from __future__ import annotations

import csv
import io
import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.digest import record_digest, sha256_bytes
from modeldeps.errors import InvalidNameError, PointerWheelError, Problem
from modeldeps.fetch.index._metadata import CoreMetadata
from modeldeps.manifest import Manifest, parse
from modeldeps.names import check_publishable, distribution_name, wheel_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from mmap import mmap

MAX_WHEEL = 32 << 20
"""Bytes of a pointer wheel, packed or unpacked; a manifest alone may have 16 MiB."""
MAX_MEMBERS = 1000
"""Files in a pointer wheel."""
MAX_DIRECTORY = 1 << 20
"""Bytes of the archive's directory; bounds the work before the number of files is known."""

_KNOWN = frozenset({"METADATA", "WHEEL", "RECORD", "model.json"})
_FOLDERS = ("licenses/", "sboms/")
_LOCAL = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_LOCATOR_64 = 20
_DESCRIPTOR = 0x8
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class PointerWheel:
    """A pointer wheel whose every file was checked."""

    filename: str
    """`modeldeps_digits-2.1.0-py3-none-any.whl`."""
    data: bytes
    """The whole wheel."""
    sha256: str
    """Digest of the whole wheel."""
    metadata: CoreMetadata
    """What METADATA says."""
    manifest: Manifest
    """What model.json says."""
    raw_metadata: bytes
    """METADATA as it lies in the wheel; an index serves it beside the wheel (PEP 658)."""
    raw_manifest: bytes
    """model.json as it lies in the wheel."""


def read_wheel(data: bytes, filename: str) -> PointerWheel:
    """
    Check a wheel's bytes (PEP 427, PEP 376) and return what it says.

    Raises PointerWheelError with every problem that could be seen, ManifestError for its model.json.
    """
    problems: list[Problem] = []
    members = _members(data, filename, problems)
    if members and not any(name.endswith(".dist-info/model.json") for name in members):
        raise PointerWheelError(filename, [Problem("", "expected a pointer package, found no model.json")])
    folder = _info_folder(members, problems)
    contents = {name.removeprefix(folder): content for name, content in members.items()}
    if missing := _KNOWN - set(contents):
        problems += [Problem(f"{folder}{name}", "is missing") for name in sorted(missing)]
    if problems:
        raise PointerWheelError(filename, problems)
    _check_record(folder, contents, problems)
    _check_wheel_file(contents["WHEEL"], problems)
    metadata = CoreMetadata.parse(contents["METADATA"], problems)
    manifest = _manifest(contents["model.json"], filename)
    _check_identity(filename, folder, metadata, manifest, problems)
    if problems:
        raise PointerWheelError(filename, problems)
    return PointerWheel(
        filename=filename,
        data=data,
        sha256=sha256_bytes(data),
        metadata=metadata,
        manifest=manifest,
        raw_metadata=contents["METADATA"],
        raw_manifest=contents["model.json"],
    )


def wheel_files(data: bytes, filename: str) -> dict[str, bytes]:
    """
    Return the files of any wheel that is only Python (PEP 427), checked as an archive and against its RECORD.

    Raises PointerWheelError with every problem that could be seen.
    """
    problems: list[Problem] = []
    members = _members(data, filename, problems)
    folders = sorted({name.split("/")[0] for name in members if name.split("/")[0].endswith(".dist-info")})
    if not problems and len(folders) != 1:
        problems.append(Problem("", f"expected one .dist-info folder, found {len(folders)}"))
    if not problems:
        needed = [f"{folders[0]}/{name}" for name in ("METADATA", "RECORD", "WHEEL")]
        problems += [Problem(name, "is missing") for name in needed if name not in members]
    if not problems:
        _check_record("", members, problems, own=f"{folders[0]}/RECORD")
        _check_wheel_file(members[f"{folders[0]}/WHEEL"], problems)
    if problems:
        raise PointerWheelError(filename, problems)
    return members


def _manifest(data: bytes, filename: str) -> Manifest:
    return parse(data, file=f"model.json in {filename}")


def _members(data: bytes, filename: str, problems: list[Problem]) -> dict[str, bytes]:
    """Return every file of the archive. Raises PointerWheelError."""
    try:
        return zip_members(data, problems, limit=MAX_WHEEL)
    except ValueError as error:
        raise PointerWheelError(filename, [Problem("", str(error))]) from None


def zip_members(data: bytes, problems: list[Problem], *, limit: int) -> dict[str, bytes]:
    """
    Return every file of a zip archive; nothing is unpacked beyond the limit in bytes, packed or unpacked.

    What is wrong with its entries goes to `problems`. Raises ValueError for what is no such archive.
    """
    entries = zip_entries(data, problems, limit=limit)
    if problems:
        return {}
    with _as_archive(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        return dict(_read_all(archive, entries))


def zip_entries(data: bytes | mmap, problems: list[Problem], *, limit: int) -> list[zipfile.ZipInfo]:
    """
    Return the entries of a zip archive, and read none of them; so large a one may be mapped.

    What is wrong goes to `problems`. Raises ValueError for what is no such archive.
    """
    if len(data) > limit:
        raise ValueError(f"expected at most {limit} bytes, found {len(data)}")
    with _as_archive():
        end = _directory_start(data)
        source = io.BytesIO(data) if isinstance(data, bytes) else data
        with zipfile.ZipFile(source) as archive:  # type: ignore[arg-type] # it reads, seeks and tells
            entries = archive.infolist()
        problems += _check_entries(entries, limit)
        problems += _check_layout(data, entries, end)
    return entries


@contextmanager
def _as_archive() -> Iterator[None]:
    """Turn what zipfile raises on hostile bytes into a ValueError."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
        struct.error,
        zlib.error,
    ) as error:
        raise ValueError(f"expected a zip archive: {error}") from None


def _directory_start(data: bytes | mmap) -> int:
    """
    Return where the archive's directory begins; the end record must be the last 22 bytes (APPNOTE 4.3.16).

    Raises ValueError. No comment, no second disk, no 64-bit records: a wheel within the bounds needs none.
    """
    if len(data) < _END.size:
        raise ValueError("it is too short")
    mark, disk, disk_of_directory, here, total, size, start, comment = _END.unpack(data[-_END.size :])
    if mark != b"PK\x05\x06" or disk or disk_of_directory or here != total or comment:
        raise ValueError("it is cut off, or has something behind its end")
    if data[-_END.size - _LOCATOR_64 :].startswith(b"PK\x06\x07"):
        raise ValueError("it has 64-bit records")
    if size > MAX_DIRECTORY or start + size != len(data) - _END.size:
        raise ValueError("its directory is not where the end record says")
    return int(start)


def _check_entries(entries: list[zipfile.ZipInfo], limit: int) -> Iterator[Problem]:
    """Say which entries an archive may not have."""
    if len(entries) > MAX_MEMBERS:
        yield Problem("", f"expected at most {MAX_MEMBERS} files, found {len(entries)}")
        return
    if (total := sum(one.file_size for one in entries)) > limit:
        yield Problem("", f"expected at most {limit} bytes unpacked, found {total}")
    seen: set[str] = set()
    for one in entries:
        if reason := _wrong_entry(one, seen):
            yield Problem(ascii(one.filename)[1:-1], reason)
        seen.add(one.filename.casefold())


def _wrong_entry(one: zipfile.ZipInfo, seen: set[str]) -> str | None:
    kind = stat.S_IFMT(one.external_attr >> 16)
    parts = one.orig_filename.split("/")
    if one.filename.casefold() in seen:
        return "stands twice"
    if one.orig_filename != one.filename or not one.filename.isascii() or not one.filename.isprintable():
        return "expected a name of plain characters"
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        return "expected a relative path to a file"
    if kind not in (0, stat.S_IFREG):
        return "expected a plain file"
    if one.flag_bits & _ENCRYPTED or one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "expected it stored or deflated, and not encrypted"
    return None


def _check_layout(data: bytes | mmap, entries: list[zipfile.ZipInfo], end: int) -> Iterator[Problem]:
    """
    Say where a reader of the local headers would see another archive than a reader of the directory.

    Installers read either; in a good wheel the files lie without a gap, and each has two headers
    that say the same (PKZIP APPNOTE 4.3).
    """
    position = 0
    for one in sorted(entries, key=lambda entry: entry.header_offset):
        if one.header_offset != position or position + _LOCAL.size > len(data):
            yield Problem("", f"expected a file's header at byte {position} of the archive")
            return
        mark, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack_from(data, position)
        start = position + _LOCAL.size
        same = (method, crc, packed, size) == (one.compress_type, one.CRC, one.compress_size, one.file_size)
        spelled = data[start : start + name] == one.orig_filename.encode("utf-8", "surrogateescape")
        if mark != b"PK\x03\x04" or flags & _DESCRIPTOR or not same or not spelled:
            yield Problem(ascii(one.filename)[1:-1], "its two headers in the archive disagree")
            return
        position = start + name + extra + packed
    if position != end:
        yield Problem("", "expected nothing between the files and the directory of the archive")


def _read_all(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo]) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents; the sizes were bounded before, zipfile holds each entry to its own."""
    for one in entries:
        with archive.open(one) as stream:
            yield one.filename, stream.read(one.file_size + 1)


def _info_folder(members: Mapping[str, bytes], problems: list[Problem]) -> str:
    """Return the one `.dist-info/` that everything lies in."""
    folders = sorted({name.split("/")[0] for name in members if name.split("/")[0].endswith(".dist-info")})
    if len(folders) != 1:
        if not problems:
            problems.append(Problem("", f"expected one .dist-info folder, found {len(folders)}"))
        return ""
    folder = folders[0] + "/"
    for name in members:
        rest = name.removeprefix(folder)
        if rest == name or not (rest in _KNOWN or rest.startswith(_FOLDERS)):
            problems.append(Problem(name, "a pointer package holds no such file"))
    return folder


def _check_record(
    folder: str, contents: Mapping[str, bytes], problems: list[Problem], *, own: str = "RECORD"
) -> None:
    """Compare every file with its line in RECORD."""
    try:
        rows = list(csv.reader(io.StringIO(contents[own].decode("utf-8"), newline=""), strict=True))
    except (ValueError, csv.Error) as error:
        problems.append(Problem("RECORD", f"expected comma-separated values in UTF-8: {error}"))
        return
    if any(len(row) != 3 for row in rows):  # noqa: PLR2004 - path, digest, size
        problems.append(Problem("RECORD", "expected path, digest and size on every line"))
        return
    recorded = {row[0]: (row[1], row[2]) for row in rows}
    if len(recorded) != len(rows):
        problems.append(Problem("RECORD", "a path stands twice"))
    for path in sorted(recorded.keys() ^ {folder + name for name in contents}):
        where = "RECORD only" if path in recorded else "the archive only"
        problems.append(Problem(f"RECORD: {path[:200]}", f"stands in {where}"))
    for name, content in contents.items():
        expected = ("", "") if name == own else (record_digest(content), str(len(content)))
        if recorded.get(folder + name, expected) != expected:
            problems.append(Problem(f"RECORD: {folder}{name}", "its digest or size is not that of the file"))


def _check_wheel_file(data: bytes, problems: list[Problem]) -> None:
    lines = data.decode("utf-8", "replace").splitlines()
    fields = [tuple(part.strip() for part in line.partition(":")[::2]) for line in lines if line.strip()]
    for key, allowed in (
        ("Wheel-Version", ["1.0"]),
        ("Root-Is-Purelib", ["true"]),
        ("Tag", ["py3-none-any"]),
    ):
        found = [value for name, value in fields if name == key]
        if found != allowed:
            problems.append(
                Problem(f"WHEEL: {key}", f"expected {allowed[0]!r}, found {', '.join(found)[:80]!r}")
            )


def _check_identity(
    filename: str, folder: str, metadata: CoreMetadata, manifest: Manifest, problems: list[Problem]
) -> None:
    """Hold every spelling of the name and the version against the manifest's."""
    try:
        check_publishable(manifest.name)
    except InvalidNameError as error:
        problems.append(Problem("model.json: name", f"{manifest.name!r}: {error.facts[-1][1]}"))
        return
    stem = f"{wheel_name(manifest.name)}-{manifest.version}"
    for key, expected, found in (
        ("file name", f"{stem}-py3-none-any.whl", filename),
        (".dist-info", f"{stem}.dist-info/", folder),
        ("METADATA: Name", distribution_name(manifest.name), metadata.name),
        ("METADATA: Version", manifest.version, metadata.version),
    ):
        if expected != found:
            problems.append(Problem(key, f"expected {expected!r}, found {found[:200]!r}"))
