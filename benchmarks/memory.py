"""
The most memory that a fetch takes, over the bare interpreter or, for other programs, in all.

Read from the kernel's own high-water mark of the process while it runs, over loopback and over a line of
50 ms, where more connections are open.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import peers
from figures import Aim, Outcome, chosen, conclude, options, scratch
from interleave import Program
from payload import publish, publish_hub, random_pieces, write_listing
from servers import shaped
from shaped import Line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from payload import Facts

MOST = 64
"""MB over the interpreter."""
FILES, EACH = 1000, 100_000
"""The small files."""
LINES = {"loopback": Line(), "line": Line(0.05, 20e6, 250e6)}
BARE = "bare interpreter"


def main() -> int:
    """Print the figures; 0 where the aim is met."""
    words = options(__doc__, rounds=3, size=1024).parse_args()
    with scratch(words) as folder:
        channel = folder / "channel"
        one = publish(channel, "model.onnx", random_pieces(words.size << 20, 5))
        small = [publish(channel, f"part-{n}.bin", random_pieces(EACH, n)) for n in range(FILES)]
        write_listing(folder / "listing.json", [one])
        write_listing(folder / "small.json", small)
        hub = publish_hub(channel, [one])
        rows: dict[str, dict[str, float]] = {}
        for name, line in LINES.items():
            with shaped(channel, line, hub=hub) as site:
                found = chosen(programs(folder, one, site.url, name), f"{words.only},{BARE}")
                rows |= measure(found, words)
    return conclude("memory", rows, judged(rows), words)


def programs(folder: Path, one: Facts, url: str, where: str) -> dict[str, peers.Found]:
    """Return what is measured."""
    listing = folder / "listing.json"
    return {
        BARE: Program([sys.executable, "-c", "pass"]),
        f"{BARE} of the peers": Program([peers.PYTHON, "-c", "pass"]),
        f"modeldeps, {where}": peers.ours(listing, folder / "ours", url),
        f"modeldeps, no chunks named, {where}": peers.ours(listing, folder / "whole", url, whole=True),
        f"modeldeps, {FILES} files, {where}": peers.ours(folder / "small.json", folder / "small", url),
        f"huggingface_hub http, {where}": peers.hub_http(one, folder / "hub", url),
        f"huggingface_hub xet, {where}": peers.hub_xet(one, folder / "xet", url),
        f"huggingface_hub xet, fast, {where}": peers.hub_xet(one, folder / "xet-fast", url, fast=True),
        f"aria2c -x16, {where}": peers.aria2(one, folder / "aria", url),
        f"curl, {where}": peers.curl_file(one, folder / "curl", url),
    }


def measure(programs: Mapping[str, Program], words: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Run each program some times, and print the median of its peak in MB."""
    rows = {}
    for name, one in programs.items():
        peaks = [peak(one) for _ in range(words.rounds)]
        rows[name] = {"peak": statistics.median(peaks)}
        print(f"{name:44} {rows[name]['peak']:8.1f} MB", flush=True)
    return rows


def peak(program: Program) -> float:
    """Run a program and return the most MB that it had in memory at a time."""
    program.prepare()
    variables = {**os.environ, **(program.environ or {})}
    most = 0
    with subprocess.Popen(program.words, env=variables, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            most = max(most, high_water(process.pid))
            time.sleep(0.001)
        assert process.stdout is not None
        output = process.stdout.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(program.words), output=output)
    program.check(output)
    return most * 1024 / 1e6


def high_water(number: int) -> int:
    """Return the high-water mark of a process in KiB, 0 once it is gone."""
    try:
        text = Path(f"/proc/{number}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)


def judged(rows: Mapping[str, Mapping[str, float]]) -> list[Outcome]:
    """Return what each fetch by modeldeps takes over the interpreter."""
    bare = rows[BARE]["peak"]
    names = [name for name in rows if name.startswith("modeldeps")]
    return [Outcome(Aim(name, BARE, MOST, "MB over"), rows[name]["peak"] - bare) for name in names]


if __name__ == "__main__":
    sys.exit(main())
