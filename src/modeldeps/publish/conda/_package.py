"""A conda package made from a wheel: one path for pointer wheels and for any other pure Python wheel."""

from __future__ import annotations

import hashlib
import io
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from modeldeps.digest import sha256_bytes
from modeldeps.errors import CondaPackageError, InvalidNameError, Problem
from modeldeps.fetch.index import CoreMetadata, read_wheel, wheel_files
from modeldeps.names import normalize
from modeldeps.publish.conda._archive import FileContent, digest_and_size, write_archive
from modeldeps.publish.conda._requirements import conda_dependency, match_spec
from modeldeps.publish.conda._words import about, entry_points, license_expression

if TYPE_CHECKING:
    from collections.abc import Mapping
    from mmap import mmap

POINTER = ("pointer_1", 1)
"""Build string and number of a pointer package; a higher number than a bundled build's is preferred."""
PLAIN = ("py_0", 0)
"""Build string and number of any other package."""
POINTER_PYTHON = ">=3.10"
"""The Pythons of a pointer package, whose wheel leaves them to modeldeps."""
SITE = "site-packages"
"""Where a noarch Python package has what goes into an environment's site-packages."""
RUNTIME = "cpu"
"""The extra whose requirement a conda package has: conda's onnxruntime has every build under one name."""


@dataclass(frozen=True)
class CondaPackage:
    """A conda package."""

    filename: str
    """`modeldeps-digits-2.1.0-pointer_1.conda`."""
    data: bytes | mmap
    """The whole file; a large one is mapped."""
    record: dict[str, object]
    """
    Its entry of repodata.json (CEP 16): name, version, build, build_number, depends, constrains, license,
    noarch, subdir, timestamp in milliseconds, size in bytes, md5, sha256.
    """
    manifest: bytes | None = None
    """Its model.json, where it is a pointer package."""
    notes: tuple[str, ...] = field(default=())
    """What the publisher should know of it: requirements that were left out or lost a part."""


@dataclass(frozen=True)
class Plan:
    """A package before it is written."""

    index: dict[str, object]
    """index.json."""
    files: dict[str, bytes | FileContent]
    """The files of an environment by their paths."""
    contents: Mapping[str, bytes]
    """The files of the `.dist-info` by their paths in it."""
    notes: tuple[str, ...]
    """What the publisher should know."""

    @property
    def stem(self) -> str:
        """The package's file name without `.conda`."""
        return "-".join(str(self.index[key]) for key in ("name", "version", "build"))

    def write(self, target: IO[bytes]) -> None:
        """Write the package. Raises FileChangedError, OSError."""
        stamp = self.index["timestamp"]
        seconds = stamp // 1000 if isinstance(stamp, int) else 0
        info = info_files(self.index, self.files, self.contents)
        write_archive(target, self.stem, self.files, info, seconds=seconds)


def conda_package(wheel: bytes, filename: str, *, timestamp: int) -> CondaPackage:
    """
    Make the conda package of a pure Python wheel; `timestamp` is in milliseconds since 1970.

    The same wheel and timestamp give the same bytes. Raises PointerWheelError, ManifestError and
    CondaPackageError about what the wheel says.
    """
    plan = plan_package(wheel, filename, timestamp=timestamp)
    target = io.BytesIO()
    plan.write(target)
    data = target.getvalue()
    return CondaPackage(
        filename=f"{plan.stem}.conda",
        data=data,
        record=repodata_record(plan.index, data),
        manifest=plan.contents.get("model.json"),
        notes=plan.notes,
    )


def plan_package(wheel: bytes, filename: str, *, timestamp: int) -> Plan:
    """Check a wheel and plan its package. Raises as `conda_package` does."""
    members = wheel_files(wheel, filename)
    folder = next(name.split("/")[0] for name in members if name.endswith(".dist-info/METADATA"))
    contents = {
        name.removeprefix(f"{folder}/"): data
        for name, data in members.items()
        if name.startswith(f"{folder}/")
    }
    if "model.json" in contents:
        read_wheel(wheel, filename)
    problems: list[Problem] = []
    metadata = CoreMetadata.parse(contents["METADATA"], problems)
    problems += _no_place(members, folder)
    if problems:
        raise CondaPackageError(filename, problems)
    index, notes = _index(metadata, contents["METADATA"], filename, pointer="model.json" in contents)
    index["timestamp"] = timestamp
    return Plan(index, site_packages(members, folder), contents, notes)


