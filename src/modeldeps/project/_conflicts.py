"""Lists in `[project]` that would make an installer lose a model, or a backend refuse to build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.project._declaration import Declaration
    from modeldeps.project._pyproject import Pyproject


def static_conflicts(pyproject: Pyproject, declaration: Declaration) -> list[Problem]:
    """
    Return what stands against adding to the project's metadata.

    A field that a plugin adds to must be dynamic (PEP 621): uv reads a static list, and takes an
    absent one that is not dynamic for empty, without asking the backend; setuptools overwrites it.
    A project without a `[project]` table has nothing static.
    """
    if "project" not in pyproject.document or not declaration.adds:
        return []
    fields = []
    if declaration.models or declaration.dependencies:
        fields.append("dependencies")
    if declaration.adds_extras:
        fields.append("optional-dependencies")
    return [problem for field in fields for problem in _field(pyproject, field)]


def static_hint(declaration: Declaration) -> str:
    """Return the command that moves the static lists of a project."""
    groups = declaration.optional_models.items()
    optional = next((f"--optional {group} '{models[0]}'" for group, models in groups if models), "MODEL")
    word = f"'{declaration.models[0]}'" if declaration.models else optional
    return f"`modeldeps add {word}` moves what stands there to tool.modeldeps and makes the field dynamic"


def _field(pyproject: Pyproject, field: str) -> Iterator[Problem]:
    static = field in pyproject.table("project")
    dynamic = field in pyproject.dynamic
    if static and dynamic:
        yield Problem(
            f"project.{field}", "stands in the file and in project.dynamic; build backends refuse both"
        )
    elif static:
        yield Problem(
            f"project.{field}",
            "is a static list, which installers read without asking the plugin: the models would be lost",
        )
    elif not dynamic:
        yield Problem(
            "project.dynamic",
            f"expected {field!r} in it; installers take an absent list for an empty one: models are lost",
        )
