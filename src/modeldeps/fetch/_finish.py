"""Prove what is whole, bring it to disk and give it its name, beside the threads that fetch."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from modeldeps.errors import DigestError
from modeldeps.fetch._task import State

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.fetch._run import Run
    from modeldeps.fetch._task import Task

THREADS = 4
"""Files that are brought to disk at once: a file system writes several as fast as one."""
SMALL = 1 << 20
"""Bytes of a file that is brought to disk together with others."""
TOGETHER = 64
"""Small files that are brought to disk together, at most."""


class Finisher:
    """A few threads that end what others began."""

    def __init__(self, run: Run, lock: threading.RLock) -> None:
        self._run = run
        self._news = threading.Condition(lock)
        self._large: deque[Task] = deque()
        self._small: deque[Task] = deque()
        self._is_at_small = False
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self._folders: set[Path] = set()

    def add(self, task: Task) -> None:
        """Take over a file whose bytes are all there; called under the run's `turn`."""
        is_small = task.file.size <= SMALL
        (self._small if is_small else self._large).append(task)
        if is_small and self._is_at_small:
            return  # whoever is at others takes it, too
        if self._todo() <= self._idle:
            self._news.notify()
        elif len(self._threads) < THREADS and not self._hire() and not self._threads:
            self._work_once()

    def _todo(self) -> int:
        """Return how many threads could begin something."""
        return len(self._large) + (bool(self._small) and not self._is_at_small)

    def _hire(self) -> bool:
        """Start one more thread, if it can be had."""
        thread = threading.Thread(target=self._work, name="modeldeps-finish")
        try:
            thread.start()
        except RuntimeError:
            return False
        self._threads.append(thread)
        return True

    def _work_once(self) -> None:
        """End what waits in the thread that has brought the last of it."""
        while tasks := self._take():
            self._finish(tasks)

    def _work(self) -> None:
        """End one file after another."""
        while tasks := self._next():
            self._finish(tasks)

    def _next(self) -> list[Task]:
        """Wait for something to end; nothing when no more comes."""
        with self._run.turn:
            while not (tasks := self._take()) and not self._closed:
                self._idle += 1
                try:
                    self._news.wait()
                finally:
                    self._idle -= 1
            return tasks

    def _take(self) -> list[Task]:
        """Return a large file, or small ones, of which one thread at a time takes care."""
        if self._large:
            return [self._large.popleft()]
        if self._is_at_small:
            return []
        tasks = [self._small.popleft() for _ in range(min(TOGETHER, len(self._small)))]
        self._is_at_small = bool(tasks)
        return tasks

    def _finish(self, tasks: list[Task]) -> None:
        run = self._run
        try:
            right = [task for task in tasks if self._is_right(task)]
            berths = [task.berth for task in right if task.berth is not None]
            self._folders |= run.store.publish(berths)
            for one in berths:
                one.leave()
            run.done(right)
        except BaseException as error:  # noqa: BLE001 - it is raised by the thread that waits for the run
            with run.turn:
                run.stop(error)
        finally:
            if tasks[0].file.size <= SMALL:
                self._is_at_small = False

    def _is_right(self, task: Task) -> bool:
        """Prove a file; fetch again what is wrong. Raises StoreError, ContradictionError."""
        assert task.berth is not None  # noqa: S101 - a file whose bytes came is open
        try:
            with self._run.store.writing(task.file.size):
                right = task.berth.landing.prove()
        except DigestError as error:
            with self._run.turn:
                self._run.blame(task, error)
            right = False
        else:
            if not right:
                what = "what is wrong" if task.berth.landing.kept else "all of it"
                words = f"{task.file.path}: parts of several downloads don't fit; fetching {what} again"
                self._run.reporter.note(words)
        if not right:
            self._again(task)
        return right

    def _again(self, task: Task) -> None:
        with self._run.turn:
            task.state = State.READY
            self._run.check_place(task)
            self._run.wake()

    def close(self) -> None:
        """Wait for what is being brought to disk; bring the names to disk. Raises StoreError."""
        with self._run.turn:
            self._large.clear()
            self._small.clear()
            self._closed = True
            self._news.notify_all()
        for thread in self._threads:
            thread.join()
        self._run.store.flush(self._folders)
