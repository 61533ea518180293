"""How the fetch speaks inside a conda command: below conda's own line, and not where conda is silent."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from modeldeps.progress import BarReporter, LineReporter, Reporter, can_draw

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

TRANSACTION = "conda.core.link"
"""The module of conda whose functions the main thread is in while a transaction goes on."""

_STEP = "  "
"""As far as the spinner steps back when it ends."""


class CondaReporter(Reporter):
    """
    Draw below the line that conda began, and begin that line again at the end.

    conda's spinner goes on meanwhile: it writes a character where the cursor is and steps back, so it
    turns at the end of the bar.
    """

    def __init__(self, heading: str, inner: Reporter | None = None) -> None:
        self._heading = heading
        self._inner = inner or _inner()
        self._is_watched = threading.current_thread() is not threading.main_thread() and _is_in_transaction()

    def begin(self, label: str, *, total: int | None) -> None:
        """Leave conda's line."""
        _write("\n")
        self._inner.begin(label, total=total)

    def advance(self, count: int) -> None:
        """Count bytes."""
        self._inner.advance(count)

    def note(self, text: str) -> None:
        """Say a line."""
        self._inner.note(text)

    def beat(self) -> None:
        """
        End the work where the main thread left the transaction. Raises KeyboardInterrupt.

        With `verify_threads` above 1 conda calls an action in another thread, where nobody hears Ctrl-C.
        """
        if self._is_left:
            raise KeyboardInterrupt

    def end(self) -> None:
        """Begin conda's line again, unless conda gave up."""
        self._inner.end()
        if not self._is_left:
            _write(f"{self._heading}: {_STEP if can_draw(sys.stdout) else ''}")

    @property
    def _is_left(self) -> bool:
        return self._is_watched and not _is_in_transaction()


class SilentReporter(CondaReporter):
    """Say nothing, and still hear Ctrl-C."""

    def __init__(self) -> None:
        super().__init__("", Reporter())

    def begin(self, label: str, *, total: int | None) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


def reporter_for(context: Any, heading: str) -> Reporter:
    """Return who tells of a fetch, as `--quiet` and `--json` want it."""
    is_silent = getattr(context, "quiet", False) or getattr(context, "json", False)
    return SilentReporter() if is_silent else CondaReporter(heading)


def _inner() -> Reporter:
    return BarReporter(sys.stdout) if can_draw(sys.stdout) else LineReporter(sys.stdout)


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:  # nobody listens; the fetch goes on
        return


def _is_in_transaction() -> bool:
    """Tell whether the main thread is in one of the functions that carry out a transaction."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - documented so
    return any(one.f_globals.get("__name__") == TRANSACTION for one in _frames(frame))


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
