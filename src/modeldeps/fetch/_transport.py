"""What every transport does: open a URL, or a range of it, and hand out its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from modeldeps._frozen import dataclass, field
from modeldeps.errors import SourceError, redact
from modeldeps.fetch._leash import LOOSE, Leash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

MAX_BLOCK = 1 << 20
"""Bytes of one block of a body, at most."""

Block: TypeAlias = "bytes | memoryview"
"""Some bytes of a body; valid until the next block is asked for."""


def _nothing() -> None:
    """Close what needs no closing."""


@dataclass(frozen=True)
class Request:
    """What a transport is asked for."""

    url: str
    """The thing, its credentials included."""
    start: int = 0
    """Offset of the first byte."""
    end: int | None = None
    """Offset after the last byte, more than `start`; None: to the end."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What else is said to an HTTP server, and to no server that it redirects to."""
    leash: Leash = field(default=LOOSE, repr=False, compare=False)
    """What ends it from outside."""

    def __repr__(self) -> str:
        """Show no secret: neither those of the URL nor those of headers."""
        return f"Request({redact(self.url)!r}, start={self.start}, end={self.end})"


@dataclass(frozen=True)
class Body:
    """An opened body; a context manager that closes it."""

    start: int
    """Offset of the first byte; 0 where the source did not understand a range, and then all comes."""
    size: int | None
    """Bytes of the whole thing, or None where the source did not say."""
    blocks: Iterator[Block]
    """The bytes in order, in blocks of at most MAX_BLOCK; raises SourceError when the source stops."""
    close: Callable[[], None] = _nothing
    """Let go of the connection or the file; what was not read yet is not read."""
    round_trip: float | None = None
    """Seconds that the source needed for an answer, or None where nobody knows."""
    end: int | None = None
    """Offset after the last byte that this body brings, or None where the source did not say."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Transport(Protocol):
    """One way of reaching URLs, named by their scheme."""

    def open(self, request: Request) -> Body:
        """
        Open what is asked for.

        Raises NotFoundError, RefusedError or BrokenTransferError.
        """

    def open_each(self, requests: Iterable[Request]) -> Iterator[Body | SourceError]:
        """
        Open several things in order, without a round trip for each where the source can.

        One answer for each request; what could not be opened is an error, and the next one may still
        come. Each body is read or closed before the next is asked for. Close the iterator to stop.
        """


def open_in_turn(transport: Transport, requests: Iterable[Request]) -> Iterator[Body | SourceError]:
    """Open several things one after the other."""
    for request in requests:
        yield _open(transport, request)


def _open(transport: Transport, request: Request) -> Body | SourceError:
    try:
        return transport.open(request)
    except SourceError as error:
        return error
