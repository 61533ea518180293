"""A conda package as hostile input: read once, bounded, every file checked against paths.json."""

from __future__ import annotations

import json
import struct
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from modeldeps.digest import sha256_bytes, sha256_stream
from modeldeps.environment import CARRIED
from modeldeps.errors import CondaPackageError, InvalidNameError, Problem
from modeldeps.fetch.index import zip_entries
from modeldeps.manifest import parse
from modeldeps.names import check_publishable, distribution_name
from modeldeps.publish.conda._index import check_index
from modeldeps.publish.conda._package import CondaPackage, repodata_record
from modeldeps.publish.conda._zstd import restored_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from mmap import mmap

    from modeldeps.manifest import Manifest

MAX_PACKAGE = 64 << 20
"""Bytes of a conda package, packed or unpacked, that is no bundled build."""
MAX_BUNDLED = (1 << 31) - 1
"""Bytes of a package that holds its payload; what a zip archive holds without 64-bit records."""
MAX_FILES = 10_000
"""Files of a package."""
MAX_DOCUMENT = 16 << 20
"""Bytes of a file that is read into memory: a JSON document of `info/`, a manifest."""
FOLDERS = ("site-packages/", "share/", "python-scripts/")
"""Where a noarch Python package may put files; nothing there is run by an installer."""

_HEADER = 30
_LENGTHS = struct.Struct("<HH")


def read_package(data: bytes | mmap, filename: str) -> CondaPackage:
    """
    Check a noarch conda package's bytes and return what it says.

    Raises CondaPackageError with every problem that could be seen, ManifestError for its model.json, and
    BuildToolError where it is compressed and Python has nothing to read it with.
    """
    problems: list[Problem] = []
    stem = filename.removesuffix(".conda")
    try:
        members = _members(data, problems)
        _stop(filename, problems or list(_wrong_members(members, stem)))
        _check_format(bytes(members["metadata.json"][:1000]), problems)
        info, _ = _unpack(members[f"info-{stem}.tar.zst"], problems)
        files, facts = _unpack(members[f"pkg-{stem}.tar.zst"], problems)
    except ValueError as error:
        raise CondaPackageError(filename, [Problem("", str(error))]) from None
    _stop(filename, problems)
    index = _document(info, "info/index.json", problems)
    problems += check_index(index, filename)
    _check_paths(_document(info, "info/paths.json", problems), facts, problems)
    _check_link(_document(info, "info/link.json", problems), problems)
    _stop(filename, problems)
    manifest = _manifest(index, files, facts, filename)
    return CondaPackage(filename, data, repodata_record(index, data), manifest)


def _members(data: bytes | mmap, problems: list[Problem]) -> dict[str, memoryview]:
    """Return the members of the archive, each stored as it is (CEP 24), without a copy."""
    limit = MAX_PACKAGE if isinstance(data, bytes) else MAX_BUNDLED
    found = {}
    for entry in zip_entries(data, problems, limit=limit):
        start = entry.header_offset + _HEADER
        start += sum(_LENGTHS.unpack_from(data, start - _LENGTHS.size))
        found[entry.filename] = content = memoryview(data)[start : start + entry.compress_size]
        if entry.compress_type != zipfile.ZIP_STORED:
            problems.append(Problem(entry.filename, "expected it stored as it is"))
        elif zlib.crc32(content) != entry.CRC:
            problems.append(Problem(entry.filename, "its checksum is not that of its bytes"))
    return found


def _stop(filename: str, problems: list[Problem]) -> None:
    if problems:
        raise CondaPackageError(filename, problems)


def _wrong_members(members: Mapping[str, memoryview], stem: str) -> Iterator[Problem]:
    """Say which of the three members are missing, and what else there is."""
    expected = {"metadata.json", f"info-{stem}.tar.zst", f"pkg-{stem}.tar.zst"}
    for name in sorted(expected ^ members.keys()):
        yield Problem(name, "is missing" if name in expected else "a conda package holds no such member")


def _check_format(data: bytes, problems: list[Problem]) -> None:
    try:
        found = json.loads(data[:1000])
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("conda_pkg_format_version") != 2:  # noqa: PLR2004 - the format
        problems.append(Problem("metadata.json", "expected conda_pkg_format_version 2"))


def _unpack(
    packed: memoryview, problems: list[Problem]
) -> tuple[dict[str, bytes], dict[str, tuple[str, int]]]:
    """
    Return the small files of a tar archive in a frame, and the sha256 and size of each file.

    Raises ValueError for what is none.
    """
    files: dict[str, bytes] = {}
    facts: dict[str, tuple[str, int]] = {}
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=restored_stream(packed, limit=MAX_PACKAGE), mode="r|") as archive:
            for entry in archive:
                reason = _wrong_entry(entry, seen)
                if reason is None and len(facts) >= MAX_FILES:
                    reason = f"expected at most {MAX_FILES} files"
                if reason is not None:
                    problems.append(Problem(ascii(entry.name)[1:200], reason))
                    break
                seen.add(entry.name.casefold())
                _take(archive.extractfile(entry), entry, files, facts)
    except (tarfile.TarError, EOFError, OverflowError, RecursionError, OSError) as error:
        raise ValueError(f"expected a tar archive: {error}") from None
    return files, facts


