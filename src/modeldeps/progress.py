"""Progress of long work, told to a reporter that does nothing by default."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import TextIO

UNITS = ("B", "kB", "MB", "GB", "TB")


class Reporter:
    """Hear how long work goes on; this one is silent."""

    def begin(self, label: str, *, total: int | None) -> None:
        """Start one piece of work of `total` bytes, or of unknown size."""

    def advance(self, count: int) -> None:
        """Add bytes done; may be called from any thread, and with less than 0 when work was lost."""

    def note(self, text: str) -> None:
        """Say one line that should be seen, such as a source that failed."""

    def end(self) -> None:
        """Finish what `begin` started, whether it went well or not."""


class BarReporter(Reporter):
    """Draw one line on a terminal: label, share, rate, time left."""

    def __init__(self, stream: TextIO, *, interval: float = 0.1) -> None:
        self._stream = stream
        self._interval = interval
        self._label = ""
        self._total: int | None = None
        self._done = 0
        self._start = self._drawn = 0.0
        self._lock = threading.Lock()

    def begin(self, label: str, *, total: int | None) -> None:
        """Start the line."""
        self._label, self._total, self._done = label, total, 0
        self._start = time.monotonic()
        self._draw()

    def advance(self, count: int) -> None:
        """Count bytes, and draw at most ten times a second."""
        with self._lock:
            self._done += count
        if time.monotonic() - self._drawn >= self._interval:
            self._draw()

    def note(self, text: str) -> None:
        """Write a line of its own above the bar."""
        self._stream.write(f"\r\033[K{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Draw the last state and leave the line."""
        self._draw()
        self._stream.write("\n")
        self._stream.flush()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        text = progress_line(self._label, self._done, self._total, self._drawn - self._start)
        self._stream.write(f"\r\033[K{text}")
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


def progress_line(label: str, done: int, total: int | None, seconds: float) -> str:
    """Return one line: `digits 2.1.0  12.0 MB of 54.0 MB  22 %  18.2 MB/s  2 s left`."""
    rate = done / seconds if seconds > 0 else 0.0
    parts = [label, format_bytes(done) if total is None else f"{format_bytes(done)} of {format_bytes(total)}"]
    if total:
        parts.append(f"{min(done, total) * 100 // total} %")
    if rate > 0:
        parts.append(f"{format_bytes(int(rate))}/s")
        if total and done < total:
            parts.append(f"{(total - done) / rate:.0f} s left")
    return "  ".join(parts)


def format_bytes(count: int) -> str:
    """Return a size in decimal units: `37 B`, `2.1 kB`, `54.0 MB`."""
    value = float(count)
    for unit in UNITS[:-1]:
        if abs(value) < 1000:  # noqa: PLR2004 - a kilo
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {UNITS[-1]}"


def default_reporter(stream: TextIO | None = None) -> Reporter:
    """Return a bar when stderr is a terminal, else silence."""
    chosen = sys.stderr if stream is None else stream
    return BarReporter(chosen) if chosen is not None and chosen.isatty() else Reporter()
