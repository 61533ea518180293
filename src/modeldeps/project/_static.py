"""Models that stand as `modeldeps-…` in lists of plain requirements: the form that every tool reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modeldeps.errors import RequirementError
from modeldeps.names import RESERVED
from modeldeps.project._pyproject import Pyproject, distribution_of, subtable
from modeldeps.requirement import ModelRequirement, is_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class StaticModel:
    """One requirement on a pointer package."""

    key: str
    """The full key of its list, such as `project.dependencies`."""
    text: str
    """As it was written."""
    requirement: ModelRequirement
    """What it asks for."""


def static_models(pyproject: Pyproject) -> tuple[StaticModel, ...]:
    """Return the models in the project's lists of plain requirements; installers judge what can't be read."""
    found = ((key, text, static_model(text)) for key, texts in lists(pyproject.document) for text in texts)
    return tuple(StaticModel(key, text, model) for key, text, model in found if model)


def lists(document: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield each list of plain requirements that a pyproject.toml may have, with its full key."""
    for path in (("project",), ("tool", "modeldeps")):
        table = subtable(document, *path)
        yield from _arrays({"dependencies": table.get("dependencies")}, ".".join(path))
        yield from _arrays(
            subtable(table, "optional-dependencies"), ".".join((*path, "optional-dependencies"))
        )
    yield from _arrays(subtable(document, "dependency-groups"), "dependency-groups")


def static_model(text: object) -> ModelRequirement | None:
    """Return what one plain requirement asks of a model, or None where it is about something else."""
    if not isinstance(text, str):
        return None
    name = distribution_of(text)
    if not is_pointer(name) or name.partition("-")[2] in RESERVED:
        return None
    try:
        return ModelRequirement.parse(text)
    except RequirementError:
        return None


def _arrays(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, list[Any]]]:
    for key, value in table.items():
        if isinstance(value, list):
            yield f"{prefix}.{key}", value
