"""conda's hooks: a table of contents, the work is in `modeldeps.conda` and imported where a hook is called.

A fault here would break every conda command, so each hook exists only where this conda has its class, and
gives a class only the keywords it knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conda.plugins import hookimpl, types

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["conda_post_solves", "conda_pre_transaction_actions"]


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

    yield from _made("CondaPostSolve", name="modeldeps-sizes", action=announce)


@hookimpl
def conda_pre_transaction_actions() -> Iterator[Any]:
    """Fetch the models of the packages that are about to be linked."""
    if hasattr(types, "CondaPreTransactionAction"):
        from modeldeps.conda._action import FetchModels

        yield from _made("CondaPreTransactionAction", name="modeldeps-fetch", action=FetchModels)
