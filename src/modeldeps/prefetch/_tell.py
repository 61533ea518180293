"""Say what a prefetch does where a person sees it: installers keep the words of a build to themselves."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, TextIO

from modeldeps.progress import BarReporter, LineReporter, Reporter, can_draw

if TYPE_CHECKING:
    from collections.abc import Iterator

TERMINAL = "CONOUT$" if os.name == "nt" else "/dev/tty"
"""The controlling terminal, whatever stdout and stderr are."""
PREFIX = "modeldeps: "


@contextlib.contextmanager
def teller() -> Iterator[Both]:
    """Give a reporter that writes to stderr, for the installer's log, and to the terminal if there is one."""
    terminal = None if sys.stderr.isatty() else _terminal()
    log = BarReporter(sys.stderr) if can_draw(sys.stderr) else LineReporter(sys.stderr)
    try:
        yield Both(log, BarReporter(terminal)) if terminal else Both(log)
    finally:
        if terminal:
            terminal.close()


def _terminal() -> TextIO | None:
    """Open the controlling terminal; a job of a CI service or a container has none."""
    try:
        return open(TERMINAL, "w", encoding="utf-8", errors="replace")  # noqa: PTH123 - the caller closes
    except OSError:
        return None


class Both(Reporter):
    """Report to several reporters, with the name of this tool before each line."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def begin(self, label: str, *, total: int | None) -> None:
        """Start one piece of work everywhere."""
        for one in self._reporters:
            one.begin(PREFIX + label, total=total)

    def advance(self, count: int) -> None:
        """Count bytes everywhere."""
        for one in self._reporters:
            one.advance(count)

    def note(self, text: str) -> None:
        """Say a line everywhere."""
        for one in self._reporters:
            one.note(PREFIX + text)

    def log(self, text: str) -> None:
        """Say a line in the installer's log alone: nobody waits for it."""
        self._reporters[0].note(PREFIX + text)

    def end(self) -> None:
        """Finish everywhere."""
        for one in self._reporters:
            one.end()
