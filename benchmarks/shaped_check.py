"""Measure how near the shaped line comes to what it was told."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from servers import Site, shaped
from shaped import Line

SIZE = 64 << 20
"""Bytes of the file that rates are measured with."""
DELAY = 0.05
RATE = 20e6
TOTAL = 250e6
MANY = 16
ALLOWED = 0.05
"""Share by which a figure may be off."""


def check() -> int:
    """Print what was told and what was measured; 0 where all are near."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "large").write_bytes(bytes(SIZE))
        (folder / "small").write_bytes(b"\0")
        with shaped(folder, Line(DELAY, RATE, TOTAL)) as site:
            rows = [
                ("a request on a new connection, s", 2 * DELAY, fresh(site)),
                ("a request on a kept connection, s", DELAY, kept(site, 5)),
                ("ten requests sent ahead, s", 2 * DELAY, ahead(site, 10)),
                ("one connection, MB/s", RATE / 1e6, rate(site, 1)),
                ("four connections, MB/s", 4 * RATE / 1e6, rate(site, 4)),
                (f"{MANY} connections, MB/s", TOTAL / 1e6, rate(site, MANY)),
            ]
    print(f"{'':36} {'told':>8} {'measured':>9}")
    for what, told, measured in rows:
        print(f"{what:36} {told:8.3f} {measured:9.3f}")
    worst = max(abs(measured / told - 1) for _, told, measured in rows)
    print(f"\nworst: {worst:.1%} off (allowed {ALLOWED:.0%})")
    return int(worst > ALLOWED)


def connect(site: Site) -> socket.socket:
    """Return a new connection."""
    return socket.create_connection(("127.0.0.1", urlsplit(site.url).port or 0))


def ask(one: socket.socket, path: str, count: int = 1) -> int:
    """Send requests at once, and read all answers; return the bytes of them."""
    one.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * count)
    taken, buffer = 0, bytearray(1 << 20)
    sizes = {"small": 1, "large": SIZE}
    while taken < sizes[path] * count:
        got = one.recv_into(buffer)
        assert got
        taken += got
        if path == "small" and bytes(buffer[:got]).count(b"\0") == count:
            break
    return taken


def fresh(site: Site) -> float:
    """Time the first request of a connection."""
    start = time.perf_counter()
    with connect(site) as one:
        ask(one, "small")
    return time.perf_counter() - start


def kept(site: Site, count: int) -> float:
    """Time each of several requests, one after the other."""
    with connect(site) as one:
        ask(one, "small")
        start = time.perf_counter()
        for _ in range(count):
            ask(one, "small")
        return (time.perf_counter() - start) / count


def ahead(site: Site, count: int) -> float:
    """Time several requests that are sent before the first answer, on a new connection."""
    start = time.perf_counter()
    with connect(site) as one:
        ask(one, "small", count)
    return time.perf_counter() - start


def rate(site: Site, count: int) -> float:
    """Return the MB/s of several connections together, from the first byte on."""
    threads = [threading.Thread(target=lambda: ask(connect(site), "large")) for _ in range(count)]
    start = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return count * SIZE / (time.perf_counter() - start - 2 * DELAY) / 1e6
