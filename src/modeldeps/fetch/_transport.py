"""What every transport does: open a URL at an offset and hand out its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from typing_extensions import Self

MAX_BLOCK = 1 << 20
"""Bytes of one block of a body, at most."""


def _nothing() -> None:
    """Close what needs no closing."""


@dataclass(frozen=True)
class Body:
    """An opened body; a context manager that closes it."""

    start: int
    """Offset of the first byte; 0 where the source did not understand a range."""
    size: int | None
    """Bytes of the whole thing, or None where the source did not say."""
    blocks: Iterator[bytes]
    """The bytes in order, in blocks of at most MAX_BLOCK; raises SourceError when the source stops."""
    close: Callable[[], None] = _nothing
    """Let go of the connection or the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Transport(Protocol):
    """One way of reaching URLs, named by their scheme."""

    def open(self, url: str, *, start: int = 0, headers: dict[str, str] | None = None) -> Body:
        """
        Open a URL from the byte `start` on.

        Raises NotFoundError, RefusedError or BrokenTransferError.
        """
