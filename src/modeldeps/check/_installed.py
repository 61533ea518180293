"""Whether what is installed here agrees with what the project asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps import environment
from modeldeps.check._finding import Finding, Project
from modeldeps.errors import ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.environment import Pointer


def check_installed(project: Project) -> Iterator[Finding]:
    """
    Find installed models that don't fit, or that the installed ONNX Runtime can't run.

    Installers see which runtime a model needs only where they are asked for one, so this is looked
    at here. A model that is not installed is no finding: the check may run in another environment.
    """
    seen: set[str] = set()
    for key, model in project.models():
        pointer = environment.find(model.name)
        if pointer is None or model.name in seen:
            continue
        seen.add(model.name)
        if not model.specifiers().contains(pointer.version, prereleases=True):
            message = f"{model.name} {pointer.version} is installed, and {model} is asked for"
            yield Finding(key, message, f'pip install "{model.dependency()}"')
        yield from _runs(key, pointer)


def _runs(key: str, pointer: Pointer) -> Iterator[Finding]:
    from modeldeps.runtime import obstacle  # noqa: PLC0415 - looks at the machine

    try:
        error: ModelDepsError | None = obstacle(pointer.manifest())
    except ModelDepsError as broken:
        error = broken
    if error:
        words = "; ".join([error.sentence, *(f"{label}: {value}" for label, value in error.facts)])
        yield Finding(key, f"{pointer.name} {pointer.version}: {words}", error.hint or "")
