"""Fetch the files of a listing into a store: the program that benchmarks run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from modeldeps.fetch import fetch
from modeldeps.manifest import Chunk, File
from modeldeps.progress import Reporter
from modeldeps.store import Store


def main() -> int:
    """Fetch, and print the bytes that travelled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("listing", type=Path, help="JSON: path, size, sha256 and chunks of each file")
    parser.add_argument("store", type=Path)
    parser.add_argument("channel")
    parser.add_argument("--whole", action="store_true", help="as if the publisher had named no chunks")
    words = parser.parse_args()
    files = [
        File(
            one["path"],
            one["size"],
            one["sha256"],
            () if words.whole else tuple(Chunk(*chunk) for chunk in one["chunks"]),
        )
        for one in json.loads(words.listing.read_text())
    ]
    done = fetch(files, Store(words.store), channels=[words.channel], reporter=Reporter())
    assert {one.sha256 for one in files} == set(done.blobs)
    print(done.bytes_fetched)
    return 0


if __name__ == "__main__":
    sys.exit(main())
