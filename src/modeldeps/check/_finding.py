"""What a check looks at, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modeldeps.project import Declaration, Pyproject, requirement_of, static_models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.requirement import ModelRequirement


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that is good to know."""

    key: str
    """The full key in pyproject.toml that it is about; empty for the project as a whole."""
    message: str
    """What is so, and what comes of it."""
    hint: str = ""
    """What to do about it."""
    level: str = "error"
    """`error`: a model is lost or can't be had; `note`: worth knowing."""


@dataclass(frozen=True)
class Project:
    """A project and where its models may come from."""

    pyproject: Pyproject
    """Its file."""
    declaration: Declaration = field(default_factory=Declaration)
    """What its `[tool.modeldeps]` says; nothing where there is none."""
    channels: tuple[str, ...] = field(default=(), repr=False)
    """The channels to ask, each a URL that ends with a slash."""
    offline: bool = False
    """Folders alone may be asked."""

    def models(self) -> Iterator[tuple[str, ModelRequirement]]:
        """Yield every model that is asked for, with the key of its list."""
        for model in self.declaration.models:
            yield "tool.modeldeps.models", model
        for group, models in self.declaration.optional_models.items():
            for model in models:
                yield f"tool.modeldeps.optional-models.{group}", model
        for one in static_models(self.pyproject):
            yield one.key, one.requirement

    def static_form(self) -> str:
        """Return the plain requirements that say the same as the table, as words of a sentence."""
        models = list(self.declaration.models)
        models += [model for group in self.declaration.optional_models.values() for model in group]
        return ", ".join(f'"{requirement_of(model, self.declaration.runtime)}"' for model in models)

    def add_command(self) -> str:
        """Return the command that writes the declaration again in the form that works."""
        for model in self.declaration.models:
            return f"modeldeps add '{model}'"
        for group, models in self.declaration.optional_models.items():
            for model in models:
                return f"modeldeps add --optional {group} '{model}'"
        return "modeldeps add MODEL"
