"""Several threads at one work, or as many of them as the system gives."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

One = TypeVar("One")
Other = TypeVar("Other")


def each(items: Iterable[One], do: Callable[[One], Other], *, threads: int, name: str) -> list[Other]:
    """
    Return what `do` makes of each item, in order.

    The calling thread works too, so that it gets done where no other thread can be had. After an error
    nothing more is begun. Raises the first one.
    """
    todo = deque(enumerate(items))
    done: dict[int, Other] = {}
    errors: list[BaseException] = []

    def work() -> None:
        while not errors:
            try:
                index, item = todo.popleft()
            except IndexError:
                return
            try:
                done[index] = do(item)
            except BaseException as error:  # noqa: BLE001 - it is raised by the calling thread
                errors.append(error)

    others = _start(work, min(threads, len(todo)) - 1, name)
    try:
        work()
    finally:
        todo.clear()
        for one in others:
            one.join()
    if errors:
        raise errors[0]
    return [done[index] for index in sorted(done)]


def _start(work: Callable[[], None], count: int, name: str) -> list[threading.Thread]:
    """Start so many threads, or as many as can be had."""
    started: list[threading.Thread] = []
    for _ in range(count):
        thread = threading.Thread(target=work, name=name)
        try:
            thread.start()
        except RuntimeError:  # the system gives no more
            break
        started.append(thread)
    return started
