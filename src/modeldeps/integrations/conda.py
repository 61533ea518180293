"""conda's hooks: a table of contents, the work is in `modeldeps.conda` and imported where a hook is called.

A fault here would break every conda command, so each hook exists only where this conda has its class, and
gives a class only the keywords it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conda.plugins import hookimpl, types

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "conda_environment_exporters",
    "conda_environment_specifiers",
    "conda_health_checks",
    "conda_post_solves",
    "conda_pre_transaction_actions",
    "conda_subcommands",
    "conda_virtual_packages",
]


def _made(kind: str, **keywords: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever conda has
    """Yield conda's class of that name with the keywords it knows; nothing where this conda lacks it."""
    cls = getattr(types, kind, None)
    if cls is None:
        return
    known = {name for base in cls.__mro__ for name in getattr(base, "__annotations__", ())}
    yield cls(**{name: value for name, value in keywords.items() if name in known})


@hookimpl
def conda_post_solves() -> Iterator[Any]:
    """Say before 'Proceed?' how many bytes of models will come."""

    def announce(repodata_fn: str, unlink: tuple[Any, ...], link: tuple[Any, ...]) -> None:  # noqa: ARG001
        from modeldeps.conda._sizes import announce_sizes

        announce_sizes(link)

    if hasattr(types, "CondaPreTransactionAction"):  # else nothing comes
        yield from _made("CondaPostSolve", name="modeldeps-sizes", action=announce)


@hookimpl
def conda_pre_transaction_actions() -> Iterator[Any]:
    """Fetch the models of the packages that are about to be linked."""
    if hasattr(types, "CondaPreTransactionAction"):
        from modeldeps.conda._action import FetchModels

        yield from _made("CondaPreTransactionAction", name="modeldeps-fetch", action=FetchModels)


@hookimpl
def conda_subcommands() -> Iterator[Any]:
    """Offer `conda models`; it reads its words itself, so that other commands don't import its parser."""

    def models(words: tuple[str, ...]) -> int:
        from modeldeps.conda._commands import run

        return run(words)

    summary = "List, show and fetch the models of an environment."
    yield from _made("CondaSubcommand", name="models", summary=summary, action=models)


@hookimpl
def conda_health_checks() -> Iterator[Any]:
    """Let `conda doctor` look at models, and put them right where this conda has fixes."""
    from modeldeps.conda import _doctor as doctor

    yield from _made(
        "CondaHealthCheck",
        name=doctor.NAME,
        action=doctor.check,
        fixer=doctor.fix,
        summary=doctor.SUMMARY,
        fix=doctor.FIX,
    )


@hookimpl
def conda_virtual_packages() -> Iterator[Any]:
    """Tell the solver of this plugin: a release may require `__modeldeps >=0.1`."""
    from modeldeps import __version__

    yield from _made(
        "CondaVirtualPackage", name="modeldeps", version=__version__, build=None, override_entity="version"
    )


@hookimpl
def conda_environment_specifiers() -> Iterator[Any]:
    """Let a pyproject.toml with `[tool.modeldeps]` be an environment file; it is known by what it holds."""
    if hasattr(types, "CondaEnvironmentSpecifier"):
        from modeldeps.conda._specifier import ProjectSpec

        yield from _made(
            "CondaEnvironmentSpecifier",
            name="modeldeps",
            environment_spec=ProjectSpec,
            description="a project's pyproject.toml with models in [tool.modeldeps]",
        )


@hookimpl
def conda_environment_exporters() -> Iterator[Any]:
    """Let `conda export --format modeldeps` write the models of an environment."""

    def export(env: Any) -> str:  # noqa: ANN401 - conda's Environment
        from modeldeps.conda._exporter import export as written

        return written(env)

    yield from _made(
        "CondaEnvironmentExporter",
        name="modeldeps",
        aliases=(),
        default_filenames=("modeldeps.toml",),
        export=export,
        description="the models alone, as [tool.modeldeps] of a pyproject.toml has them",
    )
