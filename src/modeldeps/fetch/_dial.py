"""Make connections: to the first address that answers, through a proxy, under TLS."""

from __future__ import annotations

import errno
import itertools
import os
import selectors
import socket
import time
from collections import deque
from typing import TYPE_CHECKING

from modeldeps.fetch import _names
from modeldeps.fetch._head import WireError
from modeldeps.fetch._leash import LOOSE, Leash

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from typing_extensions import Self

STAGGER = 0.25
"""Seconds after which the next address is tried beside the first (RFC 8305, section 5)."""
_MAX_ADDRESSES = 16
_AT_ONCE = 0.001
"""Seconds for what has no time left; 0 would mean something else to a socket."""


def connect(host: str, port: int, *, timeout: float, leash: Leash = LOOSE) -> socket.socket:
    """
    Return a connection to the first address of a host that answers, held by a leash.

    Finding the addresses has as much time as connecting. Raises OSError, TimeoutError, WireError.
    """
    found = _names.addresses(host, port, timeout=timeout, leash=leash)
    try:
        with _Race(timeout, leash) as race:
            sock = race.run(_in_turn(found)[:_MAX_ADDRESSES])
    except OSError:
        _names.forget(host, port)  # it may have moved
        raise
    try:
        leash.hold(sock)
    except WireError:
        sock.close()
        raise
    return sock


def secure(
    sock: socket.socket, host: str, context: ssl.SSLContext, *, timeout: float, leash: Leash = LOOSE
) -> ssl.SSLSocket:
    """
    Return a connection under TLS, its certificate checked, held by a leash instead of the plain one.

    All of the handshake has one time. Raises OSError, ssl.SSLError, TimeoutError, WireError.
    """
    sock.settimeout(leash.left(timeout) or _AT_ONCE)
    leash.free(sock)
    with sock.dup() as held:  # the plain one is given away, and the new one there only after the handshake
        leash.hold(held)
        try:
            secured = context.wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False)
        finally:
            leash.free(held)
    try:
        leash.hold(secured)
    except WireError:
        secured.close()
        raise
    return secured


_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, 10035})
"""What a connection that is being made says; 10035 is Windows' own word for EWOULDBLOCK."""

_Address = tuple[socket.AddressFamily, "tuple[object, ...]"]


def _in_turn(found: Iterable[tuple[object, ...]]) -> list[_Address]:
    """Return addresses with their families in turn, the system's first one first."""
    families: dict[object, list[_Address]] = {}
    for family, _, _, _, address in found:
        families.setdefault(family, []).append((family, address))  # type: ignore[arg-type]
    turns = itertools.zip_longest(*families.values())
    return [one for turn in turns for one in turn if one is not None]


class _Race:
    """Connections that are being made at once; all but the first that stands are closed."""

    def __init__(self, timeout: float, leash: Leash) -> None:
        self._end = time.monotonic() + leash.left(timeout)
        self._leash = leash
        self._running = selectors.DefaultSelector()
        self._error: OSError = TimeoutError("no connection in time")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        for key in list(self._running.get_map().values()):
            self._lost(key.fileobj)
        self._running.close()

    def run(self, addresses: list[_Address]) -> socket.socket:
        """Return the first that stands. Raises the last error where none does."""
        waiting = deque(addresses)
        while waiting or self._running.get_map():
            if not self._running.get_map():
                self._start(*waiting.popleft())
                continue
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no connection in time")
            self._leash.check()
            ready = self._running.select(min(STAGGER, left))
            for key, _ in ready:
                if winner := self._judge(key.fileobj):
                    return winner
            if waiting and not ready:
                self._start(*waiting.popleft())
        raise self._error

    def _start(self, family: socket.AddressFamily, address: tuple[object, ...]) -> None:
        """Begin with one address; note why it can't be tried."""
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a family that this machine does not speak
            self._error = error
            return
        sock.settimeout(0)
        number = sock.connect_ex(address)
        self._running.register(sock, selectors.EVENT_WRITE)
        if number not in _UNDER_WAY:
            self._error = OSError(number, os.strerror(number))
            self._lost(sock)

    def _judge(self, sock: object) -> socket.socket | None:
        """Return a connection that stands; note why one does not."""
        if not isinstance(sock, socket.socket):
            return None
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._error = OSError(number, os.strerror(number))
            self._lost(sock)
            return None
        self._running.unregister(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock

    def _lost(self, sock: object) -> None:
        if isinstance(sock, socket.socket):
            self._running.unregister(sock)
            sock.close()
