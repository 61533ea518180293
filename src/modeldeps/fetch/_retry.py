"""How often and after what pause a source is asked again."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from modeldeps._frozen import record
from modeldeps.errors import BrokenTransferError, RefusedError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

ATTEMPTS = 4
"""Requests in a row without progress, to one source, for one thing."""
MAX_ATTEMPTS = 100
"""Requests in all, to one source, for one thing; a source that gives crumbs is left in the end."""
PROGRESS = 1 << 20
"""New bytes that count as progress."""
MAX_PAUSE = 30.0
"""Seconds; a source that asks for a longer pause is left at once."""
LONG_PAUSE = 2.0
"""Seconds; a shorter pause is not worth a word."""
FIRST_PAUSE = 0.25
"""Seconds before the second request; doubled each time."""
JITTER = 0.25
"""Share of a pause that is added by chance, so that many clients don't come back at one moment."""


class OtherSizeError(RefusedError):
    """A source has something of another size."""

    def __init__(self, url: str, found: int, expected: int) -> None:
        super().__init__(url, f"it has {found} bytes, the manifest says {expected}")


@record
class Patience:
    """Count the requests to one source."""

    failures: int = 0
    """Failures since the last progress."""
    total: int = 0
    """Failures in all."""

    def progressed(self, count: int, *, alive: bool = False) -> None:
        """Start counting afresh after enough new bytes, or while others come by another connection."""
        if count >= PROGRESS or alive:
            self.failures = 0

    def pause(self, error: SourceError) -> float | None:
        """Count a failure; return the seconds until the next request, None where there should be none."""
        if not isinstance(error, BrokenTransferError):
            return None
        self.failures += 1
        self.total += 1
        pause: float = max(error.retry_after or 0.0, FIRST_PAUSE * 2 ** (self.failures - 1))
        if self.failures >= ATTEMPTS or self.total >= MAX_ATTEMPTS or pause > MAX_PAUSE:
            return None
        return pause * (1 + JITTER * random.random())  # noqa: S311 - no secret

    def wait(self, error: SourceError, *, tell: Callable[[str], None] | None = None) -> bool:
        """
        Pause before the next request; False, at once, when there should be none.

        A pause that a person would notice is told.
        """
        pause = self.pause(error)
        if pause is None:
            return False
        if tell and (words := pause_words(error, pause)):
            tell(words)
        time.sleep(pause)
        return True


def pause_words(error: SourceError, pause: float) -> str:
    """Return what a person is told of a pause; nothing of a short one."""
    return f"{error.url}: {error.reason}; asking again in {pause:.0f} s" if pause >= LONG_PAUSE else ""
