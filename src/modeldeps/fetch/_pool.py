"""Connections that wait for the next request."""

from __future__ import annotations

import threading
import time
import weakref
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from modeldeps.fetch._route import Route

MAX_KEPT = 16
"""Connections of one route that wait."""
MAX_IDLE = 55.0
"""Seconds for which one waits; servers close after 60 or more."""


class Kept(Protocol):
    """A connection."""

    @property
    def is_stale(self) -> bool:
        """It is of no use any more."""

    def close(self) -> None:
        """Let go of it."""

    def release(self) -> None:
        """Let go of this process's part of it: after a fork the parent still speaks on it."""


T = TypeVar("T", bound=Kept)


class Pool(Generic[T]):
    """Connections that wait for the next request."""

    def __init__(self) -> None:
        self._idle: dict[Route, list[tuple[float, T]]] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _release, self._idle)

    def take(self, route: Route) -> T | None:
        """Return a connection that still stands, the youngest first."""
        while True:
            with self._lock:
                waiting = self._idle.get(route)
                if not waiting:
                    return None
                since, kept = waiting.pop()
            if time.monotonic() - since < MAX_IDLE and not kept.is_stale:
                return kept
            kept.close()

    def give(self, route: Route, kept: T) -> None:
        """Keep a connection, or close it where enough wait."""
        with self._lock:
            waiting = self._idle.setdefault(route, [])
            if len(waiting) < MAX_KEPT:
                waiting.append((time.monotonic(), kept))
                return
        kept.close()


def _release(idle: dict[Route, list[tuple[float, T]]]) -> None:
    for waiting in idle.values():
        for _, kept in waiting:
            kept.release()
