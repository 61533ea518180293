"""A web server of blobs on a port of its own, which fails as it is told to."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Fault: TypeAlias = "Callable[[Handler, bytes], None]"
"""What one request does instead of serving the blob."""

BLOCK = 1 << 16


@dataclass
class Request:
    """What a client asked."""

    path: str
    headers: dict[str, str]
    sent: int = 0
    """Bytes of the body that were written."""
    connection: int = 0
    """Number of the connection that it came by, the first is 1."""

    @property
    def start(self) -> int:
        """Offset of the first byte that was asked for."""
        return self._range[0]

    @property
    def end(self) -> int | None:
        """Offset after the last byte that was asked for, or None."""
        return self._range[1]

    @property
    def is_range(self) -> bool:
        """Not all of it was asked for."""
        return self._range != (0, None)

    @property
    def _range(self) -> tuple[int, int | None]:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if not found:
            return 0, None
        return int(found[1]), int(found[2]) + 1 if found[2] else None


@dataclass
class BlobServer:
    """Blobs by path; faults by path are used up one a request, then the blob is served well."""

    url: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    habit: Fault | None = None
    """What is done for every blob where no fault is left."""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    pause: float = 0.0
    """Seconds before each block of a body."""
    block: int = BLOCK
    """Bytes of a block; one is lost on each connection of a client that dies."""

    def add(self, data: bytes, digest: str, *faults: Fault) -> str:
        """Serve a blob as a channel does; return its path."""
        path = f"/blobs/sha256/{digest[:2]}/{digest}"
        self.blobs[path] = data
        self.faults[path] = list(faults)
        return path

    @property
    def sent(self) -> int:
        """Bytes of all bodies."""
        return sum(request.sent for request in self.requests)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    blobs: BlobServer
    numbers: itertools.count[int]

    def get_request(self) -> tuple[object, object]:  # type: ignore[override]
        self.blobs.connections += 1
        return super().get_request()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients of these tests go away in the middle."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: _Listener
    request_record: Request
    number: int = 0

    def setup(self) -> None:
        """Number the connection."""
        super().setup()
        self.number = next(self.server.numbers)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""

    def do_GET(self) -> None:
        """Serve a blob, or do what the next fault says."""
        blobs = self.server.blobs
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.request_record = Request(self.path, headers, connection=self.number)
        blobs.requests.append(self.request_record)
        path = self.path.partition("?")[0]
        data = blobs.blobs.get(path, b"")
        if faults := blobs.faults.get(path):
            faults.pop(0)(self, data)
        elif path in blobs.blobs:
            (blobs.habit or serve)(self, data)
        else:
            status(404)(self, b"")

    def head(self, code: int, **headers: object) -> None:
        """Send a status and headers; underscores stand for dashes."""
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()

    def body(self, data: bytes) -> None:
        """Send bytes block by block."""
        size = self.server.blobs.block
        for start in range(0, len(data), size):
            time.sleep(self.server.blobs.pause)
            self.wfile.write(data[start : start + size])
            self.request_record.sent += len(data[start : start + size])

    def hang_up(self) -> None:
        """Close the connection after this answer."""
        self.close_connection = True

    def reset(self) -> None:
        """End the connection as a crash does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.hang_up()


def serve(handler: Handler, data: bytes) -> None:
    """Serve well, ranges too."""
    start = handler.request_record.start
    if start and start >= len(data):
        handler.head(416, Content_Range=f"bytes */{len(data)}", Content_Length=0)
    else:
        handler.body(promise(handler, data))


def promise(handler: Handler, data: bytes) -> bytes:
    """Send the head of an answer; return the bytes that were asked for."""
    record, total = handler.request_record, len(data)
    start, end = record.start, total if record.end is None else min(record.end, total)
    if record.is_range:
        handler.head(206, Content_Length=end - start, Content_Range=f"bytes {start}-{end - 1}/{total}")
    else:
        handler.head(200, Content_Length=total)
    return data[start:end]


def in_turn(*faults: Fault) -> Fault:
    """Do one after the other, one a request, and begin again."""
    lock, turns = threading.Lock(), itertools.cycle(faults)

    def answer(handler: Handler, data: bytes) -> None:
        with lock:
            fault = next(turns)
        fault(handler, data)

    return answer


def by_connection(choose: Callable[[int], Fault]) -> Fault:
    """Do what is chosen by the number of the connection."""
    return lambda handler, data: choose(handler.number)(handler, data)


def crowded(most: int, refusal: Fault) -> Fault:
    """Serve so many at once, and refuse the others."""
    free = threading.Semaphore(most)

    def answer(handler: Handler, data: bytes) -> None:
        if not free.acquire(blocking=False):
            refusal(handler, data)
            return
        try:
            serve(handler, data)
        finally:
            free.release()

    return answer


