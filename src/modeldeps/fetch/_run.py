"""
One run: bring many files here at once.

The calling thread opens part files and looks after other processes that are at the same files.
Threads of a few connections take orders (a range of a large file, or small files one after
another), and a few more prove what is whole and bring it to disk.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING

from modeldeps.errors import BrokenTransferError, DigestError, SourceError
from modeldeps.fetch._finish import Finisher
from modeldeps.fetch._leash import Leash
from modeldeps.fetch._open import transport
from modeldeps.fetch._orders import Order, can_be_small, choose, connections, has_room
from modeldeps.fetch._pace import SlowError
from modeldeps.fetch._retry import OtherSizeError, pause_words
from modeldeps.fetch._task import Place, State, Task
from modeldeps.fetch._told import Told
from modeldeps.fetch._worker import work, work_once
from modeldeps.store import Berth, Busy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.fetch._open import Opener
    from modeldeps.progress import Reporter
    from modeldeps.store import Store, Watch

IDLE = 1.0
"""Seconds until the calling thread looks again unasked."""
LOOK = 0.05
"""Seconds between two looks at files that other processes fetch."""
SOON = 0.1
"""Seconds that threads have to end before their connections are."""
GRACE = 2.0
"""Seconds that they have after it: the disk may be slow."""
MOST = 32
"""Threads for connections, at most, however many sources there are."""
SMALL = 1 << 20
"""Bytes of a file up to which what an earlier run left is looked at without a thread."""
SEVERAL = 32
"""Files that are opened one after the other: to wake a thread for each costs more than to open it."""
SPARE = 2
"""Threads beside those of the connections, to look at what earlier runs left."""


class Run:
    """Bring files into a store. Everything that threads share is touched under `turn`."""

    def __init__(
        self,
        store: Store,
        tasks: Sequence[Task],
        reporter: Reporter,
        *,
        window: int,
        opener: Opener = transport,
    ) -> None:
        self.store = store
        """Where the files go."""
        self.reporter = reporter
        """Who hears of it."""
        self.opener = opener
        """Who gives the transport of a URL."""
        lock = threading.RLock()
        self.turn = threading.Condition(lock)
        """Held by whoever looks at or changes what is below; threads without an order wait for it."""
        self.active: list[Task] = []
        """Files that are open, in order."""
        self.error: BaseException | None = None
        """What ends the run."""
        self.stopped = False
        """Threads are to end."""
        self.wrong: list[DigestError] = []
        """Which sources served other bytes than the manifest names."""
        self._told = Told(tasks, reporter)
        self._waiting = deque(tasks)
        self._busy: dict[str, tuple[Task, Watch]] = {}
        self._window = window
        self._news = threading.Condition(lock)
        self._is_prepared = False
        self._changes = 0
        self._looked = 0.0
        self._threads: list[threading.Thread] = []
        self._finisher = Finisher(self, lock)
        self.leash = Leash()
        """Holds the connections of its threads."""

    def go(self) -> None:
        """Work until all files are there. Raises what ended the run."""
        try:
            while not self._is_over():
                seen = self._changes
                self.reporter.beat()
                self._admit()
                self._look()
                self._check_places()
                self._staff()
                with self.turn:
                    self._told.look()
                    if seen == self._changes or self._busy:
                        self._news.wait(LOOK if self._busy else IDLE)
        finally:
            self._end()
            self._told.end(self.error)
        if self.error is not None:
            raise self.error

    def wake(self) -> None:
        """Let everybody look again; called under `turn`."""
        self.turn.notify_all()
        self._tell()

    def _tell(self) -> None:
        self._changes += 1
        self._news.notify()

    def _is_over(self) -> bool:
        with self.turn:
            return self.error is not None or not (self._waiting or self._busy or self.active)

    def _admit(self) -> None:
        """Open as many files as may be open at once."""
        most = self._window
        while self._waiting and max(len(self.active), len(self._busy)) < most and self.error is None:
            self._open(self._waiting.popleft(), None)

    def _look(self) -> None:
        """See how other processes get on, now and then; what they leave is ours."""
        now = time.monotonic()
        if now < self._looked + LOOK:
            return
        self._looked = now
        for task, watch in list(self._busy.values()):
            self._open(task, watch)

    def _open(self, task: Task, watch: Watch | None) -> None:
        """Take the right to land a file, or watch who has it."""
        file = task.file
        alone = watch is not None and not watch.patient()
        found = self.store.berth(file, advance=self.reporter.advance, alone=alone, prepared=self._is_prepared)
        self._is_prepared = True
        if isinstance(found, Busy):
            watch = watch or self.store.watch(file, self.reporter)
            self._busy[file.sha256] = task, watch
            watch.tell(found)
            return
        if watch is not None:
            watch.end()
            del self._busy[file.sha256]
        if found is None:
            task.state = State.DONE
            self.reporter.advance(file.size)
            return
        self._begin(task, found)

    def _begin(self, task: Task, berth: Berth) -> None:
        task.berth, task.state = berth, State.LOOKING
        with self.turn:
            self.active.append(task)
        if task.file.size <= SMALL:
            self.prepare(task)
        else:
            with self.turn:
                task.state = State.NEW
                self.turn.notify()

    def prepare(self, task: Task) -> None:
        """Look at what an earlier run left, and at what blobs of this machine have. Raises StoreError."""
        assert task.berth is not None  # noqa: S101 - whoever prepares a task has opened it
        landing = task.berth.landing
        with self.store.writing(task.file.size):
            landing.resume()
            donation = self.store.donation(landing)
            if donation:  # others bring meanwhile what nobody here has
                self._ready(task)
                donation.give(is_over=lambda: self.stopped)
        self._ready(task)
        with self.turn:
            if task.state is State.READY and task.place() is None:
                self.stop(task.error())

    def _ready(self, task: Task) -> None:
        with self.turn:
            if task.state is State.LOOKING:
                task.state, task.is_small = State.READY, can_be_small(task)
            self.check_full(task)
            if not task.is_small:
                self.turn.notify_all()
            elif has_room(task):  # else whoever brings others looks for more
                self.turn.notify()

    def _staff(self) -> None:
        """Start threads while there is more to do than threads to do it."""
        with self.turn:
            wanted = min(len(self.active), SPARE) + min(MOST, connections(self.active))
            todo = [task for task in self.active if task.state in (State.NEW, State.READY)]
            count = wanted - len(self._threads) if todo and self.error is None else 0
        for _ in range(count):
            thread = threading.Thread(target=work, args=[self], name="modeldeps-fetch", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads are to be had; those that there are do the work
                if not self._threads:
                    work_once(self)
                return
            self._threads.append(thread)

    def next_order(self) -> Order | None:
        """Wait for something to do; None when there is nothing more."""
        with self.turn:
            while not self.stopped:
                order, pause = choose(self.active, time.monotonic())
                if order is not None:
                    return order
                self.turn.wait(pause)
            return None

    def order_now(self) -> Order | None:
        """Return something to do, if there is something at this moment."""
        with self.turn:
            return choose(self.active, time.monotonic())[0]

    def check_full(self, task: Task) -> None:
        """Hand over a file whose bytes are all there; called under `turn`."""
        berth = task.berth
        if task.state is State.READY and berth is not None and berth.landing.is_full and not self.stopped:
            task.state = State.FULL
            self._finisher.add(task)

    def done(self, tasks: Sequence[Task]) -> None:
        """Count files as landed."""
        with self.turn:
            for task in tasks:
                task.state, task.berth = State.DONE, None  # of many files, what each needed must not add up
                task.is_ours = True
            self.active[:] = [one for one in self.active if one.state is not State.DONE]
            free = self._window - len(self.active)
            if not self.active or (self._waiting and free >= min(SEVERAL, self._window // 4)):
                self._tell()

    def failed(self, task: Task, place: Place, error: Exception, *, began: int, gained: int) -> None:
        """Draw the consequences of a request that failed after `gained` new bytes; called under `turn`."""
        if isinstance(error, (DigestError, OtherSizeError)) and self._may_be_mixed_up(task):
            return
        if isinstance(error, DigestError):
            self._ban(task, place, error)
        elif isinstance(error, SlowError):
            if not place.host.slow:
                place.host.slow = True
                self.reporter.note(f"{error.url}: {error.reason}; another source is asked")
        elif isinstance(error, SourceError):
            busy = isinstance(error, BrokenTransferError) and error.busy and not task.has_other(place)
            alive = place.is_moving() or (busy and place.host.served > place.served)
            place.served = place.host.served
            self._leave_or_wait(place, error, began=began, gained=gained, alive=alive)
        else:
            self.stop(error)
        self.check_place(task)
        self.wake()

    def _may_be_mixed_up(self, task: Task) -> bool:
        """Tell, once for each file, whether another one's answer may have come for it."""
        if task.alone or not task.together:
            return False
        task.alone = True
        return True

    def check_place(self, task: Task) -> None:
        """End the run where a file lacks bytes that nobody can be asked for; called under `turn`."""
        if task.state not in (State.FULL, State.DONE) and task.place() is None:
            self.stop(task.error())

    def _check_places(self) -> None:
        """End the run where nobody brings a file, nor can: its sources may have failed for another file."""
        with self.turn:
            for task in self.active:
                if task.state is State.READY and task.berth is not None and task.berth.landing.is_left:
                    self.check_place(task)

    def _ban(self, task: Task, place: Place | None, error: DigestError) -> None:
        """Never silently: a source that serves other bytes is named, and not asked again."""
        task.wrong = task.wrong or error
        if place is not None and not place.source.banned:
            place.source.banned = True
            self.wrong.append(error.of(task.model))
            self.reporter.note(
                f"warning: {error.source} served other bytes of {task.name()} than its manifest names;"
                " the source is not used again"
            )

    def _leave_or_wait(
        self, place: Place, error: SourceError, *, began: int, gained: int, alive: bool
    ) -> None:
        if place.failed is not None or began < place.round:
            return  # another thread counted this failure already
        place.patience.progressed(gained, alive=alive)
        pause = place.patience.pause(error)
        place.round += 1
        if pause is not None:
            if words := pause_words(error, pause):
                self.reporter.note(words)
            place.host.rest(pause)
            return
        place.failed = error
        place.host.hear_nothing()
        if isinstance(error, BrokenTransferError) and not place.host.served:
            place.host.dead = error
        self._told.left(place, error)

    def blame(self, task: Task, error: DigestError) -> None:
        """Go on with another source after the whole of a file came out wrong; called under `turn`."""
        if self._may_be_mixed_up(task):
            task.is_small = False
            return
        self._ban(task, next((one for one in task.places if one.served_what(error)), task.place()), error)

    def stop(self, error: BaseException) -> None:
        """End the run; called under `turn`."""
        if self.error is None:
            self.error = error
        self.wake()

    def _end(self) -> None:
        """End the threads; what came is kept."""
        with self.turn:
            self.stopped = True
            self.wake()
        with ExitStack() as stack:  # all of it, also where some of it fails, or somebody interrupts it again
            for task in self.active:
                if task.berth is not None:
                    stack.callback(task.berth.leave)
            stack.callback(self._finisher.close)
            for _, watch in self._busy.values():
                stack.callback(watch.end)
            self._join(SOON)
            self.leash.cut()  # who still waits for a connection gets up now
            self._join(GRACE)

    def _join(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
