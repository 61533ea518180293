"""What a project's pyproject.toml asks for, in conda's words: python, dependencies, models, channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.errors import InvalidNameError, Problem, ProjectError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from packaging.markers import Marker

    from modeldeps.project import Declaration, Pyproject

CUDA = "onnxruntime=*=*cuda*"
"""The builds of ONNX Runtime with CUDA, as conda-forge names them."""

_SYSTEMS = {
    "linux": ("linux", "Linux", "posix"),
    "osx": ("darwin", "Darwin", "posix"),
    "win": ("win32", "Windows", "nt"),
}
_MACHINES = {"64": "x86_64", "32": "i686", "aarch64": "aarch64", "arm64": "arm64", "ppc64le": "ppc64le"}
_PYTHONS = tuple(f"3.{minor}" for minor in range(8, 16))


@dataclass(frozen=True)
class Asked:
    """What a project asks for."""

    name: str | None
    """The project's name, which the environment gets where none is said."""
    channels: tuple[str, ...]
    """URLs of channels."""
    specs: tuple[str, ...]
    """Match specs, python first."""


def is_project(file: Path) -> bool:
    """Tell whether a file is a pyproject.toml with models. Raises ProjectError where it is no TOML."""
    from modeldeps.project import Pyproject, static_models

    if file.suffix != ".toml" or not file.is_file():
        return False
    found = Pyproject.read(file)
    table = found.table("tool", "modeldeps")
    return bool(set(table) - {"model"}) or bool(static_models(found))


def asked(file: Path, platform: str) -> Asked:
    """
    Return what a project asks for on a platform, such as `linux-64`.

    Extras, groups and the project itself are left out. A requirement is kept where its marker holds for one
    of the Pythons that the project allows. Raises ProjectError with every problem.
    """
    from modeldeps import project

    found = project.Pyproject.read(file)
    declared = project.parse(found) or project.Declaration()
    problems: list[Problem] = []
    python = _python(found, problems)
    texts = [*found.texts("project", "dependencies"), *project.requirements(declared)[0]]
    specs = [one for text in texts for one in _specs(text, platform, python, problems)]
    if problems:
        raise ProjectError(file, problems)
    specs += [CUDA] if _wants_cuda(declared) else []
    return Asked(_name(found), declared.channels, tuple(dict.fromkeys([_pythons(python), *specs])))


def _wants_cuda(declared: Declaration) -> bool:
    return declared.runtime == "cuda" and bool(declared.models)


def _name(found: Pyproject) -> str | None:
    name = found.table("project").get("name")
    return (
        name.lower() if isinstance(name, str) and name.replace("-", "").replace("_", "").isalnum() else None
    )


def _python(found: Pyproject, problems: list[Problem]) -> str:
    """Return `project.requires-python`, or nothing."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    text = found.table("project").get("requires-python", "")
    try:
        return str(SpecifierSet(text if isinstance(text, str) else str(text)))
    except InvalidSpecifier as error:
        problems.append(Problem("project.requires-python", str(error)))
        return ""


def _pythons(python: str) -> str:
    from modeldeps.publish.conda import match_spec

    return match_spec("python", python)


def _specs(text: str, platform: str, python: str, problems: list[Problem]) -> Iterator[str]:
    """Yield what one requirement is in conda's words; nothing where its marker never holds."""
    from packaging.requirements import InvalidRequirement, Requirement

    from modeldeps.publish.conda import conda_dependency

    try:
        found = Requirement(text)
        if found.marker and not _holds(found.marker, platform, python):
            return
        found.marker = None
        spec = conda_dependency(str(found)).depends
    except (InvalidRequirement, InvalidNameError, ValueError) as error:
        problems.append(Problem(f"dependencies: {text[:80]!r}", str(error).splitlines()[0]))
        return
    if spec:
        yield spec
    if found.name.lower() == "onnxruntime-gpu":
        yield CUDA


def _holds(marker: Marker, platform: str, python: str) -> bool:
    """Tell whether a marker holds on a platform for one of the Pythons that are allowed."""
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(python)
    versions = [one for one in _PYTHONS if one in allowed or f"{one}.99" in allowed]
    return any(marker.evaluate(dict(_environment(platform, one))) for one in versions or _PYTHONS)


def _environment(platform: str, python: str) -> Mapping[str, str]:
    """Return the values of a marker's names (PEP 508) on one of conda's platforms."""
    system, _, machine = platform.partition("-")
    name, title, kind = _SYSTEMS.get(system, (system, system.title(), "posix"))
    return {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": kind,
        "platform_machine": "AMD64" if platform == "win-64" else _MACHINES.get(machine, machine),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": title,
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": name,
    }
