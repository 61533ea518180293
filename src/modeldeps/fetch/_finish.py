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


class Finisher:
    """A few threads that end what others began."""

    def __init__(self, run: Run, lock: threading.RLock) -> None:
        self._run = run
        self._news = threading.Condition(lock)
        self._waiting: deque[Task] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self._folders: set[Path] = set()

    def add(self, task: Task) -> None:
        """Take over a file whose bytes are all there; called under the run's `turn`."""
        self._waiting.append(task)
        if len(self._waiting) <= self._idle:
            self._news.notify()
        elif len(self._threads) < THREADS and not self._hire() and not self._threads:
            self._work_once()

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
        while self._waiting:
            self._finish(self._waiting.popleft())

    def _work(self) -> None:
        """End one file after another."""
        while (task := self._next()) is not None:
            self._finish(task)

    def _next(self) -> Task | None:
        """Wait for a file; None when no more come."""
        with self._run.turn:
            while not self._waiting and not self._closed:
                self._idle += 1
                try:
                    self._news.wait()
                finally:
                    self._idle -= 1
            return self._waiting.popleft() if self._waiting else None

    def _finish(self, task: Task) -> None:
        run = self._run
        assert task.berth is not None  # noqa: S101 - a file whose bytes came is open
        try:
            with run.store.writing(task.file.size):
                right = task.berth.landing.prove()
            if right:
                self._folders |= run.store.publish([task.berth])
                task.berth.leave()
                run.done([task])
            else:
                what = "what is wrong" if task.berth.landing.kept else "all of it"
                run.reporter.note(
                    f"{task.file.path}: parts of several downloads don't fit; fetching {what} again"
                )
                self._again(task)
        except DigestError as error:
            with run.turn:
                run.blame(task, error)
            self._again(task)
        except BaseException as error:  # noqa: BLE001 - it is raised by the thread that waits for the run
            with run.turn:
                run.stop(error)

    def _again(self, task: Task) -> None:
        with self._run.turn:
            task.state = State.READY
            self._run.check_place(task)
            self._run.wake()

    def close(self) -> None:
        """Wait for what is being brought to disk; bring the names to disk. Raises StoreError."""
        with self._run.turn:
            self._waiting.clear()
            self._closed = True
            self._news.notify_all()
        for thread in self._threads:
            thread.join()
        self._run.store.flush(self._folders)
