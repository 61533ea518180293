"""How commands speak: data on stdout as a table or JSON, talk on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence


def say(text: str) -> None:
    """Write a line of talk to stderr."""
    print(text, file=sys.stderr)  # noqa: T201 - the command line speaks here


def say_error(text: str) -> None:
    """Write an error; its facts and `hint:` are lines of their own already."""
    say(f"error: {text}")


def write(text: str) -> None:
    """Write a line of data to stdout."""
    print(text)  # noqa: T201 - the command line speaks here


def write_json(value: object) -> None:
    """Write data as JSON to stdout."""
    write(json.dumps(value, indent=2, ensure_ascii=False))


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return aligned lines, two spaces between the columns; a column of numbers is aligned to the right."""
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


def add_json(parser: argparse.ArgumentParser) -> None:
    """Give a reading command its `--json`."""
    parser.add_argument("--json", action="store_true", help="write the result as JSON")
