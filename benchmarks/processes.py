"""
The bytes that travel where 32 processes ask for one blob at once, also when the one that fetches is killed.

1.000 is one download for all. Counted where they are sent.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import peers
from figures import Aim, Outcome, chosen, conclude, options, scratch
from payload import publish, publish_hub, random_pieces, write_listing
from servers import shaped
from shaped import Line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from interleave import Program
    from payload import Facts
    from servers import Site

LINE = Line(0.005, 200e6, 200e6)
"""So slow that all have started long before the first one is done."""
KILLED = "modeldeps, leader killed"
ONCE = 1.0005
"""What counts as 1.000."""


def main() -> int:
    """Print the figures; 0 where the aims are met."""
    parser = options(__doc__, rounds=1, size=512)
    parser.add_argument("--processes", type=int, default=32)
    words = parser.parse_args()
    with scratch(words) as folder:
        channel = folder / "channel"
        one = publish(channel, "model.onnx", random_pieces(words.size << 20, 6))
        write_listing(folder / "listing.json", [one])
        with shaped(channel, LINE, hub=publish_hub(channel, [one])) as site:
            rows = measure(chosen(programs(folder, one, site.url), words.only), site, one.size, words)
    aims = [Aim("modeldeps", "the size", ONCE, "bytes"), Aim(KILLED, "the size", 1.05, "bytes")]
    aims += [Aim(one, "the processes", 0, "failed") for one in ("modeldeps", KILLED)]
    outcomes = [Outcome(one, rows[one.of][one.of_what]) for one in aims if one.of in rows]
    return conclude("processes", rows, outcomes, words)


def programs(folder: Path, one: Facts, url: str) -> dict[str, peers.Found]:
    """Return what is run many times at once, in one folder."""
    listing = folder / "listing.json"
    return {
        "modeldeps": peers.ours(listing, folder / "ours", url),
        KILLED: peers.ours(listing, folder / "killed", url),
        "huggingface_hub http": peers.hub_http(one, folder / "hub", url),
        "huggingface_hub xet": peers.hub_xet(one, folder / "xet", url),
        "pooch": peers.pooch(one, folder / "pooch", url),
    }


def measure(
    programs: Mapping[str, Program], site: Site, size: int, words: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Run each program many times at once, and print what travelled and how long the last one took."""
    rows = {}
    for name, one in programs.items():
        one.prepare()
        before, start = site.counts()["bytes"], time.perf_counter()
        failed = (leader_killed if name == KILLED else at_once)(one, site, size, words.processes)
        wall, sent = time.perf_counter() - start, (site.counts()["bytes"] - before) / size
        rows[name] = {"bytes": sent, "wall": wall, "failed": failed}
        print(f"{name:28} {sent:8.4f} of the size {wall:7.1f} s, {failed} failed", flush=True)
    return rows


def at_once(one: Program, site: Site, size: int, count: int) -> int:
    """Start all; return how many failed."""
    del site, size
    return failures([start_(one) for _ in range(count)])


def leader_killed(one: Program, site: Site, size: int, count: int) -> int:
    """Start one, then all others, then kill the first in the middle; return how many of the others failed."""
    before = site.counts()["bytes"]
    first = start_(one)
    wait_for_bytes(site, before + size // 5)
    others = [start_(one) for _ in range(count - 1)]
    wait_for_bytes(site, before + size // 2)
    first.kill()
    first.wait()
    return failures(others)


def start_(one: Program) -> subprocess.Popen[bytes]:
    """Start a program; what it says is not shown."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(one.words, env={**os.environ, **(one.environ or {})}, stdout=quiet, stderr=quiet)


def failures(processes: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all, ten minutes at most; return how many failed."""
    return sum(one.wait(timeout=600) != 0 for one in processes)


def wait_for_bytes(site: Site, count: int) -> None:
    """Wait until the server has sent so many, a minute at most."""
    for _ in range(3000):
        if site.counts()["bytes"] >= count:
            return
        time.sleep(0.02)
    raise TimeoutError(count)


if __name__ == "__main__":
    sys.exit(main())
