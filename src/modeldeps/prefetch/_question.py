"""What an installer's solver is asked: which release of each model it would take here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.project import static_models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from modeldeps.project import Declaration, Pyproject
    from modeldeps.requirement import ModelRequirement


@dataclass(frozen=True)
class Question:
    """The models of a project, for the machine on which it is being installed."""

    models: tuple[ModelRequirement, ...] = ()
    """Those whose markers are true here, each with the extra that brings its runtime."""
    constraints: tuple[str, ...] = ()
    """The project's plain requirements: what is solved must agree with them, but they are not asked for."""
    channels: tuple[str, ...] = field(default=(), repr=False)
    """Channels, each a URL that ends with a slash."""
    runtime: str = "cpu"
    """The runtime that the models will meet: `cpu` or `cuda`."""
    folder: Path = Path()
    """The project's folder."""

    @property
    def requirements(self) -> tuple[str, ...]:
        """The requirements on pointer packages, without markers: they are true."""
        return tuple(model.dependency().partition(";")[0].strip() for model in self.models)


def question(
    pyproject: Pyproject, declaration: Declaration, *, channels: Iterable[str], extras: AbstractSet[str]
) -> Question:
    """
    Return what to ask for a project of which the user wants these extras.

    A library (`runtime = "none"`) is asked for as the installer asks: without a runtime. With
    `runtime = "extras"` it is the CPU's unless the user named the extra `cuda`.
    """
    runtime = "cuda" if "cuda" in (declaration.runtime, *_own(declaration, extras)) else "cpu"
    asked = () if declaration.runtime == "none" else (runtime,)
    models = [*declaration.models]
    models += [model for group in extras for model in declaration.optional_models.get(group, ())]
    known = {model.name for model in models}
    static = [one.requirement for one in static_models(pyproject) if one.key == "project.dependencies"]
    models = [_with_runtime(model, asked) for model in models if _applies(model)]
    models += [model for model in static if model.name not in known and _applies(model)]
    plain = (*declaration.dependencies, *pyproject.texts("project", "dependencies"))
    return Question(
        models=tuple(dict.fromkeys(models)),
        constraints=tuple(_constraints(plain)),
        channels=tuple(dict.fromkeys(channels)),
        runtime=runtime,
        folder=pyproject.file.absolute().parent,
    )


def _own(declaration: Declaration, extras: AbstractSet[str]) -> AbstractSet[str]:
    """Return the extras that `runtime = "extras"` makes, of those that were asked for."""
    return extras & {"cpu", "cuda"} if declaration.runtime == "extras" else frozenset()


def _with_runtime(model: ModelRequirement, extras: tuple[str, ...]) -> ModelRequirement:
    from dataclasses import replace  # noqa: PLC0415 - only in a build

    return replace(model, extras=model.extras or extras)


def _applies(model: ModelRequirement) -> bool:
    from packaging.markers import Marker  # noqa: PLC0415 - at first use

    return not model.marker or Marker(model.marker).evaluate({"extra": ""})


def _constraints(texts: Iterable[str]) -> Iterator[str]:
    """Yield what can stand in a constraints file: no extras, no URLs, no models."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - at first use

    from modeldeps.project import static_model  # noqa: PLC0415 - only in a build

    for text in texts:
        try:
            found = Requirement(text)
        except InvalidRequirement:
            continue
        if found.specifier and not found.url and static_model(text) is None:
            found.extras = set()
            yield str(found)
