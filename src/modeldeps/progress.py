"""Progress of long work, told to a reporter that does nothing by default."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from typing import TextIO

UNITS = ("B", "kB", "MB", "GB", "TB")
WINDOW = 10.0
"""Seconds whose mean the rate is that a bar shows."""
JUMP = 9_000_000
"""As many bytes, counted at once, were there already: the largest block that is read has 8 MiB."""


class Reporter:
    """Hear how long work goes on; this one is silent."""

    def begin(self, label: str, *, total: int | None) -> None:
        """Start one piece of work of `total` bytes, or of unknown size."""

    def advance(self, count: int) -> None:
        """Add bytes done; may be called from any thread, and with less than 0 when work was lost."""

    def note(self, text: str) -> None:
        """Say one line that should be seen, such as a source that failed."""

    def beat(self) -> None:
        """
        Hear at least every second, from the thread that waits, that work goes on.

        What this raises ends the work.
        """

    def end(self) -> None:
        """Finish what `begin` started, whether it went well or not."""


class Pace:
    """Tell how fast bytes come; what was found all at once did not come."""

    def __init__(self, start: float) -> None:
        self._came = 0
        self._points = deque([(start, 0)])

    def count(self, count: int) -> None:
        """Take note of bytes; less than 0 when work was lost."""
        if abs(count) < JUMP:
            self._came += count

    def rate(self, now: float) -> float:
        """Return the bytes a second of the last `WINDOW` seconds, and begin a new point there."""
        while len(self._points) > 1 and self._points[1][0] <= now - WINDOW:
            self._points.popleft()
        since, came = self._points[0]
        self._points.append((now, self._came))
        return max(0.0, (self._came - came) / (now - since)) if now > since else 0.0

    def mean(self, start: float, now: float) -> float:
        """Return the bytes a second of all the time."""
        return max(0.0, self._came / (now - start)) if now > start else 0.0


class BarReporter(Reporter):
    """Draw one line on a terminal: label, share, rate, time left; a terminal that went away stops no work."""

    def __init__(self, stream: TextIO, *, interval: float = 0.1) -> None:
        self._stream = stream
        self._interval = interval
        self._label = ""
        self._total: int | None = None
        self._done = 0
        self._start = self._drawn = 0.0
        self._pace = Pace(0.0)
        self._lock = threading.Lock()

    def begin(self, label: str, *, total: int | None) -> None:
        """Start the line."""
        self._label, self._total, self._done = label, total, 0
        self._start = self._drawn = time.monotonic()
        self._pace = Pace(self._start)
        self._draw(0.0)

    def advance(self, count: int) -> None:
        """Count bytes, and draw at most ten times a second."""
        with self._lock:
            self._done += count
            self._pace.count(count)
            now = time.monotonic()
            if now - self._drawn < self._interval:
                return
            self._drawn = now
            rate = self._pace.rate(now)
        self._draw(rate)

    def note(self, text: str) -> None:
        """Write a line of its own above the bar."""
        self._write(f"\r\033[K{text}\n")

    def end(self) -> None:
        """Draw the last state and leave the line."""
        self._draw(self._pace.mean(self._start, time.monotonic()))
        self._write("\n")

    def _draw(self, rate: float) -> None:
        line = progress_line(self._label, self._done, self._total, rate, width=_columns(self._stream))
        self._write(f"\r\033[K{line}")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()


class LineReporter(Reporter):
    """Write a plain line when work begins, and notes; for streams that are no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def begin(self, label: str, *, total: int | None) -> None:
        """Say what begins and how large it is."""
        self.note(f"{label} ({format_bytes(total)})" if total is not None else label)

    def note(self, text: str) -> None:
        """Write the line; a stream that can't be written stops no work."""
        with contextlib.suppress(OSError):
            self._stream.write(f"{text}\n")
            self._stream.flush()


def progress_line(label: str, done: int, total: int | None, rate: float, *, width: int = 0) -> str:
    """
    Return one line: `digits 2.1.0  12.0 MB of 54.0 MB  22 %  18.2 MB/s  2 s left`.

    `rate` is in bytes a second. A line that is longer than `width` loses its last words, as a terminal
    erases only the last row of a line that it had to break; 0 stands for any width.
    """
    parts = [label, format_bytes(done) if total is None else f"{format_bytes(done)} of {format_bytes(total)}"]
    if total:
        parts.append(f"{min(done, total) * 100 // total} %")
    if rate > 0:
        parts.append(f"{format_bytes(int(rate))}/s")
        if total and done < total:
            parts.append(f"{(total - done) / rate:.0f} s left")
    while width and len(parts) > 1 and len("  ".join(parts)) > width:
        parts.pop()
    return "  ".join(parts)[: width or None]


def format_bytes(count: int) -> str:
    """Return a size in decimal units: `37 B`, `2.1 kB`, `54.0 MB`."""
    value = float(count)
    for unit in UNITS[:-1]:
        if abs(value) < 1000:  # noqa: PLR2004 - a kilo
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {UNITS[-1]}"


def counted(number: int, thing: str) -> str:
    """Return how many of something there are: `1 file`, `2 files`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def default_reporter(stream: TextIO | None = None) -> Reporter:
    """Return a bar when stderr is a terminal that can draw one, else silence."""
    chosen = sys.stderr if stream is None else stream
    return BarReporter(chosen) if chosen is not None and can_draw(chosen) else Reporter()


def can_draw(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that can erase a line."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _columns(stream: TextIO) -> int:
    """Return how many characters fit into a line of a terminal, 0 if unknown."""
    try:
        return max(0, os.get_terminal_size(stream.fileno()).columns - 1)
    except (OSError, ValueError):
        return 0
