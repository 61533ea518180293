"""Print recorded figures as the tables of the documentation."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

NAMES = ("fetch", "line", "line-slow-start", "small", "delta-loopback", "delta-line", "processes", "kills")


def main() -> int:
    """Print a table for each record, and one of the aims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path, help="folder that benchmarks wrote with --json")
    words = parser.parse_args()
    files = [words.record / f"{name}.json" for name in (*NAMES, "memory")]
    records = [json.loads(file.read_text()) for file in files if file.is_file()]
    for one in records:
        print("\n".join([*table(one), ""]))
    print("\n".join(aims(records)))
    return 0


def table(record: dict[str, Any]) -> list[str]:
    """Return the lines of one table: a program a row, a kind of value a column."""
    kinds = list(dict.fromkeys(kind for row in record["rows"].values() for kind in row))
    title = f"{record['name']}, {record['setting']['size']} MiB, {record['setting']['rounds']} rounds"
    lines = [f"| {title} | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for name, row in record["rows"].items():
        lines.append(f"| {cell(name)} | {' | '.join(f'{row[kind]:.3f}' for kind in kinds)} |")
    return lines


def aims(records: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a table of what was aimed at."""
    lines = ["| benchmark | what | against | of | found | aim |", "|---|---|---|---|---|---|"]
    for record in records:
        for one in record["aims"]:
            cells = (record["name"], one["of"], one["against"], one["of_what"])
            found = f"{one['found']:.3f} | {one['most']}"
            lines.append(f"| {' | '.join(cell(text) for text in cells)} | {found} |")
    return lines


def cell(text: str) -> str:
    """Return text that stands in a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
