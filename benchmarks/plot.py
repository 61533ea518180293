"""Draw the recorded figures as SVG for the docs: a panel for each benchmark, a bar for each program."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH, LEFT, RIGHT, BAR, GAP = 760, 275, 70, 15, 5
OURS, PEER, TARGET, INK, PAPER = "#2f6fb5", "#b9bec6", "#c2410c", "#1f2328", "#ffffff"


@dataclass(frozen=True)
class Panel:
    """What is drawn of one record."""

    record: str
    """The benchmark's name."""
    title: str
    """What stands above."""
    key: str
    """Which value of a row is drawn."""
    unit: str
    """What stands behind each value."""


PICTURES = {
    "fetching": [
        Panel("fetch", "{size} MiB over loopback", "wall", "s"),
        Panel("line", "{size} MiB, 50 ms and 20 MB/s a connection, 250 MB/s in all", "wall", "s"),
        Panel("small", "1,000 files of 100 kB on the same line", "wall", "s"),
        Panel("delta-line", "{size} MiB whose last 64 kB changed, on the same line", "wall", "s"),
    ],
    "bytes": [
        Panel("processes", "bytes sent to 32 processes for {size} MiB, times the size", "bytes", ""),
        Panel("kills", "bytes sent for {size} MiB with nine kills, times the size", "bytes", ""),
        Panel("memory", "most memory for {size} MiB", "peak", "MB"),
    ],
}


def main() -> int:
    """Write the pictures for which there are records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path, help="folder that benchmarks wrote with --json")
    parser.add_argument("output", type=Path, help="folder for the pictures")
    words = parser.parse_args()
    for name, panels in PICTURES.items():
        there = [one for one in panels if (words.record / f"{one.record}.json").is_file()]
        if there:
            (words.output / f"{name}.svg").write_text(picture(there, words.record))
            print(words.output / f"{name}.svg")
    return 0


def picture(panels: Sequence[Panel], folder: Path) -> str:
    """Return an SVG of panels below each other."""
    lines: list[str] = []
    top = 10
    for one in panels:
        record = json.loads((folder / f"{one.record}.json").read_text())
        rows = {name: row[one.key] for name, row in record["rows"].items() if one.key in row}
        aims = marks(record["aims"], rows)
        lines += panel(one.title.format(**record["setting"]), rows, aims, one.unit, top)
        top += 30 + len(rows) * (BAR + GAP) + 16
    style = f"text{{font:12px system-ui,sans-serif;fill:{INK}}}.t{{font-weight:600}}.v{{font-size:11px}}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img">'
    back = f'<rect width="{WIDTH}" height="{top}" rx="6" fill="{PAPER}"/>'
    return "\n".join([head, f"<style>{style}</style>", back, *lines, "</svg>", ""])


def marks(aims: Sequence[dict[str, Any]], rows: dict[str, float]) -> dict[str, float]:
    """Return where each program's mark stands, the strictest of its aims."""
    found: dict[str, float] = {}
    for one in aims:
        match one["of_what"], rows.get(one["against"]):
            case "wall", float(peer):
                at = one["most"] * peer
            case "MB over", float(bare):
                at = one["most"] + bare
            case "bytes", _:
                at = one["most"]
            case _:
                continue
        found[one["of"]] = min(at, found.get(one["of"], at))
    return found


def panel(title: str, rows: dict[str, float], aims: dict[str, float], unit: str, top: int) -> Iterator[str]:
    """Return the elements of one panel, the least first; a mark shows what was aimed at."""
    scale = (WIDTH - LEFT - RIGHT) / max(rows.values())
    yield f'<text class="t" x="14" y="{top + 16}">{escape(title)}</text>'
    for place, (name, value) in enumerate(sorted(rows.items(), key=lambda one: one[1])):
        y = top + 28 + place * (BAR + GAP)
        wide = max(1.0, value * scale)
        colour = OURS if name.startswith("modeldeps") else PEER
        yield f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect x="{LEFT}" y="{y}" width="{wide:.1f}" height="{BAR}" fill="{colour}"/>'
        yield f'<text class="v" x="{LEFT + wide + 6:.1f}" y="{y + 12}">{text_of(value)} {unit}</text>'
        if name in aims:
            at = LEFT + aims[name] * scale
            yield f'<path d="M{at:.1f} {y - 2}v{BAR + 4}" stroke="{TARGET}" stroke-width="2"/>'


def text_of(value: float) -> str:
    """Return a value in three places."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three places


if __name__ == "__main__":
    sys.exit(main())
