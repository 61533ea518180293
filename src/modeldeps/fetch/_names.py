"""Which addresses a host has: asked of the system in a thread, since that knows no limit of its own."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, TypeAlias

from modeldeps._frozen import field, record

if TYPE_CHECKING:
    from modeldeps.fetch._leash import Leash

MEMORY = 60.0
"""Seconds for which addresses are remembered."""
_MAX_KNOWN = 256
_LOOK = 0.1
"""Seconds between two looks whether anybody still wants them."""

Addresses: TypeAlias = "list[tuple[object, ...]]"
"""What `socket.getaddrinfo` returns."""

_known: dict[tuple[str, int], tuple[float, Addresses]] = {}
_asked: dict[tuple[str, int, int], _Question] = {}
"""Both without a lock, which a forked child could find taken: each step is one of the dictionary's own."""


def addresses(host: str, port: int, *, timeout: float, leash: Leash) -> Addresses:
    """
    Return the addresses of a host, as `socket.getaddrinfo` does.

    Raises OSError where it has none, TimeoutError where nobody knows in time, WireError where nobody
    wants them any more.
    """
    if (near := _near(host, port)) is not None:
        return near
    since, found = _known.get((host, port), (0.0, []))
    if found and time.monotonic() - since < MEMORY:
        return found
    return _question(host, port).wait(leash.left(timeout), leash)


def forget(host: str, port: int) -> None:
    """Ask the system again the next time: none of the addresses answers."""
    _known.pop((host, port), None)


def _near(host: str, port: int) -> Addresses | None:
    """Return what needs no server of names: an address, or this machine; None for anything else."""
    if host == "localhost":
        return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not (
        ":" in host or host[-1:].isdigit()
    ):  # the last label of a name is no number (RFC 3696, section 2)
        return None
    try:
        return [*socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)]
    except OSError:
        return None


def _question(host: str, port: int) -> _Question:
    """Return the question that is under way, or a new one: one that hangs must not pile up."""
    key = host, port, os.getpid()  # a forked child has no such thread
    mine = _Question(host, port)
    question = _asked.setdefault(key, mine)
    if question is mine:
        try:
            threading.Thread(target=mine.ask, args=[key], name="modeldeps-names", daemon=True).start()
        except RuntimeError:  # no more threads are to be had
            mine.ask(key)
    return question


@record
class _Question:
    """One host whose addresses are asked for."""

    host: str
    port: int
    found: Addresses = field(default_factory=list)
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def ask(self, key: tuple[str, int, int]) -> None:
        """Ask the system, however long it takes."""
        try:
            self.found = [*socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)]
        except Exception as error:  # noqa: BLE001 - raised by who waits
            self.error = error
        if self.found:
            if len(_known) >= _MAX_KNOWN:
                _known.clear()
            _known[self.host, self.port] = time.monotonic(), self.found
        _asked.pop(key, None)
        self.done.set()

    def wait(self, timeout: float, leash: Leash) -> Addresses:
        """Return what the system says. Raises OSError, TimeoutError, UnicodeError, WireError."""
        until = time.monotonic() + timeout
        while not self.done.wait(max(0.0, min(_LOOK, until - time.monotonic()))):
            leash.check()
            if time.monotonic() >= until:
                raise TimeoutError(f"no server of names told the address of {self.host} in time")
        if self.error is not None:
            raise self.error
        return self.found
