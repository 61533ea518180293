"""What a web server reads and answers, as values: heads, ranges, files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

MAX_HEAD = 1 << 20
"""Bytes of requests that may wait unanswered on one connection."""
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_WORDS = {200: "OK", 206: "Partial Content", 302: "Found", 404: "Not Found", 416: "Range Not Satisfiable"}


@dataclass(frozen=True)
class Answer:
    """One answer: a status, headers, and a body of bytes or of a file's range."""

    status: int
    """The HTTP status."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers beside those of every answer."""
    body: bytes = b""
    """The body where it is no file."""
    file: Path | None = None
    """The file that the body is a range of."""
    start: int = 0
    """First byte of the range."""
    end: int = 0
    """Behind the last byte of the range."""

    def head(self, *, last: bool) -> bytes:
        """Return the status line and the headers."""
        size = self.end - self.start if self.file else len(self.body)
        headers = {"Content-Length": str(size), "Accept-Ranges": "bytes", **self.headers}
        if last:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {self.status} {_WORDS[self.status]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def parse_head(head: bytes) -> tuple[str, str, dict[str, str], bool]:
    """Return method, target, headers by lower-case name, and whether the client wants no more."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    keep = headers.get("connection", "" if version == "HTTP/1.1" else "close").lower()
    return method, target, headers, keep == "close"


def static_answer(folder: Path, target: str, headers: dict[str, str]) -> Answer:
    """Answer with a file below a folder, or 404."""
    path = folder / unquote(urlsplit(target).path).lstrip("/")
    if ".." in path.parts or not path.is_file():
        return Answer(404)
    return file_answer(path, headers, {})


def file_answer(path: Path, asked: dict[str, str], headers: dict[str, str]) -> Answer:
    """Answer with a file or the single range of it that was asked for; several ranges get all of it."""
    size = path.stat().st_size
    found = _RANGE.fullmatch(asked.get("range", ""))
    named = {"ETag": f'"{path.name}"', "Content-Type": "application/octet-stream", **headers}
    if not found:
        return Answer(200, named, file=path, start=0, end=size)
    start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
    if start >= end:
        return Answer(416, {"Content-Range": f"bytes */{size}"})
    named["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Answer(206, named, file=path, start=start, end=end)
