"""Find wanted bytes on this machine, on all cores, and make blobs of them."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.manifest import File
from modeldeps.store import _adopt, _archive, _crew
from modeldeps.store._search import Source, search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from modeldeps.progress import Reporter
    from modeldeps.store._adopt import How
    from modeldeps.store._layout import Layout
    from modeldeps.store._trust import Stamps


@dataclass(frozen=True)
class Adopted:
    """One file of this machine that is a blob now, or could be one."""

    file: File
    """What it is."""
    source: Source
    """Where it was found."""
    how: How | None
    """How its bytes came; None where nothing was made."""


@dataclass(frozen=True)
class Adoption:
    """What was found on this machine."""

    adopted: tuple[Adopted, ...]
    """Files that were taken, or that could be, by path."""
    missing: tuple[File, ...]
    """Wanted files that were found nowhere."""
    lying: tuple[Source, ...]
    """Files that bear a wanted digest as their name and have other bytes."""


@dataclass(frozen=True)
class Gatherer:
    """What one search needs to know."""

    layout: Layout
    """The store that is written."""
    stamps: Stamps
    """This user's stamps."""
    has: Callable[[File], bool]
    """Tell whether the store has a blob."""
    reporter: Reporter
    """Hears how many bytes were hashed."""
    share: bool = True
    """Make hard links where reflinks can't be had."""
    dry_run: bool = False
    """Only look."""

    def gather(self, places: Iterable[Path], wanted: Iterable[File] | None) -> Adoption:
        """
        Take the wanted files, or all, that lie below these places. Raises OSError where the store fails.

        Bytes of one size are looked at one after another, so that of two equal files one is taken.
        """
        lacking = None if wanted is None else self._lacking(wanted)
        jobs = self._jobs(places, lacking)
        stop = threading.Event()

        def run(job: _Job) -> None:
            with ExitStack() as stack:
                stack.callback(stop.set)  # after an error: the others may be at long files
                job.run(stop)
                stack.pop_all()

        try:
            _crew.each(jobs, run, threads=_cores(), name="modeldeps-adopt")
        finally:
            stop.set()
        adopted = [one for job in jobs for one in job.adopted]
        missing = [file for group in (lacking or {}).values() for file in group.values()]
        return Adoption(
            tuple(sorted(adopted, key=lambda one: (one.file.path, str(one.source)))),
            tuple(sorted(missing, key=lambda file: file.path)),
            tuple(one for job in jobs for one in job.lying),
        )

    def _lacking(self, wanted: Iterable[File]) -> dict[int, dict[str, File]]:
        """Return the wanted files that the store has not, by size and digest."""
        found: dict[int, dict[str, File]] = {}
        for file in wanted:
            if not self.has(file):
                found.setdefault(file.size, {})[file.sha256] = file
        return found

    def _jobs(self, places: Iterable[Path], lacking: dict[int, dict[str, File]] | None) -> list[_Job]:
        """Return what is to be looked at, the largest files first."""
        sources: dict[int, list[Source]] = {}
        if lacking is None or lacking:
            for source in search(places, lacking, besides=[self.layout.root]):
                sources.setdefault(source.size, []).append(source)
        sizes = sorted(sources, reverse=True)
        return [_Job(self, sources[size], None if lacking is None else lacking[size]) for size in sizes]


class _Job:
    """The files of one size."""

    def __init__(
        self, gatherer: Gatherer, sources: Sequence[Source], lacking: dict[str, File] | None
    ) -> None:
        self.adopted: list[Adopted] = []
        self.lying: list[Source] = []
        self._gatherer = gatherer
        self._sources = sources
        self._lacking = lacking
        self._seen: set[str] = set()
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Look at each file until nothing is lacking. Raises OSError where the store fails."""
        self._stop = stop
        for source in sorted(self._sources, key=self._cost):
            if stop.is_set() or (self._lacking is not None and not self._lacking):
                return
            found = self._one(source)
            if found is not None:
                self.adopted.append(found)
                if self._lacking is not None:
                    del self._lacking[found.file.sha256]
            elif self._lacking and source.path.name.removeprefix("sha256-") in self._lacking:
                self.lying.append(source)

    def _tell(self, count: int) -> None:
        """Hear of hashed bytes; once all is over, the file counts as one that can't be read."""
        if self._stop.is_set():
            raise InterruptedError
        self._gatherer.reporter.advance(count)

    def _cost(self, source: Source) -> tuple[bool, bool, str]:
        """Put what can be shared first, and what bears a wanted name."""
        named = self._lacking is not None and source.path.name.removeprefix("sha256-") in self._lacking
        return bool(source.member), not named, str(source)

    def _one(self, source: Source) -> Adopted | None:
        """Take one file if it is wanted."""
        gatherer = self._gatherer

        def pick(digest: str) -> File | None:
            return self._pick(source, digest)

        if source.member:
            return self._member(source, pick)
        if gatherer.dry_run:
            file = _adopt.identify(source.path, pick, self._tell)
            return Adopted(file, source, None) if file else None
        taken = _adopt.take(
            gatherer.layout, source.path, pick, stamps=gatherer.stamps, share=gatherer.share, tell=self._tell
        )
        return Adopted(taken.file, source, taken.how) if taken else None

    def _pick(self, source: Source, digest: str) -> File | None:
        """Return the wanted file of a digest, or, where all are wanted, a new one of that name."""
        if self._lacking is not None:
            return self._lacking.get(digest)
        file = File(source.path.name, source.size, digest)
        if digest in self._seen or self._gatherer.has(file):
            return None
        self._seen.add(digest)
        return file

    def _member(self, source: Source, pick: Callable[[str], File | None]) -> Adopted | None:
        """Take a member of an archive; it is read once to know it, and once more to have it."""
        gatherer = self._gatherer
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(_archive.opened(source.path, source.member))
                again = stack.enter_context(_archive.opened(source.path, source.member))
            except OSError:
                return None
            file = _adopt.identify_stream(stream, pick, self._tell)
            if file is None or gatherer.dry_run:
                return Adopted(file, source, None) if file else None
            taken = _adopt.take_copy(gatherer.layout, again, file, stamps=gatherer.stamps)
            return Adopted(file, source, taken.how) if taken else None


def _cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
