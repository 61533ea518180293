"""A source that sends so little that it might as well be dead."""

from __future__ import annotations

import time

from modeldeps._frozen import field, record
from modeldeps.errors import BrokenTransferError

WINDOW = 60.0
"""Seconds over which the rate is taken."""
MIN_RATE = 1000
"""Bytes a second."""


@record
class Pace:
    """Watch the rate of one body."""

    url: str = field(repr=False)
    """The source."""
    since: float = field(default_factory=time.monotonic)
    """When the window began, on the monotonic clock."""
    count: int = 0
    """Bytes since then."""

    def check(self, count: int) -> None:
        """Count bytes. Raises BrokenTransferError when too few came for too long."""
        self.count += count
        passed = time.monotonic() - self.since
        if passed < WINDOW:
            return
        if self.count < MIN_RATE * passed:
            raise BrokenTransferError(self.url, f"fewer than {MIN_RATE} bytes a second came")
        self.since, self.count = time.monotonic(), 0


class SlowError(BrokenTransferError):
    """A source sends so little that another one should be asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "it is slow")
