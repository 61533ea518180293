"""
A web server behind a line of a known delay and rate, in one thread: no kernel module, no privileges.

Every answer begins one delay after its request came, and one more where the connection is new, as the
handshake costs one; requests that are sent ahead wait at the same time, not one after the other. Bytes
leave by `sendfile` at a rate per connection and a rate for all. `python benchmarks/shaped.py --check`
measures how near the line comes to what it was told.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from http_answers import MAX_HEAD, Answer, parse_head, static_answer
from hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable

TICK = 0.004
"""Seconds between two helpings of bytes on a connection whose rate is bounded."""
BURST = 0.02
"""Seconds that a late tick may make up for; what is missed beyond is lost, as on a real line."""
FIRST_WINDOW = 14_600
"""Bytes that TCP sends before the first acknowledgement (RFC 6928)."""
LEAST = 4096
"""Bytes that are sent at a time, at least, unless less is left."""
UNBOUNDED = 1 << 20
"""Bytes of one `sendfile` where no rate holds."""


@dataclass(frozen=True)
class Line:
    """What lies between the server and its clients."""

    delay: float = 0.0
    """Seconds of a round trip."""
    rate: float = math.inf
    """Bytes a second of one connection."""
    total: float = math.inf
    """Bytes a second of all connections together."""
    slow_start: bool = False
    """Whether a new connection begins with a small window that doubles with each round trip."""

    def words(self) -> list[str]:
        """Return the options of this program that make such a line."""
        found = ["--delay", str(self.delay), "--rate", str(self.rate), "--total", str(self.total)]
        return [*found, *(["--slow-start"] if self.slow_start else [])]


@dataclass
class Bucket:
    """Bytes that may be sent now, refilled at a rate."""

    rate: float
    """Bytes a second."""
    filled: float
    """When it was filled last."""
    bytes: float = 0.0
    """What may be sent now."""

    def fill(self, now: float) -> None:
        """Add what came since the last time, up to BURST seconds' worth."""
        if math.isinf(self.rate):
            self.bytes = math.inf
        else:
            self.bytes = min(self.bytes + (now - self.filled) * self.rate, self.rate * BURST)
        self.filled = now


@dataclass
class Sending:
    """An answer on its way."""

    ready: float
    """When its first byte may leave."""
    head: memoryview
    """What is left of the head, and of a body that is no file."""
    file: int
    """Descriptor of the file, or -1."""
    at: int
    """Next byte of the file."""
    end: int
    """Behind the last byte of the file."""
    last: bool
    """Whether the connection is closed behind it."""

    def least(self) -> int:
        """Return the bytes that are worth a system call."""
        return min(LEAST, len(self.head) + max(0, self.end - self.at))


@dataclass
class Client:
    """One connection."""

    socket: socket.socket
    accepted: float
    """When it was."""
    bucket: Bucket
    """What it may take now."""
    window: float = FIRST_WINDOW
    """Bytes that may be under way, where the line has a slow start."""
    received: bytearray = field(default_factory=bytearray)
    """What came and is no whole head yet."""
    queue: deque[Sending] = field(default_factory=deque)
    """Answers in the order of their requests."""
    blocked: bool = False
    """Whether the client reads more slowly than the line brings."""


