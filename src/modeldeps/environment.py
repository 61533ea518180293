"""The models of an environment: pointer packages among the installed distributions."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass, field
from modeldeps.errors import InvalidNameError, ManifestError, Problem
from modeldeps.manifest import MAX_BYTES, Manifest, parse
from modeldeps.names import PREFIX, distribution_name, model_name, normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from importlib.metadata import Distribution

FILE = "model.json"
"""The file of a `.dist-info` folder that makes a distribution a pointer package."""

CARRIED = "blobs"
"""The folder beside `model.json` in which a pointer package may carry its payload, as `sha256/ab/DIGEST`."""

_SUFFIX = ".dist-info"
_START = PREFIX.rstrip("-")
_searched: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Pointer:
    """One installed pointer package."""

    name: str
    """The model's normalised name."""
    version: str
    """The release's version, as the installer wrote it."""
    location: Path
    """The `.dist-info` folder."""
    data: bytes | None = field(default=None, repr=False)
    """The bytes of `model.json` where no folder holds them, as in a zip file."""

    @property
    def file(self) -> Path:
        """Where `model.json` lies."""
        return self.location / FILE

    @property
    def carried(self) -> Path:
        """Where the payload lies if the package carries it, as a bundled build of conda does."""
        return self.location / CARRIED

    def manifest(self) -> Manifest:
        """Read `model.json`. Raises ManifestError: it can't be read, is broken, or is another release's."""
        data = self._bytes() if self.data is None else self.data
        try:
            found = parse(data, file=self.file)
        except ManifestError as error:
            raise ManifestError(self.file, error.problems, hint=error.hint or self._cure()) from None
        problems = [
            *_differs("name", self.name, found.name),
            *_differs("version", self.version, found.version),
        ]
        if problems:
            raise ManifestError(self.file, problems, hint=self._cure())
        return found

    def _bytes(self) -> bytes:
        """Read at most one byte more than a manifest may have."""
        try:
            with open(self.file, "rb", buffering=0) as stream:  # noqa: PTH123 - load()'s hot path
                return stream.read(MAX_BYTES + 1)
        except OSError as error:
            message = f"expected a readable file: {error.strerror}"
            raise ManifestError(self.file, [Problem("", message)], hint=self._cure()) from None

    def _cure(self) -> str:
        return f'pip install --force-reinstall --no-deps "{distribution_name(self.name)}=={self.version}"'


@dataclass(frozen=True)
class Requirer:
    """A distribution that asks for a model."""

    distribution: str
    """Its name, as it spells it."""
    requirement: str
    """The requirement, as its metadata says it (PEP 508)."""


def search(paths: Sequence[str] | None) -> tuple[str, ...] | None:
    """
    Look in these folders from now on where nothing else is said, and return where it was looked before.

    None is `sys.path`. A program that works for the environment of another interpreter, as conda does,
    thereby asks all of modeldeps about that one, and imports nothing from it.
    """
    global _searched
    before, _searched = _searched, None if paths is None else tuple(paths)
    return before


def searched() -> tuple[str, ...] | None:
    """Return the folders that `search` was given; None for `sys.path`."""
    return _searched


def find(name: str, paths: Sequence[str] | None = None) -> Pointer | None:
    """
    Return the pointer package of a model, or None where there is none.

    `paths` are folders as in `sys.path`, which is the default; the first that has the model wins,
    as for modules. Raises InvalidNameError.
    """
    model = normalize(name)
    for folder in _folders(paths):
        if found := _newest(one for one in _scan(folder) if one.name == model):
            return found
    return next((one for one in _elsewhere(paths, distribution_name(model)) if one.name == model), None)


def pointers(paths: Sequence[str] | None = None) -> tuple[Pointer, ...]:
    """Return the pointer package of every model, sorted by name."""
    found: dict[str, Pointer] = {}
    for folder in _folders(paths):
        by_name: dict[str, list[Pointer]] = {}
        for one in _scan(folder):
            by_name.setdefault(one.name, []).append(one)
        for name, candidates in by_name.items():
            newest = _newest(candidates)
            if newest is not None:
                found.setdefault(name, newest)
    if _has_other_finders(paths):
        for one in _elsewhere(paths):
            found.setdefault(one.name, one)
    return tuple(found[name] for name in sorted(found))


def requirers(name: str, paths: Sequence[str] | None = None) -> tuple[Requirer, ...]:
    """Return the installed distributions whose metadata asks for a model, sorted. Raises InvalidNameError."""
    from importlib.metadata import distributions  # noqa: PLC0415 - costs more than all else here

    wanted = distribution_name(name)
    found: dict[str, tuple[Requirer, ...]] = {}
    for one in distributions(path=list(_folders(paths))):
        title = one.metadata["Name"] or ""
        asked = [text for text in one.requires or () if _distribution_of(text) == wanted]
        found.setdefault(title.lower(), tuple(Requirer(title, text) for text in asked))
    every = [one for group in found.values() for one in group]
    return tuple(sorted(every, key=lambda one: (one.distribution, one.requirement)))


