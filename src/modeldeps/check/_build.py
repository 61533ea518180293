"""Whether the build backend hears of the models at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from modeldeps.check._finding import Finding, Project
from modeldeps.project import static_conflicts, static_hint

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_table_name(project: Project) -> Iterator[Finding]:
    """Find a `[tool.…]` table whose name is nearly right: nobody reads it."""
    from difflib import SequenceMatcher  # noqa: PLC0415 - here alone

    for key in project.pyproject.table("tool"):
        plain = key.lower().replace("-", "").replace("_", "")
        if key != "modeldeps" and SequenceMatcher(None, plain, "modeldeps").ratio() > 0.8:  # noqa: PLR2004 - one slip
            yield Finding(f"tool.{key}", "nobody reads this table", "did you mean [tool.modeldeps]?")


def check_backend(project: Project) -> Iterator[Finding]:
    """Find a declaration that the build backend never sees."""
    if not _needs_plugin(project):
        return
    backend = project.pyproject.backend
    instead = f"write {project.static_form()} in project.dependencies, or `{project.add_command()}` after"
    if backend is None:
        yield Finding(
            "build-system",
            "is missing: installers build without the plugin, or don't build at all, and the models are lost",
            f"{instead} adding a [build-system] with setuptools, hatchling or pdm-backend",
        )
    elif not backend.plugin:
        yield Finding(
            "build-system.build-backend",
            f"{backend.name} takes no dependencies from plugins, and the models are lost",
            f"{instead} changing to setuptools, hatchling or pdm-backend",
        )
    else:
        yield from _plugin(project, backend.name)


def _needs_plugin(project: Project) -> bool:
    """Tell whether the table adds something that the file does not list itself."""
    from modeldeps.project import additions  # noqa: PLC0415 - here alone

    dependencies, extras = additions(project.pyproject, project.declaration)
    return project.declaration.adds and bool(dependencies or extras)


def _plugin(project: Project, backend: str) -> Iterator[Finding]:
    command = project.add_command()
    if not project.pyproject.build_requires_modeldeps():
        message = f"lacks 'modeldeps': {backend} builds without the plugin, and the models are lost"
        yield Finding("build-system.requires", message, command)
    hooks = project.pyproject.table("tool", "hatch", "metadata", "hooks")
    if backend == "hatchling" and "modeldeps" not in hooks:
        message = "is missing: hatchling runs only the hooks that are named, and the models are lost"
        yield Finding("tool.hatch.metadata.hooks.modeldeps", message, command)
    for problem in static_conflicts(project.pyproject, project.declaration):
        yield Finding(problem.key, problem.message, static_hint(project.declaration))


def check_twice(project: Project) -> Iterator[Finding]:
    """Find a model that stands both in the table and as a plain requirement."""
    declared = {model.name for model in project.declaration.models}
    for key, model in project.models():
        plain = key in ("project.dependencies", "tool.modeldeps.dependencies")
        if plain and model.name in declared:
            message = f"{model.name!r} stands here and in tool.modeldeps.models; installers obey both"
            yield Finding(key, message, "keep one of them", level="note")


def check_tables(project: Project) -> Iterator[Finding]:
    """Find values where tables belong: every tool passes over what they were meant to say."""
    for key in ("build-system", "project", "tool"):
        value = project.pyproject.document.get(key, {})
        if not isinstance(value, Mapping):
            yield Finding(
                key, f"expected a table, found {type(value).__name__}", f"write [{key}] on a line of its own"
            )


def check_nothing(project: Project) -> Iterator[Finding]:
    """Say that there is nothing to check."""
    tool = project.pyproject.table("tool", "modeldeps")
    if "model" in tool:
        yield Finding("tool.modeldeps.model", "this is a model project", "modeldeps build", level="note")
    elif not any(project.models()):
        yield Finding("", "the project asks for no models", "modeldeps add MODEL", level="note")
