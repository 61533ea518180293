"""What people hear of the sources of a run: why one was left, once, and who is waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modeldeps.errors import UnreachableError, redact
from modeldeps.fetch._open import scheme
from modeldeps.fetch._task import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.errors import SourceError
    from modeldeps.fetch._task import Place, Task
    from modeldeps.progress import Reporter

WAIT = 3.0
"""Seconds without a byte from a source that was asked after which it is said who is waited for."""


class Told:
    """Tell of sources; used under the `turn` of a run."""

    def __init__(self, tasks: Sequence[Task], reporter: Reporter) -> None:
        self._reporter = reporter
        self._tasks = {id(place): task for task in tasks for place in task.places}
        self._hosts = {id(place.host): place for task in tasks for place in task.places}
        self._held: list[tuple[Task, int, SourceError]] = []
        self._named: set[int] = set()

    def left(self, place: Place, error: SourceError) -> None:
        """Hear why a place is asked no more; it is told when another one brings the file."""
        task = self._tasks[id(place)]
        self._held.append((task, task.travelled, error))

    def look(self) -> None:
        """Tell what is due."""
        held, self._held = self._held, []
        for task, before, error in held:
            if task.travelled > before or task.state is State.DONE:
                self._tell(error)
            else:
                self._held.append((task, before, error))
        now = time.monotonic()
        for key, place in self._hosts.items():
            if place.host.active and now - place.host.moved > WAIT and key not in self._named:
                self._named.add(key)
                self._reporter.note(f"{_name(place)}: nothing came for {WAIT:.0f} s; still waiting")

    def end(self, error: BaseException | None) -> None:
        """Tell what was not told yet, unless the error that ends the run lists it."""
        listed = {one.url for one in error.failures} if isinstance(error, UnreachableError) else ()
        for _, _, one in self._held:
            if one.url not in listed:
                self._tell(one)
        self._held = []

    def _tell(self, error: SourceError) -> None:
        self._reporter.note(f"{error.url}: {error.reason}")


def _name(place: Place) -> str:
    """Return what people call a source: its host, or the path of a file."""
    shown = redact(place.url)
    return shown if scheme(shown) == "file" else "/".join(shown.split("/")[:3])