def remains(paths: Sequence[str] | None = None) -> tuple[Path, ...]:
    """Return the folders of broken pointer packages: their RECORD lists `model.json`, and it is gone."""
    folders = (Path(folder, one) for folder in _folders(paths) for one in sorted(_dist_infos(folder)))
    return tuple(one for one in folders if not _is_file(one / FILE) and _recorded(one))


def _folders(paths: Sequence[str] | None) -> Iterator[str]:
    """Yield each folder once; an empty entry of `sys.path` is the current folder."""
    default = sys.path if _searched is None else _searched
    return iter(dict.fromkeys(one or "." for one in (default if paths is None else paths)))


def _dist_infos(folder: str) -> list[str]:
    """Return the entries that may belong to pointer packages; nothing for what is no readable folder."""
    try:
        entries = os.listdir(folder)  # noqa: PTH208 - the fastest listing; load() waits for it
    except OSError:
        return []  # as the import system does with such an entry
    return [one for one in entries if one.endswith(_SUFFIX) and one[: len(_START)].lower() == _START]


def _scan(folder: str) -> Iterator[Pointer]:
    """Yield the pointer packages of one folder."""
    for entry in _dist_infos(folder):
        title, _, version = entry[: -len(_SUFFIX)].rpartition("-")
        name = _model_of(title)
        location = Path(folder, entry)
        if name and version and _is_file(location / FILE):
            yield Pointer(name, version, location)


def _is_file(path: Path) -> bool:
    """Tell whether a file is there; one that may not be looked at is not. Path raises before Python 3.14."""
    return os.path.isfile(path)  # noqa: PTH113 - as above


def _model_of(title: str) -> str | None:
    """Return the model that a distribution name belongs to, or None."""
    try:
        normal = normalize(title)
    except InvalidNameError:
        return None
    return model_name(normal) if normal.startswith(PREFIX) else None


def _newest(candidates: Iterable[Pointer]) -> Pointer | None:
    """Return the newest of the releases that one folder holds; more than one is left by a broken upgrade."""
    found = list(candidates)
    if len(found) <= 1:
        return found[0] if found else None
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - almost never needed

    def order(one: Pointer) -> tuple[bool, Version, str]:
        try:
            return True, Version(one.version), one.version
        except InvalidVersion:
            return False, Version("0"), one.version

    return max(found, key=order)


def _elsewhere(paths: Sequence[str] | None, distribution: str | None = None) -> Iterator[Pointer]:
    """Yield the pointer packages that Python's other finders know, such as those in a zip file."""
    from importlib.metadata import distributions  # noqa: PLC0415 - costs more than all else here

    for one in distributions(name=distribution, path=list(_folders(paths))):
        if pointer := _pointer(one):
            yield pointer


def _pointer(distribution: Distribution) -> Pointer | None:
    name = _model_of(distribution.metadata["Name"] or "")
    text = distribution.read_text(FILE) if name else None
    if not name or text is None:
        return None
    location = getattr(distribution, "_path", None) or distribution.locate_file("")
    return Pointer(name, distribution.version, Path(str(location)), text.encode())


def _has_other_finders(paths: Sequence[str] | None) -> bool:
    """Tell whether anything but plain folders can hold distributions here."""
    from importlib.machinery import PathFinder  # noqa: PLC0415 - only where all models are listed

    plain = {PathFinder, *(one for one in sys.meta_path if type(one).__name__ == "MetadataPathFinder")}
    finders = any(one not in plain and hasattr(one, "find_distributions") for one in sys.meta_path)
    return finders or any(Path(one).is_file() for one in _folders(paths))


def _distribution_of(requirement: str) -> str:
    """Return the normalised distribution name that a requirement begins with, or nothing."""
    found = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""


def _recorded(folder: Path) -> bool:
    """Tell whether a RECORD lists `model.json` (PEP 376)."""
    try:
        lines = (folder / "RECORD").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{folder.name}/{FILE},") for line in lines)


def _differs(key: str, installed: str, written: str) -> list[Problem]:
    if installed == written or (key == "version" and _same_version(installed, written)):
        return []
    return [Problem(key, f"expected {installed!r}, as the installed package has it, found {written!r}")]


def _same_version(one: str, other: str) -> bool:
    """Tell whether two spellings mean one version (PEP 440)."""
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - only where the texts differ

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False
