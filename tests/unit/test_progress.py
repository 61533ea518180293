from __future__ import annotations

import io
import threading

import pytest

from modeldeps.progress import (
    JUMP,
    WINDOW,
    BarReporter,
    LineReporter,
    Pace,
    Reporter,
    default_reporter,
    format_bytes,
    progress_line,
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (2_100, "2.1 kB"), (54_000_000, "54.0 MB"), (5 * 10**15, "5000.0 TB")],
)
def test_sizes_are_in_decimal_units(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_a_line_tells_share_rate_and_time_left() -> None:
    line = progress_line("digits 2.1.0", 12_000_000, 54_000_000, 6e6)
    assert line == "digits 2.1.0  12.0 MB of 54.0 MB  22 %  6.0 MB/s  7 s left"


def test_a_size_that_is_not_known_is_not_made_up() -> None:
    assert progress_line("digits", 1000, None, 1000.0) == "digits  1.0 kB  1.0 kB/s"


@pytest.mark.parametrize("width", [1, 5, 20, 36, 48, 56, 57, 80])
def test_a_line_that_a_terminal_would_break_loses_its_last_words(width: int) -> None:
    whole = "digits 2.1.0  12.0 MB of 54.0 MB  22 %  6.0 MB/s  7 s left"
    line = progress_line("digits 2.1.0", 12_000_000, 54_000_000, 6e6, width=width)
    assert len(line) <= width
    assert whole.startswith(line)
    assert width < len(whole) or line == whole


def test_what_was_there_already_is_no_speed() -> None:
    pace = Pace(100.0)
    pace.count(JUMP)
    pace.count(1000)
    assert pace.rate(101.0) == 1000
    assert pace.mean(100.0, 102.0) == 500


def test_the_rate_is_that_of_the_last_seconds() -> None:
    pace, rate = Pace(0.0), 0.0
    for second in range(1, 41):
        pace.count(1000 if second <= 20 else 10)
        rate = pace.rate(float(second))
    assert rate == pytest.approx(10)
    assert pace.mean(0.0, 40.0) == pytest.approx((20 * 1000 + 20 * 10) / 40)
    assert len(pace._points) <= WINDOW + 2


def test_a_terminal_gets_one_line_that_is_drawn_again() -> None:
    stream = Terminal()
    bar = BarReporter(stream, interval=0)
    bar.begin("digits", total=2000)
    bar.advance(1000)
    bar.note("a source failed")
    bar.advance(1000)
    bar.end()
    assert stream.getvalue().endswith("\n")
    assert "50 %" in stream.getvalue()
    assert "a source failed\n" in stream.getvalue()


def test_bytes_counted_by_several_threads_are_all_counted() -> None:
    bar = BarReporter(Terminal(), interval=60)
    bar.begin("digits", total=40_000)

    def count() -> None:
        for _ in range(10_000):
            bar.advance(1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bar._done == 40_000


def test_a_stream_that_is_no_terminal_hears_nothing_by_default() -> None:
    assert type(default_reporter(io.StringIO())) is Reporter
    assert isinstance(default_reporter(Terminal()), BarReporter)


def test_a_terminal_that_can_erase_nothing_gets_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert type(default_reporter(Terminal())) is Reporter


def test_a_terminal_that_went_away_stops_no_work() -> None:
    class Gone(Terminal):
        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    bar = BarReporter(Gone(), interval=0)
    bar.begin("digits 2.1.0", total=5)
    bar.advance(5)
    bar.note("a source failed")
    bar.end()


def test_plain_lines_say_what_begins() -> None:
    stream = io.StringIO()
    lines = LineReporter(stream)
    lines.begin("digits", total=2000)
    lines.advance(2000)
    lines.end()
    assert stream.getvalue() == "digits (2.0 kB)\n"


def test_a_stream_that_is_full_stops_no_work() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    lines = LineReporter(Full())
    lines.begin("digits 2.1.0", total=5)
    lines.note("a source failed")
    lines.end()
