"""
What a new version costs whose last 64 kB changed, where the old one is here, against a full fetch.

Measured over loopback and over a line of 50 ms and 20 MB/s per connection. Both versions are fetched by the
program that is measured; only the second is timed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import peers
from figures import Aim, chosen, options, run, scratch
from interleave import Program
from payload import Facts, publish, publish_hub, random_pieces, write_listing
from servers import shaped
from shaped import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from peers import Found
    from servers import Site

HEAD = 1 << 16
"""Bytes that changed."""
FULL, CHANGED = "modeldeps, in full", "modeldeps, changed head"
AIMS = [Aim(CHANGED, FULL, 0.2)]
LINE = Line(0.05, 20e6, 250e6)


def main() -> int:
    """Print the figures; 0 where the aims are met."""
    words = options(__doc__, rounds=5, size=1024).parse_args()
    with scratch(words) as folder:
        channel = folder / "channel"
        old, new = (publish(channel, f"model-{n}.onnx", pieces(words.size << 20, n)) for n in (1, 2))
        write_listing(folder / "old.json", [old])
        write_listing(folder / "new.json", [new])
        hub = publish_hub(channel, [old, new])
        missed = 0
        for name, line in (("delta-loopback", Line()), ("delta-line", LINE)):
            with shaped(channel, line, hub=hub) as site:
                found = programs(folder, (old, new), site.url)
                missed |= run(name, found, words, base=FULL, aims=AIMS)
                print_bytes(chosen(found, words.only), site, new.size)
            print()
    return missed


def pieces(size: int, version: int) -> Iterator[bytes]:
    """Return the pieces of one version: all but the last are the same."""
    yield from random_pieces(size - HEAD, 3)
    yield from random_pieces(HEAD, 3 + version)


def programs(folder: Path, versions: tuple[Facts, Facts], url: str) -> dict[str, Found]:
    """Return what is compared."""
    new = versions[1]
    held, cache = folder / "changed", folder / "xet-changed"
    after_old = after(peers.ours(folder / "old.json", held, url))
    return {
        FULL: peers.ours(folder / "new.json", folder / "full", url),
        CHANGED: peers.ours(folder / "new.json", held, url, prepare=after_old),
        "zsync, changed head": zsync(folder, versions, url),
        "huggingface_hub xet, in full": peers.hub_xet(new, folder / "xet", url, fast=True),
        "huggingface_hub xet, changed": second(*(xet(one, cache, url) for one in versions)),
    }


def after(first: Program) -> Callable[[], None]:
    """Return what runs a program once, so that what it fetched is there."""

    def prepare() -> None:
        first.prepare()
        environ = {**os.environ, **(first.environ or {})}
        subprocess.run(first.words, check=True, stdout=subprocess.DEVNULL, env=environ)

    return prepare


def xet(one: Facts, folder: Path, url: str) -> Found:
    """Fetch by hf_xet with its cache of chunks, which is off by default."""
    return peers.hub_xet(one, folder, url, fast=True, HF_XET_CHUNK_CACHE_SIZE_BYTES=str(10 << 30))


def second(first: Found, then: Found) -> Found:
    """Return the second program, run where the first one has been."""
    if isinstance(first, peers.Absent) or isinstance(then, peers.Absent):
        return first
    return replace(then, prepare=after(first))


def zsync(folder: Path, versions: tuple[Facts, Facts], url: str) -> Found:
    """Fetch the new version by zsync, whose listing of digests was fetched already, from the old file."""
    if absent := peers.needs("zsync", "zsyncmake"):
        return absent
    channel, out, listing = folder / "channel", folder / "zsync", folder / "new.zsync"
    old, new = (str(one.blob(channel)) for one in versions)
    make = ["zsyncmake", "-b", "4096", "-u", url + versions[1].target, "-o", str(listing), new]
    subprocess.run(make, check=True, capture_output=True)
    words = ["zsync", "-q", "-i", old, "-o", str(out / "out"), str(listing)]
    return Program(words, None, peers.emptied(out), peers.holds(out / "out", versions[1].size))


def print_bytes(found: Mapping[str, Program], site: Site, size: int) -> None:
    """Run each program once more and print the bytes and requests that it took."""
    for name, one in found.items():
        one.prepare()
        before = site.counts()
        environ = {**os.environ, **(one.environ or {})}
        subprocess.run(one.words, check=True, stdout=subprocess.DEVNULL, env=environ)
        now = site.counts()
        sent, asked = (now[key] - before[key] for key in ("bytes", "requests"))
        print(f"{name:32} {sent:11} bytes, {sent / size:.4f} of the whole, {asked} requests")


if __name__ == "__main__":
    sys.exit(main())
