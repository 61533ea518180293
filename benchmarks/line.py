"""
What a fetch costs over a line of 50 ms and 20 MB/s per connection, 250 MB/s in all.

One stream is the base; a connection costs a round trip before its first request, a request another. With
`--slow-start` new connections begin slowly, as TCP does on a real line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import peers
from figures import Aim, options, run, scratch
from payload import publish, publish_hub, random_pieces, write_listing
from servers import shaped
from shaped import Line

if TYPE_CHECKING:
    import argparse

BASE, ARIA, XET = "curl, one stream", "aria2c -x16 -s16", "huggingface_hub xet, fast"
AIMS = [
    Aim("modeldeps", BASE, 0.11),
    Aim("modeldeps, no chunks named", BASE, 0.11),
    Aim("modeldeps", ARIA, 0.65),
    Aim("modeldeps", XET, 0.9),
]


def main() -> int:
    """Print the figures; 0 where the aims are met."""
    words = read_words()
    with scratch(words) as folder:
        channel = folder / "channel"
        one = publish(channel, "model.onnx", random_pieces(words.size << 20, 2))
        listing = write_listing(folder / "listing.json", [one])
        hub = publish_hub(channel, [one])
        rates = words.rate * 1e6, words.total * 1e6
        with shaped(channel, Line(words.delay / 1e3, *rates, words.slow_start), hub=hub) as site:
            url = site.url
            programs: dict[str, peers.Found] = {
                BASE: peers.curl_file(one, folder / "curl", url),
                "modeldeps": peers.ours(listing, folder / "ours", url),
                "modeldeps, no chunks named": peers.ours(listing, folder / "whole", url, whole=True),
                ARIA: peers.aria2(one, folder / "aria", url),
                "aria2c, nothing allocated ahead": peers.aria2(
                    one, folder / "aria-none", url, "--file-allocation=none"
                ),
                XET: peers.hub_xet(one, folder / "xet-fast", url, fast=True),
                "huggingface_hub xet": peers.hub_xet(one, folder / "xet", url),
                "huggingface_hub http": peers.hub_http(one, folder / "hub", url),
            }
            name = "line-slow-start" if words.slow_start else "line"
            return run(name, programs, words, base=BASE, aims=AIMS)


def read_words() -> argparse.Namespace:
    """Read the command line."""
    parser = options(__doc__, rounds=5, size=1024)
    parser.add_argument("--delay", type=float, default=50, help="ms of a round trip")
    parser.add_argument("--rate", type=float, default=20, help="MB/s of a connection")
    parser.add_argument("--total", type=float, default=250, help="MB/s of all connections")
    parser.add_argument("--slow-start", action="store_true", help="new connections begin slowly")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
