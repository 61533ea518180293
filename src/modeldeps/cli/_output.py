"""How commands speak: data on stdout as a table or JSON, talk on stderr."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from modeldeps.progress import Reporter

_wording: Callable[[str], str] | None = None


def open_streams() -> None:
    """
    Make stdout and stderr take whatever is written.

    Python has none of a stream that was closed (`>&-`); the null device takes its place and its number,
    so that no file that is opened later gets it. Characters that the encoding lacks are escaped.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - for good
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def worded(wording: Callable[[str], str]) -> Iterator[None]:
    """Give all talk and tables to a function first: under another host commands have other names."""
    global _wording  # noqa: PLW0603 - as the streams, this belongs to the process
    before, _wording = _wording, wording
    try:
        yield
    finally:
        _wording = before


def _in_words(text: str) -> str:
    return _wording(text) if _wording else text


def say(text: str) -> None:
    """Write a line of talk to stderr; where that can't be written, nobody listens."""
    with contextlib.suppress(OSError):
        print(_in_words(text), file=sys.stderr)  # noqa: T201 - the command line speaks here


def say_error(text: str) -> None:
    """Write an error; its facts and `hint:` are lines of their own already."""
    say(f"error: {text}")


def write(text: str) -> None:
    """Write a line of data to stdout."""
    print(_in_words(text))  # noqa: T201 - the command line speaks here


def write_json(value: object) -> None:
    """Write data as JSON to stdout; in ASCII where its encoding lacks characters."""
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    print(json.dumps(value, indent=2, ensure_ascii=encoding != "utf8"))  # noqa: T201 - no words to change


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return aligned lines, two spaces between the columns."""
    body = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [list(header), *body]
    ]


def facts(pairs: Iterable[tuple[str, object]]) -> list[str]:
    """Return lines `label  value` with the values aligned; a pair without a value is left out."""
    kept = [(label, str(value)) for label, value in pairs if value not in (None, "", ())]
    width = max((len(label) for label, _ in kept), default=0)
    lines: list[str] = []
    for label, value in kept:
        first, *rest = value.splitlines()
        lines.append(f"{label:<{width}}  {first}")
        lines += [f"{'':<{width}}  {line}" for line in rest]
    return lines


def reporter() -> Reporter:
    """Return a bar where stderr is a terminal that draws it; elsewhere lines, so that notes are seen."""
    from modeldeps.progress import BarReporter, LineReporter, can_draw  # noqa: PLC0415 - few commands fetch

    return BarReporter(sys.stderr) if can_draw(sys.stderr) else LineReporter(sys.stderr)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Give a reading command its `--json`."""
    parser.add_argument("--json", action="store_true", help="write the result as JSON")