def repodata_record(index: Mapping[str, object], data: bytes | mmap) -> dict[str, object]:
    """Return the entry of repodata.json for a package with this index.json and these bytes."""
    keys = ("build", "build_number", "constrains", "depends", "license", "name", "noarch", "subdir")
    record = {key: index[key] for key in (*keys, "timestamp", "version") if key in index}
    record["md5"] = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {**record, "sha256": sha256_bytes(memoryview(data)), "size": len(data)}


def _no_place(members: Mapping[str, bytes], folder: str) -> list[Problem]:
    """Say what a package of all platforms has no place for."""
    data = f"{folder.removesuffix('.dist-info')}.data/"
    return [
        Problem(name, "expected a file of site-packages; conda has no place for it")
        for name in members
        if name.startswith(data)
    ]


def _index(
    metadata: CoreMetadata, raw: bytes, filename: str, *, pointer: bool
) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return index.json without its timestamp, and what to tell the publisher."""
    build, number = POINTER if pointer else PLAIN
    problems: list[Problem] = []
    depends, notes = _depends(metadata, problems, pointer=pointer)
    name, version = _name(metadata.name, problems), _version(metadata.version, problems)
    if problems:
        raise CondaPackageError(filename, problems)
    index: dict[str, object] = {
        "arch": None,
        "build": build,
        "build_number": number,
        "constrains": [],
        "depends": depends,
        "license": license_expression(raw),
        "name": name,
        "noarch": "python",
        "platform": None,
        "subdir": "noarch",
        "version": version,
    }
    return index, tuple(notes)


def _name(text: str, problems: list[Problem]) -> str:
    try:
        return normalize(text)
    except InvalidNameError as error:
        problems.append(Problem("METADATA: Name", error.sentence))
        return ""


def _version(text: str, problems: list[Problem]) -> str:
    """Return a version in its one spelling, which conda reads too."""
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - at first use

    try:
        return str(Version(text))
    except InvalidVersion:
        problems.append(Problem("METADATA: Version", f"expected a version, found {text[:80]!r}"))
        return ""


def _depends(
    metadata: CoreMetadata, problems: list[Problem], *, pointer: bool
) -> tuple[list[str], list[str]]:
    """Translate the requirements; the runtime extra of a pointer counts as asked for."""
    python = metadata.requires_python or (POINTER_PYTHON if pointer else "")
    depends, notes = [match_spec("python", python)], []
    for line in metadata.requires:
        try:
            found = conda_dependency(line, extras=[RUNTIME] if pointer else [], python=python)
        except (ValueError, InvalidNameError) as error:
            problems.append(Problem("METADATA: Requires-Dist", str(error).splitlines()[0]))
            continue
        depends += [found.depends] if found.depends else []
        notes += [found.note] if found.note else []
    return [depends[0], *sorted(set(depends[1:]))], notes


def site_packages(files: Mapping[str, bytes | FileContent], folder: str) -> dict[str, bytes | FileContent]:
    """
    Return the files of an environment: a wheel's, INSTALLER, and RECORD over both (PEP 376, PEP 627).

    `files` have their paths in site-packages, `folder` is the `.dist-info`'s name.
    """
    own = f"{folder}/RECORD"
    found = {name: data for name, data in files.items() if name != own}
    found[f"{folder}/INSTALLER"] = b"conda\n"
    lines = [_line(name, content) for name, content in sorted(found.items())]
    found[own] = "\n".join([*lines, f"{own},,", ""]).encode()
    return {f"{SITE}/{name}": content for name, content in found.items()}


def _line(name: str, content: bytes | FileContent) -> str:
    digest, size = digest_and_size(content)
    encoded = urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode("ascii")
    quoted = f'"{name}"' if "," in name else name
    return f"{quoted},sha256={encoded},{size}"


def info_files(
    index: Mapping[str, object], files: Mapping[str, bytes | FileContent], contents: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the files of `info/`; `contents` are those of the `.dist-info`."""
    paths = []
    for path, content in sorted(files.items()):
        digest, size = digest_and_size(content)
        paths.append({"_path": path, "path_type": "hardlink", "sha256": digest, "size_in_bytes": size})
    link: dict[str, object] = {"noarch": {"type": "python"}, "package_metadata_version": 1}
    if points := entry_points(contents.get("entry_points.txt", b"")):
        link["noarch"] = {"type": "python", "entry_points": points}
    licenses = {f"info/{name}": data for name, data in contents.items() if name.startswith("licenses/")}
    documents = {
        "about": about(contents["METADATA"]),
        "index": index,
        "link": link,
        "paths": {"paths": paths, "paths_version": 1},
    }
    return {
        **{f"info/{name}.json": _json(value) for name, value in documents.items()},
        "info/files": "".join(f"{path}\n" for path in sorted(files)).encode(),
        **licenses,
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"
