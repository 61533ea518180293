"""What one run knows of a source: whether it may be asked now, by how many at once, and for what."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import TYPE_CHECKING

from modeldeps._frozen import record

if TYPE_CHECKING:
    from modeldeps.errors import SourceError
    from modeldeps.fetch._transport import Body
    from modeldeps.store import Claim

NEAR = 0.005
"""Seconds of a round trip; a source that answers faster is on this machine or next to it."""
FEW = 2
"""Connections to a near source, which one or two fill."""
SOME = 8
"""Connections to a source that answered, but with nothing that tells how far away it is."""
ENOUGH = 150_000_000
"""Bytes a second through one connection; more of them would not help."""
HASHED = 150_000_000
"""
Bytes a second and core, a tenth of what a core hashes. What comes faster is hashed once: chunks are
proved with the whole file then, and looked at one by one only where that comes out wrong.
"""
GAIN = 1.2
"""How much faster twice as many connections must be, or no more are made."""
WINDOW = 0.25
"""Seconds over which a rate is taken."""
LEAST = 1 << 20
"""Bytes that are worth a request of their own, whatever the rate."""
WORTH = 0.5
"""Seconds that a range must still take to be worth sharing."""
FIRST = 16 << 20
"""Bytes that tell how fast a source is before the first window is over."""
SLOW = 32_000
"""Bytes a second; a source that sends fewer is left for another one, if there is one."""
SLOW_WINDOW = 10.0
"""Seconds over which a source is found slow."""
SILENT = 10.0
"""Seconds without a byte after which another source is asked for what this one was asked for."""
LATE = 2.0
"""Seconds that a range may take longer than others before another connection takes it over."""
OVERTAKEN = 3
"""How often one range may change hands; a source must not be asked for ever."""


@record
class Host:
    """One source in one run, shared by all files that it serves."""

    most: int = 16
    """Connections at most."""
    limit: int = 1
    """Connections at present: one until the first answer tells how far away it is."""
    active: int = 0
    """Connections that are in use."""
    rests_until: float = 0.0
    """When it may be asked again, on the monotonic clock."""
    served: int = 0
    """Bytes that came from it."""
    ranged: bool | None = None
    """It understands ranges; None where nobody asked yet."""
    dead: SourceError | None = None
    """Why it is asked no more: nothing ever came from it."""
    slow: bool = False
    """It is asked last."""
    rate: float = 0.0
    """Bytes a second in the last window; 0 before there was one."""
    pace: float = 0.0
    """Bytes a second that the best request brought; 0 before one ended."""
    moved: float = 0.0
    """When it was asked while it was idle, or bytes came last, on the monotonic clock."""
    _heard: bool = False
    _best: float = 0.0
    _mark: tuple[float, int] = (0.0, 0)
    _slow_mark: tuple[float, int] = (0.0, 0)
    _asked: float = 0.0

    def hear(self, body: Body) -> None:
        """Learn from the head of an answer how many connections are worth it."""
        if self._heard:
            return
        self._heard = True
        self.moved = time.monotonic()
        near = body.round_trip is None or body.round_trip < NEAR
        self.limit = min(self.most, FEW if near else self.most)

    def hear_nothing(self) -> None:
        """Learn from a refusal that there is somebody who answers."""
        self.limit = max(self.limit, min(self.most, SOME))

    def ask(self) -> None:
        """Count a connection."""
        if not self.active:
            self.moved = time.monotonic()
        self.active += 1

    @property
    def is_doubtful(self) -> bool:
        """It is slow, or nothing came for long of what it was asked for."""
        return self.slow or (self.active > 0 and time.monotonic() - self.moved > SILENT)

    def is_free(self, now: float) -> bool:
        """Tell whether it may be asked by one more connection now."""
        return self.active < self.limit and self.rests_until <= now

    def ended(self, came: int, seconds: float) -> None:
        """Learn how fast one connection can be."""
        self.pace = max(self.pace, came / max(seconds, 1e-3))

    def is_late(self, claim: Claim) -> bool:
        """Tell whether this source would bring a range much sooner than who is at it."""
        now, line = time.monotonic(), claim.line
        if claim.overtaken >= OVERTAKEN:
            return False
        if claim.began is None:
            return line is not None and (line.is_late or now - line.moved > SILENT)
        if now - claim.began < LATE:
            return False
        if now - claim.moved > SILENT:
            return True
        left = claim.end - claim.position
        return self.pace > 0 and left > claim.pace(now) * (LATE + 4 * left / self.pace)

    @property
    def outruns_hashing(self) -> bool:
        """Tell whether bytes come faster than this machine likes to hash twice."""
        return (self.rate or self._first_rate()) > HASHED * cores()

    def _first_rate(self) -> float:
        """Return the bytes a second since the first came; 0 where too few came to tell."""
        since, before = self._mark
        came = self.served - before
        return came / max(time.monotonic() - since, 1e-3) if since and came >= FIRST else 0.0

    def worth(self) -> int | None:
        """Return the bytes that are worth sharing what another request brings, or None for unknown."""
        return max(LEAST, int(self.rate * WORTH / self.limit)) if self.rate else None

    def count(self, count: int) -> None:
        """Count bytes that came, and see whether more connections would bring more."""
        self.served += count
        self.moved = now = time.monotonic()
        since, before = self._mark
        if since and now - since < WINDOW:
            return
        self._mark = (now, self.served)
        if not since or now - since > 4 * WINDOW:
            return  # it was not at work all the time
        self.rate = (self.served - before) / (now - since)
        if self._heard and GAIN * self._best < self.rate < ENOUGH * self.limit:
            self._best, self.limit = self.rate, min(self.most, 2 * self.limit)

    def is_slow(self) -> bool:
        """Tell whether too little came for too long; asked whenever bytes come."""
        now = time.monotonic()
        since, before = self._slow_mark
        idle, self._asked = now - self._asked, now
        if not since or idle > SLOW_WINDOW:
            self._slow_mark = (now, self.served)
        elif now - since >= SLOW_WINDOW:
            self._slow_mark = (now, self.served)
            return self.served - before < SLOW * (now - since)
        return False

    def rest(self, pause: float) -> None:
        """Leave it alone for some seconds, and ask it by fewer connections then."""
        self.rests_until = max(self.rests_until, time.monotonic() + pause)
        self.limit = max(1, self.limit // 2)


@lru_cache(maxsize=1)
def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
