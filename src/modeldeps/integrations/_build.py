"""What the three build plugins share: read the declaration, refuse what would lose models, prefetch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modeldeps.errors import ProjectError
from modeldeps.project import Pyproject, additions, parse, static_conflicts, static_hint

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

Additions = tuple[list[str], dict[str, list[str]]]


def added_by(folder: Path) -> Additions | None:
    """
    Return the dependencies and extras that a project's table adds to its metadata; None where it adds none.

    Raises ProjectError where the table is wrong, or where static lists would make installers lose a model.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        return None
    pyproject = Pyproject.read(file)
    declaration = parse(pyproject)
    if declaration is None:
        return None
    if problems := static_conflicts(pyproject, declaration):
        raise ProjectError(file, problems, hint=static_hint(declaration))
    from modeldeps.prefetch import prefetch  # noqa: PLC0415 - projects without models don't pay for it

    prefetch(pyproject, declaration)
    return additions(pyproject, declaration) if declaration.adds else None


def fill(metadata: MutableMapping[str, Any], added: Additions | None) -> None:
    """Put additions into a project table, after what another plugin may have put there."""
    if added is None:
        return
    dependencies, extras = added
    if dependencies:
        metadata["dependencies"] = [*metadata.get("dependencies", ()), *dependencies]
    if extras:
        known = dict(metadata.get("optional-dependencies", {}))
        for group, texts in extras.items():
            known[group] = [*known.get(group, ()), *texts]
        metadata["optional-dependencies"] = known
