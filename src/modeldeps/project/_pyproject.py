"""A pyproject.toml as it was written, and the build backend that it names."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modeldeps.errors import Problem, ProjectError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 4 << 20
"""Bytes of a pyproject.toml; nobody writes a longer one by hand."""

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Backend:
    """A build backend, and what modeldeps can do inside it."""

    name: str
    """The distribution that people know it by, such as `setuptools`, or the words of `build-backend`."""
    plugin: bool = False
    """It asks plugins for metadata, and modeldeps has one for it."""


BACKENDS: Mapping[str, Backend] = {
    "setuptools": Backend("setuptools", plugin=True),
    "hatchling": Backend("hatchling", plugin=True),
    "pdm.backend": Backend("pdm-backend", plugin=True),
    "flit_core": Backend("flit-core"),
    "poetry": Backend("poetry-core"),
    "uv_build": Backend("uv_build"),
    "mesonpy": Backend("meson-python"),
    "maturin": Backend("maturin"),
    "scikit_build_core": Backend("scikit-build-core"),
    "modeldeps.backend": Backend("modeldeps.backend"),
}
"""By the first words of `build-backend`."""


@dataclass(frozen=True)
class Pyproject:
    """The tables of one pyproject.toml, unchecked except that they are TOML."""

    file: Path
    """Where it lies."""
    document: Mapping[str, Any] = field(repr=False)
    """Its tables."""

    @classmethod
    def read(cls, file: Path) -> Pyproject:
        """Read a file. Raises ProjectError where it is absent, too long, or not TOML in UTF-8."""
        try:
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as error:
            message = f"expected a readable file: {error.strerror}"
            raise ProjectError(file, [Problem("", message)]) from None
        if len(data) > MAX_BYTES:
            raise ProjectError(file, [Problem("", f"expected at most {MAX_BYTES} bytes")])
        return cls(file, decode(data, file))

    def table(self, *keys: str) -> Mapping[str, Any]:
        """Return the table at a dotted key; an empty one where there is none."""
        return subtable(self.document, *keys)

    def texts(self, *keys: str) -> tuple[str, ...]:
        """Return the texts of the array at a dotted key; other entries are left out."""
        found = self.table(*keys[:-1]).get(keys[-1])
        return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()

    @property
    def dynamic(self) -> tuple[str, ...]:
        """What `project.dynamic` leaves to the backend."""
        return self.texts("project", "dynamic")

    @property
    def build_requires(self) -> tuple[str, ...]:
        """What `build-system.requires` asks for."""
        return self.texts("build-system", "requires")

    @property
    def backend(self) -> Backend | None:
        """The build backend; None where the file has no `[build-system]`."""
        if "build-system" not in self.document:
            return None
        words = self.table("build-system").get("build-backend", "setuptools.build_meta:__legacy__")
        return _backend(str(words), self.build_requires)

    def build_requires_modeldeps(self) -> bool:
        """Tell whether the plugins are there when the project is built."""
        return "modeldeps" in map(distribution_of, self.build_requires)


def subtable(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """Return the table at a dotted key of a table; an empty one where there is none."""
    found: Any = document
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def decode(data: bytes, file: object) -> dict[str, Any]:
    """Return the tables of a TOML document. Raises ProjectError that names `file`."""
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - at first use
    else:
        import tomli as tomllib  # noqa: PLC0415 - at first use

    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        reason = str(error).splitlines()[0] if isinstance(error, ValueError) else "nested too deeply"
        raise ProjectError(file, [Problem("", f"expected TOML in UTF-8: {reason}")]) from None


def distribution_of(requirement: str) -> str:
    """Return the normalised distribution name that a requirement begins with (PEP 508, PEP 503)."""
    found = _WORD.match(requirement.strip())
    return re.sub(r"[-_.]+", "-", found[0]).lower().rstrip("-") if found else ""


def _backend(words: str, requires: Sequence[str]) -> Backend:
    """Name the backend; one that lives in the project is judged by the plugin host that it requires."""
    for start, backend in BACKENDS.items():
        if words == start or words.startswith((f"{start}.", f"{start}:")):
            return backend
    hosts = {backend.name for backend in BACKENDS.values() if backend.plugin}
    wrapped = next((name for name in map(distribution_of, requires) if name in hosts), None)
    return Backend(words) if wrapped is None else Backend(wrapped, plugin=True)
