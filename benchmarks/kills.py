"""
The bytes that travel for one blob where the fetch is killed nine times on its way (SIGKILL).

Each run is killed once the server has sent another tenth of the blob for it; the tenth run ends. 1.0 is
nothing twice; 1.9 is that every run began anew.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import peers
from figures import Aim, Outcome, chosen, conclude, options, scratch
from payload import publish, publish_hub, random_pieces, write_listing
from processes import start_
from servers import shaped
from shaped import Line

if TYPE_CHECKING:
    from pathlib import Path

    from interleave import Program
    from payload import Facts
    from servers import Site

LINE = Line(0.005, 100e6, 100e6)
"""So slow that a kill meets its moment."""
KILLS = 9
MOST = 1.05


def main() -> int:
    """Print the figures; 0 where the aims are met."""
    words = options(__doc__, rounds=1, size=1024).parse_args()
    rows: dict[str, dict[str, float]] = {}
    with scratch(words) as folder:
        channel = folder / "channel"
        one = publish(channel, "model.onnx", random_pieces(words.size << 20, 7))
        write_listing(folder / "listing.json", [one])
        with shaped(channel, LINE, hub=publish_hub(channel, [one])) as site:
            for name, program in chosen(programs(folder, one, site.url), words.only).items():
                rows[name] = {"bytes": killed(program, site, one.size) / one.size}
                print(f"{name:28} {rows[name]['bytes']:8.4f} of the size", flush=True)
    aims = [Aim(name, "the size", MOST, "bytes") for name in rows if name.startswith("modeldeps")]
    return conclude("kills", rows, [Outcome(one, rows[one.of]["bytes"]) for one in aims], words)


def programs(folder: Path, one: Facts, url: str) -> dict[str, peers.Found]:
    """Return what is killed."""
    listing = folder / "listing.json"
    return {
        "modeldeps": peers.ours(listing, folder / "ours", url),
        "modeldeps, no chunks named": peers.ours(listing, folder / "whole", url, whole=True),
        "huggingface_hub http": peers.hub_http(one, folder / "hub", url),
        "huggingface_hub xet": peers.hub_xet(one, folder / "xet", url),
        "pooch": peers.pooch(one, folder / "pooch", url),
        "aria2c -x16": peers.aria2(one, folder / "aria", url, "-c"),
        "curl -C -": resuming(peers.curl_file(one, folder / "curl", url)),
    }


def resuming(one: peers.Found) -> peers.Found:
    """Return curl that goes on where it was."""
    return one if isinstance(one, peers.Absent) else replace(one, words=[*one.words, "-C", "-"])


def killed(program: Program, site: Site, size: int) -> int:
    """Run a program ten times, and kill all but the last; return the bytes that the server sent."""
    program.prepare()
    first = site.counts()["bytes"]
    for _ in range(KILLS):
        before = site.counts()["bytes"]
        process = start_(program)
        while process.poll() is None and site.counts()["bytes"] < before + size // (KILLS + 1):
            time.sleep(0.002)
        process.kill()
        process.wait()
    process = start_(program)
    if process.wait(timeout=600):
        raise subprocess.CalledProcessError(process.returncode, list(program.words))
    program.check("")
    return site.counts()["bytes"] - first


if __name__ == "__main__":
    sys.exit(main())
