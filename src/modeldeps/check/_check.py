"""Run every check on a project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.check._build import check_backend, check_nothing, check_table_name, check_tables, check_twice
from modeldeps.check._channels import check_channels
from modeldeps.check._finding import Finding, Project
from modeldeps.check._installed import check_installed
from modeldeps.check._locks import check_static_locks, check_uv_extras, check_uv_sources
from modeldeps.check._runtimes import check_floorless, check_runtimes
from modeldeps.errors import ProjectError
from modeldeps.project import Pyproject, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from modeldeps.requirement import ModelRequirement

CHECKS: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    check_nothing,
    check_tables,
    check_table_name,
    check_backend,
    check_twice,
    check_static_locks,
    check_runtimes,
    check_floorless,
    check_uv_extras,
    check_uv_sources,
    check_channels,
    check_installed,
)
"""In the order in which their findings are told."""


@dataclass(frozen=True)
class Checked:
    """What was found in one project."""

    file: Path
    """Its pyproject.toml."""
    models: tuple[tuple[str, ModelRequirement], ...]
    """Every model that it asks for, with the key of its list."""
    findings: tuple[Finding, ...]
    """What is wrong, and what is good to know."""

    @property
    def errors(self) -> int:
        """How many findings are more than notes."""
        return sum(finding.level == "error" for finding in self.findings)


def check(file: Path, *, channels: Sequence[str] = (), offline: bool = False) -> Checked:
    """
    Check a project; `channels` are those that the user set, asked before the project's own.

    A broken table is a finding for each of its problems. Raises ProjectError where the file is no TOML.
    """
    pyproject = Pyproject.read(file)
    try:
        declaration = parse(pyproject)
    except ProjectError as error:
        broken = tuple(Finding(problem.key, problem.message) for problem in error.problems)
        return Checked(file, (), (*broken, *check_table_name(Project(pyproject))))
    project = Project(pyproject, offline=offline, channels=tuple(channels))
    if declaration:
        asked = tuple(dict.fromkeys((*channels, *declaration.channels)))
        project = Project(pyproject, declaration, asked, offline)
    findings = tuple(dict.fromkeys(finding for one in CHECKS for finding in one(project)))
    return Checked(file, tuple(project.models()), findings)
