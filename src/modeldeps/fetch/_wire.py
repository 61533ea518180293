"""One HTTP/1 connection: requests go out, answers come in, in order, through one bounded buffer."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import ssl
import time
from typing import TYPE_CHECKING

from modeldeps.fetch._head import MAX_HEAD, Head, WireError, parse_head
from modeldeps.fetch._leash import LOOSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.fetch._leash import Leash

BUFFER = 1 << 18
"""Bytes that are read at once, at most; larger blocks were no faster."""
_INTERIM = 10
"""Answers of the status 1xx before the real one, at most."""
_LINE = 4096
"""Bytes of the line before a chunk, at most."""
_LAST = b"\r\n0\r\n\r\n"
"""What stands behind the data of the last chunk, where no fields follow."""
_MOMENT = 0.2
"""Seconds for which that is waited for by who has all the data."""
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_MAX_HEX = 15
_NO_INTERIM = frozenset({*range(100), 101})
"""What is no status at all (RFC 9110, section 15), and the other protocol that nobody asked for."""


class EndedError(WireError):
    """The other side closed the connection."""

    def __init__(self) -> None:
        super().__init__("the connection was closed before the end")


class Wire:
    """A connection that is up. One thread uses it at a time; any thread may close it."""

    def __init__(self, sock: socket.socket, *, timeout: float, leash: Leash = LOOSE) -> None:
        sock.settimeout(0)
        self.heard = False
        """Something came since the last request."""
        self.clean = True
        """The last body was read whole, so that the next head may be read."""
        self.ended = False
        """The other side closed it while an answer was waited for."""
        self.round_trip: float | None = None
        """Seconds from the last lone request to its answer."""
        self._sock = sock
        self._leash = leash
        self._timeout = timeout
        self._bytes = bytearray(BUFFER)
        self._memory = memoryview(self._bytes)
        self._low = self._high = 0
        self._rest = 0
        self._in_chunk = False
        self._turn = 0
        self._process = os.getpid()
        self._eager = isinstance(sock, ssl.SSLSocket)  # a read brings one record, 16 kB, and no more

    def bind(self, leash: Leash) -> None:
        """Let something end it from outside while it is in use. Raises WireError."""
        self._leash.free(self._sock)
        leash.hold(self._sock)
        self._leash = leash

    def unbind(self) -> None:
        """Let nothing end it from outside any more."""
        self.bind(LOOSE)

    def send(self, data: bytes) -> None:
        """Send a request, or several. Raises OSError, TimeoutError."""
        view = memoryview(data)
        self.heard = False
        while view:
            view = view[self._send(view) :]

    def _send(self, view: memoryview) -> int:
        """Send what the other side takes now, or wait until it takes more."""
        try:
            return self._sock.send(view)
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._wait(write=True)
        except ssl.SSLWantReadError:
            self._wait()
        return 0

    def ask(self, data: bytes) -> Head:
        """Send one request and return the head of its answer. Raises OSError, WireError."""
        began = time.monotonic()
        self.send(data)
        head = self.head()
        self.round_trip = time.monotonic() - began
        return head

    def head(self) -> Head:
        """Return the next head that is not an interim one; all have one time. Raises OSError, WireError."""
        end_of_patience = self._patience()
        for _ in range(_INTERIM):
            head = parse_head(self._head_bytes(end_of_patience))
            if head.status >= 200:  # noqa: PLR2004 - what comes before is interim
                self.clean, self._rest, self._in_chunk = False, head.length or 0, False
                self._turn += 1
                return head
            if head.status in _NO_INTERIM:
                break
        raise WireError("what it answers is not HTTP")

    def blocks(self, head: Head) -> Iterator[memoryview]:
        """Yield the body that follows a head. Raises OSError, WireError when it stops in the middle."""
        if head.is_chunked:
            yield from self._chunks()
        elif head.length is None:
            while block := self._some(BUFFER):
                yield block
            return  # nothing else can come; the connection is not clean
        else:
            yield from self._exactly(head.length)
        self.clean = True

    def some(self) -> memoryview:
        """Return the next bytes, valid until the next are asked for; none at the end. Raises OSError."""
        return self._some(BUFFER)

    def skip(self, head: Head) -> bool:
        """Leave the rest of a body out where all of it is here already; False where it is not."""
        self._turn += 1  # another thread may still be at it: it must not read on
        if not self.clean and head.is_chunked:
            self.clean = self._in_chunk and not self._rest and self._skip_last()
        if self.clean:
            return True
        if head.is_chunked or head.length is None or self._rest > self._high - self._low:
            return False
        self._low += self._rest
        self._rest, self.clean = 0, True
        return True

    def _skip_last(self) -> bool:
        """Pass over what ends a chunked body whose data was taken; False where something else follows."""
        patience, self._timeout = self._timeout, _MOMENT
        try:
            while _LAST.startswith(held := bytes(self._memory[self._low : self._high][: len(_LAST)])):
                if held == _LAST:
                    self._low += len(_LAST)
                    return True
                if not self._fill():
                    return False
        except (OSError, ValueError):
            return False
        finally:
            self._timeout = patience
        return False

    @property
    def holds(self) -> int:
        """Bytes that came and were not asked for yet."""
        return self._high - self._low

    @property
    def is_stale(self) -> bool:
        """The other side closed it, or said something that nobody asked for."""
        if self._low != self._high:
            return True
        try:
            wait(self._sock, 0)
        except TimeoutError:
            return False
        except (OSError, ValueError):
            return True
        return True

    def close(self) -> None:
        """Let go of it; a thread that waits for bytes is woken."""
        if self._process != os.getpid():
            self.release()
            return
        self._leash.free(self._sock)
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # that of SSLSocket would end its protection
        self._sock.close()

    def release(self) -> None:
        """Let go of this process's part of it: after a fork the parent still speaks on it."""
        self._sock.close()

    def _head_bytes(self, end_of_patience: float) -> bytes:
        """Return the bytes up to an empty line, that line included."""
        seen = 0
        while True:
            end = _EMPTY_LINE.search(self._bytes, self._low + max(0, seen - 3), self._high)
            if end and end.end() - self._low <= MAX_HEAD:
                data = bytes(self._memory[self._low : end.end()])
                self._low = end.end()
                return data
            seen = self._high - self._low
            if time.monotonic() > end_of_patience:
                raise TimeoutError("no more bytes came in time")
            if end or seen > MAX_HEAD:
                raise WireError(f"the head of its answer is longer than {MAX_HEAD} bytes")
            if not self._fill():
                raise EndedError

    def _chunks(self) -> Iterator[memoryview]:
        """Yield the data of chunks (RFC 9112, section 7.1)."""
        while size := self._chunk_size():
            self._in_chunk = True
            yield from self._exactly(size)
            self._in_chunk = False
            if self._line(2) not in (b"\r\n", b"\n"):
                raise WireError("a chunk of its answer is not HTTP")
        self._trailers()

    def _trailers(self) -> None:
        """Pass over the fields behind the last chunk; together they have no more time than one line."""
        seen, end_of_patience = 0, self._patience()
        while (line := self._line(_LINE, end_of_patience)) not in (b"\r\n", b"\n"):
            seen += len(line)
            if seen > MAX_HEAD:
                raise WireError(f"the end of its answer is longer than {MAX_HEAD} bytes")

    def _chunk_size(self) -> int:
        line = self._line(_LINE).removesuffix(b"\n").removesuffix(b"\r")
        digits = line.partition(b";")[0].strip(b" \t")
        if not 0 < len(digits) <= _MAX_HEX or not _HEX.issuperset(digits):
            raise WireError("a chunk of its answer is not HTTP")
        return int(digits, 16)

    def _line(self, limit: int, end_of_patience: float | None = None) -> bytes:
        """Return the next line, its end included, of at most `limit` bytes."""
        end_of_patience = end_of_patience or self._patience()
        while (at := self._bytes.find(b"\n", self._low, self._high)) < 0 and self._high - self._low < limit:
            if time.monotonic() > end_of_patience:
                raise TimeoutError("no more bytes came in time")
            if not self._fill():
                raise EndedError
        if at < 0 or at - self._low >= limit:
            raise WireError("a chunk of its answer is not HTTP")
        line = bytes(self._memory[self._low : at + 1])
        self._low = at + 1
        return line

    def _patience(self) -> float:
        """Return until when something short must be here: bytes that drip run into no timeout."""
        return min(time.monotonic() + 2 * self._timeout, self._leash.until)

    def _exactly(self, count: int) -> Iterator[memoryview]:
        self._rest, turn = count, self._turn
        while self._rest:
            block = self._some(self._rest)
            if not block:
                raise EndedError
            self._rest -= len(block)
            yield block
            if self._turn != turn:
                raise WireError("it was closed while it was read")

    def _some(self, limit: int) -> memoryview:
        """Return some bytes, valid until the next are asked for; none at the end."""
        if self._low == self._high:
            self._fill()
        block = self._memory[self._low : min(self._high, self._low + limit)]
        self._low += len(block)
        return block

    def _fill(self) -> int:
        """Read what there is behind what is here, waiting for its first byte; 0 at the end."""
        if self._low:
            kept = self._high - self._low
            self._memory[:kept] = self._memory[self._low : self._high]
            self._low, self._high = 0, kept
        before = self._high
        try:
            while self._read_on(before):
                pass
        except OSError:
            if self._high == before:
                raise
        self.heard = self.heard or self._high > before
        return self._high - before

    def _read_on(self, before: int) -> bool:
        """Read once; False when that was enough."""
        try:
            count = self._sock.recv_into(self._memory[self._high :])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
            if self._high > before:
                return False
            self._wait(write=isinstance(error, ssl.SSLWantWriteError))
            return True
        self._high += count
        return bool(count) and self._eager and self._high < BUFFER

    def _wait(self, *, write: bool = False) -> None:
        wait(self._sock, self._leash.left(self._timeout), write=write)


def wait(sock: socket.socket, timeout: float, *, write: bool = False) -> None:
    """Wait until a socket can be read, or written. Raises TimeoutError."""
    if hasattr(select, "poll"):
        watch = select.poll()
        watch.register(sock, select.POLLOUT if write else select.POLLIN)
        ready: object = watch.poll(timeout * 1000)
    else:
        ready = any(select.select([] if write else [sock], [sock] if write else [], [], timeout))
    if not ready:
        raise TimeoutError("no more bytes came in time")