def reset(after: int) -> Fault:
    """Promise everything, send `after` bytes, and crash."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.body(promise(handler, data)[:after])
        handler.wfile.flush()
        handler.reset()

    return answer


def mute(seconds: float) -> Fault:
    """Say nothing for so long, then close."""

    def answer(handler: Handler, data: bytes) -> None:
        del data
        time.sleep(seconds)
        handler.hang_up()

    return answer


def stall(after: int, seconds: float) -> Fault:
    """Promise everything, send `after` bytes, say nothing for so long, then close."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.body(promise(handler, data)[:after])
        mute(seconds)(handler, data)

    return answer


def trickle(block: int, pause: float) -> Fault:
    """Serve well, but a few bytes at a time."""

    def answer(handler: Handler, data: bytes) -> None:
        wanted = promise(handler, data)
        for start in range(0, len(wanted), block):
            handler.wfile.write(wanted[start : start + block])
            handler.request_record.sent += len(wanted[start : start + block])
            time.sleep(pause)

    return answer


def cut(after: int) -> Fault:
    """Promise everything, send `after` bytes, close."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.body(promise(handler, data)[:after])
        handler.hang_up()

    return answer


def status(code: int, body: bytes = b"", **headers: object) -> Fault:
    """Answer with a status."""

    def answer(handler: Handler, data: bytes) -> None:
        del data
        handler.head(code, Content_Length=len(body), **headers)
        handler.body(body)

    return answer


def redirect(target: str, code: int = 302) -> Fault:
    """Send the client elsewhere."""
    return status(code, Location=target)


def other(data: bytes) -> Fault:
    """Serve other bytes, from the first on."""
    return status(200, data)


def flipped(index: int) -> Fault:
    """Serve the blob with one byte altered."""

    def answer(handler: Handler, data: bytes) -> None:
        serve(handler, data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])

    return answer


def whole(handler: Handler, data: bytes) -> None:
    """Ignore a range, as simple servers do."""
    handler.head(200, Content_Length=len(data))
    handler.body(data)


def whole_but_cut(after: int) -> Fault:
    """Ignore a range, and close in the middle."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.head(200, Content_Length=len(data))
        handler.body(data[:after])
        handler.hang_up()

    return answer


def without_length(handler: Handler, data: bytes) -> None:
    """Say no length; the end of the connection is the end of the body."""
    handler.head(200, Connection="close")
    handler.body(data)
    handler.hang_up()


def without_length_but_cut(after: int) -> Fault:
    """Say no length, and close in the middle: nothing but the manifest tells."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.head(200, Connection="close")
        handler.body(data[:after])
        handler.hang_up()

    return answer


def chunked(handler: Handler, data: bytes) -> None:
    """Use HTTP's own chunks, which say no length either."""
    handler.head(200, Transfer_Encoding="chunked")
    for start in range(0, len(data), 70_000):
        block = data[start : start + 70_000]
        handler.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
        handler.request_record.sent += len(block)
    handler.wfile.write(b"0\r\n\r\n")


def wrong_range(handler: Handler, data: bytes) -> None:
    """Answer a range with another one."""
    handler.head(206, Content_Length=len(data), Content_Range=f"bytes 0-{len(data) - 1}/{len(data)}")
    handler.body(data)


def raw(data: bytes) -> Fault:
    """Write bytes that need not be HTTP, and close."""

    def answer(handler: Handler, blob: bytes) -> None:
        del blob
        handler.wfile.write(data)
        handler.hang_up()

    return answer


def endless(handler: Handler, data: bytes) -> None:
    """Send zeros until the client leaves."""
    del data
    handler.head(200, Connection="close")
    while True:
        handler.wfile.write(b"\0" * BLOCK)
        handler.request_record.sent += BLOCK


def drip(pause: float) -> Fault:
    """Send one byte at a time."""

    def answer(handler: Handler, data: bytes) -> None:
        handler.head(200, Content_Length=len(data))
        for index in range(len(data)):
            handler.wfile.write(data[index : index + 1])
            handler.wfile.flush()
            time.sleep(pause)

    return answer


@contextmanager
def running() -> Iterator[BlobServer]:
    """Run a server for the time of a with block."""
    blobs = BlobServer()
    listener = _Listener(("127.0.0.1", 0), Handler)
    listener.blobs = blobs
    listener.numbers = itertools.count(1)
    blobs.url = f"http://127.0.0.1:{listener.server_address[1]}/"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield blobs
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