def _take(
    stream: IO[bytes] | None,
    entry: tarfile.TarInfo,
    files: dict[str, bytes],
    facts: dict[str, tuple[str, int]],
) -> None:
    """Digest a file, and keep it where it is small. Raises ValueError for one that is cut off."""
    if stream is None:
        raise ValueError("expected a plain file")
    if entry.size <= MAX_DOCUMENT:
        files[entry.name] = content = stream.read()
        facts[entry.name] = sha256_bytes(content), len(content)
    else:
        facts[entry.name] = sha256_stream(stream), entry.size


def _wrong_entry(entry: tarfile.TarInfo, seen: set[str]) -> str | None:
    """Say what is wrong with an entry of a tar archive."""
    parts = entry.name.split("/")
    if entry.name.casefold() in seen:
        return "stands twice"
    if not entry.name.isascii() or not entry.name.isprintable():
        return "expected a name of plain characters"
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        return "expected a relative path to a file"
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.sparse is not None:
        return "expected a plain file"
    if not 0 <= entry.size <= MAX_BUNDLED:
        return f"expected at most {MAX_BUNDLED} bytes"
    return None


def _document(info: Mapping[str, bytes], name: str, problems: list[Problem]) -> dict[str, Any]:
    """Return a JSON object of `info/`, empty where it is none."""
    data = info.get(name)
    if data is None:
        problems.append(Problem(name, "is missing"))
        return {}
    try:
        found = json.loads(data) if len(data) <= MAX_DOCUMENT else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        problems.append(Problem(name, "expected a JSON object"))
        return {}
    return found


def _check_link(link: Mapping[str, Any], problems: list[Problem]) -> None:
    noarch = link.get("noarch")
    if not isinstance(noarch, dict) or noarch.get("type") != "python":
        problems.append(Problem("info/link.json: noarch.type", "expected 'python'"))
        return
    points = noarch.get("entry_points", [])
    if not isinstance(points, list) or not all(isinstance(one, str) and "\n" not in one for one in points):
        problems.append(Problem("info/link.json: noarch.entry_points", "expected a list of lines"))


def _check_paths(
    document: Mapping[str, Any], facts: Mapping[str, tuple[str, int]], problems: list[Problem]
) -> None:
    """Compare every file's digest and size with its entry in paths.json."""
    entries = document.get("paths")
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        problems.append(Problem("info/paths.json: paths", "expected a list of objects"))
        return
    listed = {str(one.get("_path")): one for one in entries}
    if len(listed) != len(entries):
        problems.append(Problem("info/paths.json", "a path stands twice"))
    for path in sorted(listed.keys() ^ facts.keys()):
        where = "paths.json only" if path in listed else "the archive only"
        problems.append(Problem(f"info/paths.json: {path[:200]}", f"stands in {where}"))
    problems += [
        Problem(f"info/paths.json: {path[:200]}", reason)
        for path in sorted(listed.keys() & facts.keys())
        if (reason := _wrong_path(path, listed[path], facts[path]))
    ]


def _wrong_path(path: str, entry: Mapping[str, Any], facts: tuple[str, int]) -> str | None:
    """Say what is wrong with an entry of paths.json."""
    if not path.startswith(FOLDERS):
        return f"expected a file in {', '.join(FOLDERS)}"
    if entry.get("path_type") != "hardlink" or "prefix_placeholder" in entry:
        return "expected a file that is linked as it is"
    if (entry.get("sha256"), entry.get("size_in_bytes")) != facts:
        return "its digest or size is not that of the file"
    return None


def _manifest(
    index: Mapping[str, Any],
    files: Mapping[str, bytes],
    facts: Mapping[str, tuple[str, int]],
    filename: str,
) -> bytes | None:
    """Return the package's model.json and hold its identity against the package's."""
    found = [path for path in facts if path.endswith(".dist-info/model.json") and path.count("/") == 2]  # noqa: PLR2004 - site-packages, .dist-info
    if not found:
        return None
    if len(found) > 1:
        raise CondaPackageError(filename, [Problem("", f"expected one model.json, found {len(found)}")])
    if found[0] not in files:
        raise CondaPackageError(filename, [Problem(found[0], f"expected at most {MAX_DOCUMENT} bytes")])
    manifest = parse(files[found[0]], file=f"model.json in {filename}")
    problems = []
    try:
        name = distribution_name(check_publishable(manifest.name))
    except InvalidNameError as error:
        name = ""
        problems.append(Problem("model.json: name", f"{manifest.name!r}: {error.facts[-1][1]}"))
    for key, expected in (("name", name), ("version", manifest.version)):
        if expected and expected != index[key]:
            message = f"expected {expected!r}, found {index[key][:200]!r}"
            problems.append(Problem(f"info/index.json: {key}", message))
    problems += _wrong_payload(manifest, found[0].removesuffix("/model.json"), facts)
    _stop(filename, problems)
    return files[found[0]]


def blob_place(digest: str) -> str:
    """Return where a bundled build has a blob, in its `.dist-info` folder; the store looks there."""
    return f"{CARRIED}/sha256/{digest[:2]}/{digest}"


def _wrong_payload(
    manifest: Manifest, folder: str, facts: Mapping[str, tuple[str, int]]
) -> Iterator[Problem]:
    """Say which payload of a bundled build is not the manifest's; all of it, or none, is there."""
    expected = {f"{folder}/{blob_place(one.sha256)}": (one.sha256, one.size) for one in manifest.all_files()}
    found = {path: facts[path] for path in facts if path.startswith(f"{folder}/{CARRIED}/")}
    for path in sorted(expected.keys() | found.keys()) if found else ():
        if expected.get(path) != found.get(path):
            yield Problem(path[:200], "expected all files of the manifest, and no other")
