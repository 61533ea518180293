"""Errors about editing a project's declaration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors._base import FOUND_WRONG, WRONG_USAGE, ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Sequence


class ProjectEditError(ModelDepsError):
    """A pyproject.toml can't be edited without harm; nothing was written."""

    exit_status = FOUND_WRONG

    def __init__(self, file: object, key: str) -> None:
        super().__init__(
            f"{file} is written in a way that can't be edited safely, and was left as it is",
            ("key", key),
            hint="edit that key by hand; `modeldeps check` tells whether the result is right",
        )


class NoProjectError(ModelDepsError):
    """There is no project to read or to edit."""

    exit_status = WRONG_USAGE

    def __init__(self, start: object) -> None:
        super().__init__(
            "there is no pyproject.toml in this folder or above it",
            ("folder", start),
            hint="run the command in a project, or name its file with --project",
        )


class NoStaticDependenciesError(ModelDepsError):
    """A project has no list of its own to which a model could be added."""

    exit_status = WRONG_USAGE

    def __init__(self, file: object, *, reason: str, hint: str) -> None:
        super().__init__(f"{file} has no list of dependencies to add to", ("reason", reason), hint=hint)


class UndeclaredModelError(ModelDepsError):
    """A model that should be removed is not declared."""

    exit_status = WRONG_USAGE

    def __init__(self, name: str, file: object, *, declared: Sequence[str], near: Sequence[str]) -> None:
        hint = f"did you mean `modeldeps remove {near[0]}`?" if near else None
        super().__init__(
            f"{file} does not declare the model {name!r}",
            ("declared", ", ".join(declared) or "no models"),
            hint=hint,
        )


class ScriptError(ModelDepsError):
    """A script has no inline metadata that can be edited (PEP 723)."""

    exit_status = FOUND_WRONG

    def __init__(self, file: object, reason: str) -> None:
        super().__init__(f"{file} can't be edited", ("reason", reason))


class SolverError(ModelDepsError):
    """Nobody could tell which release of a model an installer would take."""

    def __init__(self, solver: str, reason: str) -> None:
        super().__init__(f"{solver} does not tell which releases fit", ("reason", reason))
