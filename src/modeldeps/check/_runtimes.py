"""Whether both wheels of ONNX Runtime would come into one environment; they write the same module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.check._finding import Finding, Project
from modeldeps.project import distribution_of, requirements
from modeldeps.requirement import is_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.requirements import Requirement

WHEELS = {"cpu": "onnxruntime", "cuda": "onnxruntime-gpu"}
"""The wheel that an extra of a pointer package, or of modeldeps, brings."""
SYSTEMS = (
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
)
"""Where a marker is tried: one wheel for each system is fine."""


def check_runtimes(project: Project) -> Iterator[Finding]:
    """Find requirements that together bring two wheels with the module `onnxruntime`."""
    own, extras = _lists(project)
    yield from _both("the project", own)
    clash = _brought(own)
    for extra, texts in extras.items():
        if len(clash) <= 1:
            yield from _both(f"with the extra {extra!r}, the project", [*own, *texts])


def check_floorless(project: Project) -> Iterator[Finding]:
    """Say which plain requirements hide from the installer which runtime the model needs."""
    for key, model in project.models():
        if key == "project.dependencies" and not model.extras and project.declaration.runtime != "none":
            wanted = model.dependency(("cpu",))
            yield Finding(
                key,
                f"{model.name!r} is asked for without a runtime, so installers don't see which one it needs",
                f'write "{wanted}" in an application; a library leaves it to its users',
                level="note",
            )


def _lists(project: Project) -> tuple[list[str], dict[str, list[str]]]:
    """Return the project's dependencies and those of each extra, from the table and from `[project]`."""
    own, extras = requirements(project.declaration)
    own = [*project.pyproject.texts("project", "dependencies"), *own]
    for extra in project.pyproject.table("project", "optional-dependencies"):
        texts = project.pyproject.texts("project", "optional-dependencies", extra)
        extras[extra] = [*extras.get(extra, ()), *texts]
    return own, extras


def _both(who: str, texts: Iterable[str]) -> Iterator[Finding]:
    found = _brought(texts)
    if len(found) > 1:
        pairs = ", ".join(f"{wheel} ({text})" for wheel, text in sorted(found.items()))
        yield Finding(
            "tool.modeldeps.runtime",
            f"{who} brings {pairs}, and they overwrite each other",
            "keep one runtime; runtime = 'extras' lets the user of the project choose",
        )


def _brought(texts: Iterable[str]) -> dict[str, str]:
    """Return the wheels that come together on some system, each with the requirement that brings it."""
    parsed = [(text, found) for text in texts if (found := _parse(text))]
    for system in SYSTEMS:
        brought: dict[str, str] = {}
        for text, requirement in parsed:
            if _applies(requirement, system):
                brought |= dict.fromkeys(_wheels(requirement), text)
        if len(brought) > 1:
            return brought
    return {}


def _applies(requirement: Requirement, system: Mapping[str, str]) -> bool:
    """Tell whether a requirement counts on a system; installers refuse a marker without a meaning."""
    from packaging.markers import UndefinedComparison  # noqa: PLC0415 - at first use

    try:
        return requirement.marker is None or requirement.marker.evaluate({**system, "extra": ""})
    except UndefinedComparison:
        return False


def _wheels(requirement: Requirement) -> set[str]:
    name = distribution_of(requirement.name)
    if name == "onnxruntime" or name.startswith("onnxruntime-"):
        return {name} if not name.startswith(("onnxruntime-ep-", "onnxruntime-extensions")) else set()
    if name == "modeldeps" or is_pointer(name):
        return {WHEELS[extra] for extra in requirement.extras if extra in WHEELS}
    return set()


def _parse(text: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - at first use

    try:
        return Requirement(text)
    except InvalidRequirement:  # the build backend says so
        return None
