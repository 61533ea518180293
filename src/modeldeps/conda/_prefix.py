"""What conda's records (`conda-meta/*.json`) say of an environment, and of its pointer packages."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from modeldeps import environment
from modeldeps._frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 64 << 20
"""Bytes of a record that are read; one of 200 000 files has half of it."""
_NAME = f".dist-info/{environment.FILE}"


@dataclass(frozen=True)
class PointerPackage:
    """One installed conda package that carries a `model.json`."""

    name: str
    """The package's name, as conda has it."""
    version: str
    """Its version."""
    url: str
    """Where it came from, or nothing."""
    sha256: str
    """The digest of the package file, or nothing."""
    archive: str
    """Where conda keeps the package file, or nothing."""
    extracted: str
    """The folder where conda keeps it extracted, or nothing."""
    member: str
    """The path of `model.json` within the package."""
    file: Path
    """Where `model.json` lies, or should lie, in the environment."""
    digest: str
    """What its sha256 should be, or nothing where the record does not say."""

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    @property
    def channel(self) -> str:
        """The URL of the channel that it came from, with a slash at its end, or nothing."""
        parts = self.url.rsplit("/", 2)
        is_url = len(parts) == 3 and "://" in parts[0]  # noqa: PLR2004 - channel, subdir, file
        return f"{parts[0]}/" if is_url else ""


def pointer_packages(prefix: Path) -> tuple[PointerPackage, ...]:
    """Return the packages of an environment with a `model.json`, sorted; broken records are left out."""
    found = (_package(prefix, one) for one in _records(prefix, containing=environment.FILE))
    return tuple(sorted((one for one in found if one), key=lambda one: one.label))


def site_folders(prefix: Path) -> tuple[str, ...]:
    """
    Return the folders in which the Python of an environment finds packages; none where it has no Python.

    As conda does it: `python_site_packages_path` of python's record (CEP 17), else by its version.
    """
    record = next((one for one in _records(prefix, name="python-") if one.get("name") == "python"), None)
    if record is None:
        return ()
    said = record.get("python_site_packages_path")
    if said is None:
        short = ".".join(str(record.get("version", "")).split(".")[:2])
        said = "Lib/site-packages" if os.name == "nt" else f"lib/python{short}/site-packages"
    return (str(prefix / said),) if _is_inside(said) else ()


@contextmanager
def looking_in(prefix: Path) -> Iterator[tuple[str, ...]]:
    """Let all of modeldeps look at this environment's packages, not at those of conda's interpreter."""
    folders = site_folders(prefix)
    before = environment.search(folders)
    try:
        yield folders
    finally:
        environment.search(before)


def _records(prefix: Path, *, name: str = "", containing: str = "") -> Iterator[dict[str, Any]]:
    """Yield the records whose file begins with a name and holds a text; others are not even parsed."""
    for file in sorted((prefix / "conda-meta").glob(f"{name}*.json")):
        try:
            with file.open("rb") as stream:
                data = stream.read(LARGEST + 1)
            if len(data) > LARGEST or containing.encode() not in data:
                continue
            found = json.loads(data)
        except (OSError, ValueError, RecursionError):  # conda itself tells of broken records
            continue
        if isinstance(found, dict):
            yield found


def _package(prefix: Path, record: dict[str, Any]) -> PointerPackage | None:
    """
    Return what a record says of a package with a `model.json`.

    `files` has the places in the environment; `paths_data` has those within the package, which for
    `noarch: python` begin with `site-packages/`, and the digests.
    """
    files = record.get("files")
    target = next((one for one in files if _is_manifest(one)), "") if isinstance(files, list) else ""
    if not target:
        return None
    member, digest = _source(record, target)
    link = record.get("link")
    extracted = record.get("extracted_package_dir") or (link.get("source") if isinstance(link, dict) else "")
    return PointerPackage(
        name=_text(record.get("name")),
        version=_text(record.get("version")),
        url=_text(record.get("url")),
        sha256=_text(record.get("sha256")),
        archive=_text(record.get("package_tarball_full_path")),
        extracted=_text(extracted),
        member=member,
        file=prefix / target,
        digest=digest,
    )


def _source(record: dict[str, Any], target: str) -> tuple[str, str]:
    """Return where `model.json` lies within the package, and its digest; both may be unknown."""
    data = record.get("paths_data")
    paths = data.get("paths") if isinstance(data, dict) else None
    for one in paths if isinstance(paths, list) else ():
        path = one.get("_path") if isinstance(one, dict) else None
        if _is_manifest(path) and str(path).split("/")[-2:] == target.split("/")[-2:]:
            return _text(path), _text(one.get("sha256_in_prefix") or one.get("sha256"))
    return "", ""


def _is_manifest(path: object) -> bool:
    return isinstance(path, str) and path.endswith(_NAME) and _is_inside(path)


def _is_inside(path: object) -> bool:
    """Tell whether a path stays below the folder that it is taken from."""
    if not isinstance(path, str) or "\\" in path or ":" in path:
        return False
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
