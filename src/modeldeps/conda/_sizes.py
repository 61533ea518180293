"""Say before 'Proceed?' how many bytes of models will come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def announce_sizes(records: Sequence[Any]) -> None:
    """Say what the models among the packages to be linked weigh."""
    del records
