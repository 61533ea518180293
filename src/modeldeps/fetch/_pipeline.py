"""Many requests on one HTTP/1.1 connection, sent before the answers came (RFC 9112, section 9.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.fetch._head import WireError
from modeldeps.fetch._session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.fetch._each import Each
    from modeldeps.fetch._head import Head
    from modeldeps.fetch._route import Route
    from modeldeps.fetch._session import Step
    from modeldeps.fetch._transport import Block
    from modeldeps.fetch._wire import Wire

WINDOW = 32
"""Requests on the way, at most; they fit into the buffers of any system, so that sending never waits."""
MAX_DRAINED = 1 << 18
"""Bytes that are read for nothing, so that the answers behind them are not lost."""
_WHOLE, _PART = 200, 206


class Pipeline(Session):
    """One connection; the answers come in the order of the requests."""

    def __init__(self, wire: Wire, route: Route, *, used: bool = False) -> None:
        super().__init__(route, used=used)
        self._wire = wire
        self._whole = True

    @property
    def window(self) -> int:
        """Requests on the way, at most."""
        return WINDOW

    def send(self, steps: list[Step]) -> None:
        """Send requests in one piece. Raises OSError."""
        self._wire.send(b"".join(step.asked.encode() for step in steps))

    def head(self) -> Head:
        """Return the next head. Raises OSError, WireError."""
        head = self._wire.head()
        self.alone = not head.minor
        self._whole = not head.closes
        return head

    def blocks(self, head: Head) -> Iterator[Block]:
        """Yield the body that is next. Raises OSError, WireError."""
        return self._wire.blocks(head)

    def leave(self, head: Head) -> None:
        """Let go of a body: of the connection too, where more of it would have to be read."""
        if not self._wire.skip(head):
            self._wire.close()

    def goes_on(self, head: Head) -> bool:
        """Come to the next answer."""
        if head.closes:
            self.failed = bool(self.asked)
            return False
        return self._wire.skip(head) or (head.status not in (_WHOLE, _PART) and self._drain(head))

    def end(self, each: Each) -> None:
        """Keep the connection where nothing is on the way."""
        if self._whole and self._wire.clean and not (self.asked or self.failed):
            each.client.keep(self.route, self._wire)
        else:
            self._wire.close()

    def _drain(self, head: Head) -> bool:
        """Read a body that nobody wants, if it is short."""
        count = 0
        try:
            for block in self._wire.blocks(head):
                count += len(block)
                if count > MAX_DRAINED:
                    break
        except (OSError, WireError, ValueError):
            self.failed = True
        return self._wire.clean
