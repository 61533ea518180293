"""The digest of a whole file, taken from its beginning on while the rest still comes in."""

from __future__ import annotations

import errno
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash

if TYPE_CHECKING:
    from collections.abc import Callable

_ALONE = 4 * BLOCK
"""Bytes of a file from which on a thread of its own hashes."""


class Prefix:
    """
    Follow the end of what is proved, and hash up to it.

    The bytes are read back from the file: they are in memory still, and so it does not matter who
    wrote them, in which order.
    """

    def __init__(self, handle: int, size: int, pulse: Callable[[], None]) -> None:
        self._handle = handle
        self._pulse = pulse
        self._size = size
        self._turn = threading.Condition()
        self._hash = new_hash()
        self._done = 0
        self._end = 0
        self._round = 0
        self._told: str | None = None
        self._closed = False
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def follow(self, end: int) -> None:
        """Hash up to this place from now on."""
        if self._size < _ALONE or end <= self._end:
            return
        with self._turn:
            self._end = max(end, self._end)
            if self._thread is None and not self._closed:
                self._hire()
            self._turn.notify_all()

    def _hire(self) -> None:
        thread = threading.Thread(target=self._run, name="modeldeps-sha256", daemon=True)
        with suppress(RuntimeError):  # no thread is to be had: `finish` does it
            thread.start()
            self._thread = thread

    @property
    def is_alone(self) -> bool:
        """The file is so short that whoever writes it may as well hash it, and `tell`."""
        return self._size < _ALONE

    def tell(self, digest: str) -> None:
        """Hear the digest of the whole from who wrote all of it in one go."""
        self._told = digest

    def restart(self) -> None:
        """Forget everything: the bytes will come again."""
        with self._turn:
            self._told = None
            self._hash, self._done, self._end = new_hash(), 0, 0
            self._round += 1

    def finish(self) -> str:
        """Return the digest of the whole file, all of which is there. Raises OSError, also when stopped."""
        if self._told is not None:
            return self._told
        self.follow(self._size)
        with self._turn:
            while self._thread is not None and self._done < self._size and not self._closed:
                if self._error is not None:
                    raise self._error
                self._turn.wait(1.0)
        if self._thread is None and self._done < self._size:
            self._step(bytearray(min(BLOCK, self._size)), self._size)
        if self._done < self._size:
            raise OSError(errno.ECANCELED, "it was broken off")
        return self._hash.hexdigest()

    def stop(self) -> None:
        """Let whoever hashes end soon."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()

    def close(self) -> None:
        """End the thread; the file may be closed afterwards."""
        self.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            buffer = bytearray(BLOCK)
            while (end := self._wait()) is not None:
                self._step(buffer, end)
        except Exception as error:  # noqa: BLE001 - `finish` raises it: whoever waits there must hear of it
            with self._turn:
                self._error = error
                self._turn.notify_all()

    def _wait(self) -> int | None:
        """Wait for more to hash; None at the end."""
        with self._turn:
            while self._done >= self._end and not self._closed:
                self._turn.wait()
            return None if self._closed else self._end

    def _step(self, buffer: bytearray, end: int) -> None:
        """Hash from where the last step ended. Raises OSError."""
        with self._turn:
            running, at, round_ = self._hash, self._done, self._round
        view = memoryview(buffer)
        while at < end and not self._closed and round_ == self._round:
            count = _read_into(self._handle, view[: min(len(view), end - at)], at)
            if not count:
                raise OSError(5, "the part file became shorter while it was written")
            running.update(view[:count])
            self._pulse()
            at += count
        with self._turn:
            if round_ == self._round:
                self._done = at
            self._turn.notify_all()


if hasattr(os, "preadv"):

    def _read_into(handle: int, view: memoryview, offset: int) -> int:
        return os.preadv(handle, [view], offset)
else:
    from modeldeps.store._at import pread

    def _read_into(handle: int, view: memoryview, offset: int) -> int:
        data = pread(handle, len(view), offset)
        view[: len(data)] = data
        return len(data)
