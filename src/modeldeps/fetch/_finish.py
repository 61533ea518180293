"""Prove what is whole, bring it to disk and give it its name, beside the threads that fetch."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
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

    def __init__(self, run: Run) -> None:
        self._run = run
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Task] = deque()
        self._running = 0
        self._folders: set[Path] = set()

    def add(self, task: Task) -> None:
        """Take over a file whose bytes are all there; called under the run's `turn`."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="modeldeps-finish")
        self._waiting.append(task)
        if self._running < THREADS:
            self._running += 1
            try:
                self._pool.submit(self._work)
            except RuntimeError:  # no more threads are to be had
                self._running -= 1
                if not self._running:
                    self._work_once()

    def _work_once(self) -> None:
        """End what waits in the thread that has brought the last of it."""
        while self._waiting:
            self._finish(self._waiting.popleft())

    def _work(self) -> None:
        """End one file after another."""
        while True:
            with self._run.turn:
                if not self._waiting:
                    self._running -= 1
                    return
                task = self._waiting.popleft()
            self._finish(task)

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
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._run.store.flush(self._folders)
