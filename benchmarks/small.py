"""
What 1,000 files of 100 kB cost over a line of 50 ms and 20 MB/s per connection, 250 MB/s in all.

`curl -Z` writes them and verifies nothing; modeldeps verifies each and brings it to disk.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import peers
from figures import Aim, options, run, scratch
from interleave import Program
from payload import Facts, publish, publish_hub, random_pieces, write_listing
from servers import shaped
from shaped import Line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from peers import Found

EACH = 100_000
"""Bytes of a file."""
BASE = "curl -Z --parallel-max 16"
AIMS = [Aim("modeldeps", BASE, 0.5), Aim("modeldeps", "huggingface_hub snapshot", 0.5)]


def main() -> int:
    """Print the figures; 0 where the aims are met."""
    parser = options(__doc__, rounds=5, size=100)
    parser.add_argument("--files", type=int, default=1000, help="how many")
    words = parser.parse_args()
    words.size = words.files * EACH >> 20
    with scratch(words) as folder:
        channel = folder / "channel"
        files = [publish(channel, f"part-{n}.bin", random_pieces(EACH, n)) for n in range(words.files)]
        write_listing(folder / "listing.json", files)
        hub = publish_hub(channel, files, xet=False)
        with shaped(channel, Line(0.05, 20e6, 250e6), hub=hub) as site:
            return run("small", programs(folder, files, site.url), words, base=BASE, aims=AIMS)


def programs(folder: Path, files: Sequence[Facts], url: str) -> dict[str, Found]:
    """Return what is compared."""
    return {
        BASE: curl(files, folder, url),
        "modeldeps": peers.ours(folder / "listing.json", folder / "ours", url),
        "aria2c -j16": aria2(files, folder, url),
        "huggingface_hub snapshot": peers.hub_snapshot(folder / "hub", url),
        "huggingface_hub snapshot, 16": peers.hub_snapshot(folder / "hub16", url, workers=16),
    }


def curl(files: Sequence[Facts], folder: Path, url: str) -> Found:
    """Fetch all by one curl."""
    out, listing = folder / "curl", folder / "curl.txt"
    lines = [f'url = "{url}{one.target}"\noutput = "{out}/{one.path}"\n' for one in files]
    listing.write_text("".join(lines))
    words = ["curl", "-sS", "--fail", "-Z", "--no-progress-meter", "--parallel-max", "16", "-K", str(listing)]
    return peers.needs("curl") or Program(words, None, peers.emptied(out), _all_there(out, files))


def aria2(files: Sequence[Facts], folder: Path, url: str) -> Found:
    """Fetch all by one aria2c, each verified."""
    out, listing = folder / "aria", folder / "aria.txt"
    lines = [f"{url}{one.target}\n  out={one.path}\n  checksum=sha-256={one.sha256}\n" for one in files]
    listing.write_text("".join(lines))
    words = ["aria2c", "-q", "--no-conf", "-j16", "-x16", "-d", str(out), "-i", str(listing)]
    return peers.needs("aria2c") or Program(words, None, peers.emptied(out), _all_there(out, files))


def _all_there(folder: Path, files: Sequence[Facts]) -> peers.Check:
    def check(_output: str) -> None:
        sizes = {one.name: one.stat().st_size for one in folder.iterdir()}
        assert sizes == {one.path: one.size for one in files}

    return check


if __name__ == "__main__":
    sys.exit(main())