class Server:
    """Answer by a function of target and headers, through a line."""

    def __init__(self, answer: Callable[[str, dict[str, str]], Answer], line: Line) -> None:
        self._answer = answer
        self._line = line
        self._paced = line.slow_start or not math.isinf(min(line.rate, line.total))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)  # noqa: FBT003 - has no name
        self.port: int = self._listener.getsockname()[1]
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._clients: dict[int, Client] = {}
        self._all = Bucket(line.total, time.monotonic())
        self._next = 0.0
        self.counts = {"bytes": 0, "requests": 0, "connections": 0}

    def serve(self) -> None:
        """Serve until killed."""
        while True:
            for number, event in self._poll.poll(self._timeout()):
                self._handle(number, event)
            now = time.monotonic()
            if now >= self._next:
                self._send_all(now)

    def _handle(self, number: int, event: int) -> None:
        if number == self._listener.fileno():
            self._accept()
            return
        client = self._clients.get(number)
        if client is None:
            return
        if event & select.EPOLLOUT:
            client.blocked = False
            self._poll.modify(number, select.EPOLLIN)
            self._next = 0.0
        if event & ~select.EPOLLOUT:
            self._receive(client)

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                found, _ = self._listener.accept()
                found.setblocking(False)  # noqa: FBT003 - has no name
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                now = time.monotonic()
                self._clients[found.fileno()] = Client(found, now, Bucket(self._line.rate, now))
                self._poll.register(found, select.EPOLLIN)
                self.counts["connections"] += 1

    def _receive(self, client: Client) -> None:
        try:
            block = client.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            block = b""
        client.received += block
        if not block or len(client.received) > MAX_HEAD:
            self._drop(client)
            return
        while (end := client.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(client.received[:end])
            del client.received[: end + 4]
            self._queue(client, head)

    def _queue(self, client: Client, head: bytes) -> None:
        now, delay = time.monotonic(), self._line.delay
        method, target, headers, last = parse_head(head)
        if target == "/-/counts":
            answer, delay = Answer(200, {}, json.dumps(self.counts).encode()), 0.0
        else:
            answer = self._answer(target, headers)
            self.counts["requests"] += 1
        text = answer.head(last=last)
        sends = method != "HEAD"
        ready = max(now, client.accepted + delay) + delay
        body = answer.body if sends else b""
        file = os.open(answer.file, os.O_RDONLY) if answer.file and sends else -1
        client.queue.append(
            Sending(ready, memoryview(text + body), file, answer.start, answer.end if sends else 0, last)
        )
        self._next = min(self._next, ready)

    def _timeout(self) -> float | None:
        return None if math.isinf(self._next) else max(0.0, self._next - time.monotonic())

    def _send_all(self, now: float) -> None:
        """Give each connection that may send its share; set the time of the next helping."""
        ready = [one for one in self._waiting() if one.queue[0].ready <= now]
        self._all.fill(now)
        for place, client in enumerate(ready):
            if self._line.slow_start and self._line.delay:
                client.bucket.rate = min(self._line.rate, client.window / self._line.delay)
            client.bucket.fill(now)
            self._send(client, min(client.bucket.bytes, self._all.bytes / (len(ready) - place)), now)
        times = [one.queue[0].ready for one in self._waiting()]
        late = self._paced and any(one <= now for one in times)
        self._next = now + TICK if late else min(times, default=math.inf)

    def _waiting(self) -> list[Client]:
        return [one for one in self._clients.values() if one.queue and not one.blocked]

    def _send(self, client: Client, share: float, now: float) -> None:
        """Send up to a share of bytes, or until the socket is full."""
        left = UNBOUNDED if math.isinf(share) else int(share)
        while client.queue and client.queue[0].ready <= now and left > 0:
            if left < client.queue[0].least():
                return
            try:
                sent = self._some(client, client.queue[0], left)
            except BlockingIOError:
                client.blocked = True
                self._poll.modify(client.socket, select.EPOLLIN | select.EPOLLOUT)
                return
            except OSError:
                self._drop(client)
                return
            left -= sent
            client.bucket.bytes -= sent
            client.window += sent * math.log(2)
            self._all.bytes -= sent

    def _some(self, client: Client, one: Sending, left: int) -> int:
        """Send a piece of one answer, and let go of it where that was the last. Raises OSError."""
        rest = one.end - one.at
        if one.head:
            sent = client.socket.send(one.head[:left], socket.MSG_MORE if rest > 0 else 0)
            one.head = one.head[sent:]
        else:
            sent = os.sendfile(client.socket.fileno(), one.file, one.at, min(left, rest))
            one.at += sent
            self.counts["bytes"] += sent
        if not one.head and one.at >= one.end:
            self._finish(client)
        return sent

    def _finish(self, client: Client) -> None:
        """Let go of the answer that was sent."""
        one = client.queue.popleft()
        if one.file >= 0:
            os.close(one.file)
        if one.last:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        self._poll.unregister(client.socket)
        del self._clients[client.socket.fileno()]
        client.socket.close()
        for one in client.queue:
            if one.file >= 0:
                os.close(one.file)
        client.queue.clear()


def words_of() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--hub", type=Path, help="JSON file of what a hub knows")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds of a round trip")
    parser.add_argument("--rate", type=float, default=math.inf, help="bytes a second of a connection")
    parser.add_argument("--total", type=float, default=math.inf, help="bytes a second of all")
    parser.add_argument("--slow-start", action="store_true")
    parser.add_argument("--check", action="store_true", help="measure how accurate the line is")
    return parser.parse_args()


def main() -> int:
    """Serve a folder through a line and print the port, or check the line."""
    words = words_of()
    if words.check:
        from shaped_check import check  # noqa: PLC0415 - it starts this file as a program

        return check()
    hub = Hub.parse(words.hub.read_text()) if words.hub else None

    def answer(target: str, headers: dict[str, str]) -> Answer:
        return (hub and hub.answer(target, headers)) or static_answer(words.folder, target, headers)

    server = Server(answer, Line(words.delay, words.rate, words.total, slow_start=words.slow_start))
    print(server.port, flush=True)
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
