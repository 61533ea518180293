"""Whether the tools that lock this project hear of the models, and where they look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modeldeps.check._finding import Finding, Project
from modeldeps.project import locks_static_only
from modeldeps.requirement import is_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_static_locks(project: Project) -> Iterator[Finding]:
    """Find a lock that leaves dynamic dependencies out without a word."""
    tool = locks_static_only(project.pyproject)
    if tool and project.declaration.adds and "dependencies" in project.pyproject.dynamic:
        yield Finding(
            "project.dynamic",
            f"{tool} leaves dynamic dependencies out of its lock, and the models with them",
            f"make project.dependencies static, with {project.static_form()} in it",
        )


def check_uv_extras(project: Project) -> Iterator[Finding]:
    """Say how uv is told that the extras `cpu` and `cuda` exclude each other."""
    uses_uv = "uv" in project.pyproject.table("tool") or (project.pyproject.file.parent / "uv.lock").exists()
    if project.declaration.runtime != "extras" or not uses_uv:
        return
    groups = project.pyproject.table("tool", "uv").get("conflicts")
    if not any({"cpu", "cuda"} <= set(_extras(group)) for group in _list(groups)):
        yield Finding(
            "tool.uv.conflicts",
            "does not say that the extras cpu and cuda exclude each other; `uv sync --all-extras` takes both",
            'conflicts = [[{ extra = "cpu" }, { extra = "cuda" }]]',
            level="note",
        )


def check_uv_sources(project: Project) -> Iterator[Finding]:
    """Say that uv's `explicit` indexes pin only what this project itself names."""
    uv = project.pyproject.table("tool", "uv")
    explicit = {one.get("name") for one in _list(uv.get("index")) if _is_table(one) and one.get("explicit")}
    for name, source in project.pyproject.table("tool", "uv", "sources").items():
        if is_pointer(name) and _is_table(source) and source.get("index") in explicit:
            yield Finding(
                f"tool.uv.sources.{name}",
                "its index is explicit: a model that a dependency brings comes from elsewhere",
                "put the channel first in tool.uv.index, without `explicit`",
                level="note",
            )


def _extras(group: object) -> Iterator[str]:
    for one in _list(group):
        if _is_table(one) and isinstance(one.get("extra"), str):
            yield one["extra"]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_table(value: object) -> bool:
    return isinstance(value, dict)
