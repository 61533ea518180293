"""What people hear of the sources of a run: why one was left, once, and who is waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modeldeps.errors import UnreachableError, redact
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
                self._reporter.note(f"{_name(place.url)}: nothing came for {WAIT:.0f} s; still waiting")

    def end(self, error: BaseException | None) -> None:
        """Tell what was not told yet, unless the error that ends the run says it of that source."""
        failures = error.failures if isinstance(error, UnreachableError) else ()
        listed = {(_host(one.url), one.reason) for one in failures}
        for _, _, one in self._held:
            if (_host(one.url), one.reason) not in listed:
                self._tell(one)
        self._held = []

    def _tell(self, error: SourceError) -> None:
        self._reporter.note(f"{error.url}: {error.reason}")


def _name(url: str) -> str:
    """Return what people call the source of a URL: its host, or the folder of a file."""
    shown = redact(url)
    return shown.rpartition("/")[0] if shown.startswith("file:") else "/".join(shown.split("/")[:3])


def _host(url: str) -> str:
    """Return what files of one source have in common: folders tell their reasons apart."""
    return url[:5] if url.startswith("file:") else _name(url)
