"""Requirements of a wheel in conda's words: names, specifiers, markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modeldeps.names import normalize
from modeldeps.requirement import is_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.requirements import Requirement
    from packaging.specifiers import Specifier
    from packaging.version import Version

NAMES = {
    "build": "python-build",
    "graphviz": "python-graphviz",
    "kaleido": "python-kaleido",
    "msgpack": "msgpack-python",
    "onnxruntime-gpu": "onnxruntime",
    "opencv-contrib-python": "py-opencv",
    "opencv-contrib-python-headless": "py-opencv",
    "opencv-python": "py-opencv",
    "opencv-python-headless": "py-opencv",
    "tables": "pytables",
    "torch": "pytorch",
    "xxhash": "python-xxhash",
    "zstd": "python-zstd",
}
"""Distributions whose conda package has another name; every other one has its own, normalised."""

WHOLE = frozenset({"onnxruntime-gpu"})
"""Distributions whose conda package has what their extras bring; pointer packages are such too."""

ANYWHERE = frozenset({"colorama", "exceptiongroup", "importlib-metadata", "tomli", "truststore"})
"""Pure Python packages that do no harm where a marker would leave them out."""

PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))
"""Minor versions of Python that a marker is tried on."""

_SYSTEMS = (("linux", "Linux", "posix"), ("darwin", "Darwin", "posix"), ("win32", "Windows", "nt"))
_MACHINES = ("x86_64", "aarch64", "arm64", "AMD64")


class Translated(NamedTuple):
    """What one requirement became."""

    depends: str | None
    """Conda's match spec, or None where the requirement is left out."""
    note: str = ""
    """What a person should know of it; empty for nothing."""


def conda_name(distribution: str) -> str:
    """Return the conda package of a distribution: `pytorch` for `torch`. Raises InvalidNameError."""
    normal = normalize(distribution)
    return NAMES.get(normal, normal)


def match_spec(name: str, specifier: str) -> str:
    """
    Return `onnxruntime >=1.20,<2dev0` for a PEP 440 specifier set.

    Conda knows no rule about pre-releases: `>=1` lets them in, `<2` is written so that those of 2 stay out.
    Raises packaging's InvalidSpecifier, and ValueError for a `===` that names no version.
    """
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - at first use

    clauses = [one for part in sorted(SpecifierSet(specifier), key=_order) for one in _clauses(part)]
    return f"{name} {','.join(dict.fromkeys(clauses))}" if clauses else name


def conda_dependency(requirement: str, *, extras: Iterable[str] = (), python: str = "") -> Translated:
    """
    Translate one PEP 508 requirement for a package of all platforms.

    `extras` are those of its marker that count as asked for, `python` the specifier of the Pythons that the
    package allows. Raises packaging's InvalidRequirement, and ValueError for what conda can't say.
    """
    from packaging.requirements import Requirement  # noqa: PLC0415 - at first use

    found = Requirement(requirement)
    if found.url:
        raise ValueError(f"conda can't depend on a URL: {requirement[:80]!r}")
    spec = match_spec(conda_name(found.name), str(found.specifier))
    answers = set(_answers(found, tuple(extras), python))
    if answers == {False}:
        return Translated(None)
    if len(answers) > 1 and normalize(found.name) not in ANYWHERE and _by_platform(found, extras, python):
        return Translated(None, f"left out of the conda package, which is for all platforms: {found}")
    whole = not found.extras or is_pointer(found.name) or normalize(found.name) in WHOLE
    return Translated(spec, "" if whole else f"conda has no extras: {found}")


def _order(part: Specifier) -> tuple[int, str]:
    """Sort lower bounds first, so that the same set always has the same text."""
    return ("~=", "===", "==", ">=", ">", "<=", "<", "!=").index(part.operator), part.version


def _clauses(part: Specifier) -> Iterator[str]:
    """Yield what one comparison is in conda's words."""
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - at first use

    text, operator = part.version.strip(), part.operator
    if text.endswith(".*"):
        yield f"{'!=' if operator == '!=' else ''}{Version(text[:-2])}.*"
        return
    try:
        version = Version(text)
    except InvalidVersion:
        raise ValueError(f"conda can't compare with {text[:80]!r}, which is no version") from None
    if operator == "~=":
        release = ".".join(str(one) for one in version.release[:-1])
        yield f">={version}"
        yield f"{f'{version.epoch}!' if version.epoch else ''}{release}.*"
    elif operator == "<":
        yield f"<{_below(version)}"
    else:
        yield f"{'==' if operator == '===' else operator}{version}"


def _below(version: Version) -> str:
    """Return the bound that keeps out the pre-releases of a version too, as PEP 440 has it for `<`."""
    plain = not (version.is_prerelease or version.is_postrelease or version.local)
    return f"{version}dev0" if plain else str(version)


def _answers(found: Requirement, extras: Iterable[str], python: str) -> Iterator[bool]:
    """Yield whether a marker holds, on every system and Python that it may ask for."""
    for environment in _environments(python):
        yield _holds(found, environment, tuple(extras))


def _by_platform(found: Requirement, extras: Iterable[str], python: str) -> bool:
    """Tell whether a marker has two answers on one Python."""
    seen: dict[str, set[bool]] = {}
    for environment in _environments(python):
        seen.setdefault(environment["python_version"], set()).add(_holds(found, environment, tuple(extras)))
    return any(len(answers) > 1 for answers in seen.values())


def _holds(found: Requirement, environment: dict[str, str], extras: tuple[str, ...]) -> bool:
    if found.marker is None:
        return True
    return any(found.marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras))


def _environments(python: str) -> Iterator[dict[str, str]]:
    """Yield the environments that a marker is tried in (PEP 508)."""
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - at first use

    allowed = SpecifierSet(python)
    for version in PYTHONS:
        if version in allowed or f"{version}.99" in allowed:
            for platform, system, name in _SYSTEMS:
                for machine in _MACHINES:
                    yield {
                        "implementation_name": "cpython",
                        "implementation_version": f"{version}.0",
                        "os_name": name,
                        "platform_machine": machine,
                        "platform_python_implementation": "CPython",
                        "platform_release": "",
                        "platform_system": system,
                        "platform_version": "",
                        "python_full_version": f"{version}.0",
                        "python_version": version,
                        "sys_platform": platform,
                    }
