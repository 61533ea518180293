"""What ends the waits of a thread from outside: another thread, or the clock."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time

from modeldeps.fetch._head import WireError


class Leash:
    """Connections that are in use for one purpose, and until when."""

    def __init__(self, until: float = math.inf) -> None:
        self.until = until
        """The moment, on the monotonic clock, after which nothing is waited for."""
        self._held: set[socket.socket] = set()
        self._is_cut = False
        self._lock = threading.Lock()

    def left(self, most: float) -> float:
        """Return the seconds that may be waited, at most `most`; 0 when there are none."""
        return max(0.0, min(most, self.until - time.monotonic()))

    def check(self) -> None:
        """Go on only while somebody wants it. Raises WireError."""
        if self._is_cut:
            raise WireError("nobody wants it any more")

    def hold(self, sock: socket.socket) -> None:
        """Let a connection be ended by `cut`. Raises WireError where that came before."""
        with self._lock:
            self.check()
            self._held.add(sock)

    def free(self, sock: socket.socket) -> None:
        """Take a connection out, before it is closed or kept: its number may be another's a moment later."""
        with self._lock:
            self._held.discard(sock)

    def cut(self) -> None:
        """End all connections, and every one that is still to be made; who waits on them goes on at once."""
        with self._lock:
            self._is_cut = True
            for sock in self._held:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(
                        sock, socket.SHUT_RDWR
                    )  # that of SSLSocket would end its protection


class _Loose(Leash):
    """Nobody ends these."""

    def left(self, most: float) -> float:
        return most

    def check(self) -> None:
        """Go on."""

    def hold(self, sock: socket.socket) -> None:
        """Remember nothing."""

    def free(self, sock: socket.socket) -> None:
        """Forget nothing."""


LOOSE = _Loose()
"""What holds connections that nobody ends from outside."""
