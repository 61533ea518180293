"""Lists in `[project]` that would make an installer lose a model, or a backend refuse to build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors import Problem
from modeldeps.project._declaration import requirements
from modeldeps.project._pyproject import distribution_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.project._declaration import Declaration
    from modeldeps.project._pyproject import Pyproject


def additions(pyproject: Pyproject, declaration: Declaration) -> tuple[list[str], dict[str, list[str]]]:
    """
    Return what a plugin must add: the requirements of the declaration that the file does not list itself.

    An sdist by pdm-backend lists them: finished metadata is written into its pyproject.toml.
    """
    dependencies, extras = requirements(declaration)
    known = pyproject.table("project", "optional-dependencies")
    added = {group: _missing(texts, known.get(group)) for group, texts in extras.items()}
    return _missing(dependencies, pyproject.table("project").get("dependencies")), {
        group: texts for group, texts in added.items() if texts or group not in known
    }


def static_conflicts(pyproject: Pyproject, declaration: Declaration) -> list[Problem]:
    """
    Return what stands against adding to the project's metadata.

    A field that a plugin adds to must be dynamic (PEP 621): uv reads a static list, and takes an
    absent one that is not dynamic for empty, without asking the backend; setuptools overwrites it.
    A project without a `[project]` table has nothing static.
    """
    if "project" not in pyproject.document or not declaration.adds:
        return []
    dependencies, extras = additions(pyproject, declaration)
    fields = {"dependencies": bool(dependencies), "optional-dependencies": bool(extras)}
    return [problem for field, needed in fields.items() if needed for problem in _field(pyproject, field)]


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


def _missing(texts: list[str], listed: object) -> list[str]:
    """Return the requirements that a list does not hold yet, whatever their spelling."""
    known = (
        {_spelling(text) for text in listed if isinstance(text, str)} if isinstance(listed, list) else set()
    )
    return [text for text in texts if _spelling(text) not in known]


def _spelling(text: str) -> str:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - at first use

    try:
        found = Requirement(text)
    except InvalidRequirement:
        return text
    extras = ",".join(sorted(found.extras))
    return f"{distribution_of(found.name)}[{extras}]{found.specifier}@{found.url};{found.marker}"
