"""
What looking up costs in a store of a million blobs, and what a look at all of them costs.

Targets: 100 µs to find a model of five files and to see that its use is noted; 6 µs a blob to decide
what can be freed. Beside each stands what the system calls alone cost, in turns in one run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from modeldeps.digest import sha256_bytes
from modeldeps.manifest import File, Manifest, Variant, dump
from modeldeps.store import Rules, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILES = 5
LOOKUP, WALK = 100.0, 6.0
"""Microseconds."""


def main() -> int:
    """Print the figures; 0 where the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2000, help="of look-ups")
    parser.add_argument("--walks", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the store is made; its disk is part of the figure")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=words.folder) as name:
        store = Store(Path(name) / "store")
        print(f"{words.blobs} blobs, made in {fill(store, words.blobs):.0f} s\n")
        lookup = turns(lookups(store, Path(name)), words.rounds)
        tell(lookup, 1)
        print()
        walk = turns(walks(store), words.walks)
        tell(walk, words.blobs)
    found, seen = lookup["find a model of five files"], walk["decide what can be freed"] / words.blobs
    print(f"\nlook-up {found:.1f} µs (target {LOOKUP:.0f}), gc {seen:.2f} µs a blob (target {WALK:.0f})")
    return int(found > LOOKUP or seen > WALK)


def fill(store: Store, count: int) -> float:
    """Make so many empty blobs; return the seconds that took."""
    start = time.perf_counter()
    store._layout.prepare()  # noqa: SLF001 - as a first fetch does
    folders = [store.root / "blobs" / "sha256" / f"{number:02x}" for number in range(256)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        digest = sha256_bytes(number.to_bytes(8, "big"))
        os.close(os.open(f"{folders[int(digest[:2], 16)]}{os.sep}{digest}", os.O_CREAT | os.O_WRONLY, 0o444))
    return time.perf_counter() - start


def lookups(store: Store, folder: Path) -> Mapping[str, Callable[[], object]]:
    """Return what is compared: the look-up of a model, its blobs', and bare calls of `stat`."""
    datas = [os.urandom(1000) for _ in range(FILES)]
    files = tuple(File(f"{number}.bin", 1000, sha256_bytes(data), ()) for number, data in enumerate(datas))
    for data, file in zip(datas, files, strict=True):
        (folder / "x").write_bytes(data)
        store.adopt(folder / "x", file.sha256, 1000)
    variant = Variant("fp32", "onnx", files[0].path, files)
    manifest = Manifest("five", "1.0.0", "five files", "MIT", (variant,), ("fp32",))
    location = folder / "site" / "modeldeps_five-1.0.0.dist-info"
    location.mkdir(parents=True)
    (location / "model.json").write_bytes(dump(manifest))
    store.note_use(manifest, variant, by=location)
    place = store.materialise(files, name="five", version="1.0.0", variant="fp32")
    paths = [str(place / one.path) for one in files]

    def find() -> None:
        assert store.materialised(files, name="five", version="1.0.0", variant="fp32") == place
        assert store.is_noted(place, location)

    return {
        "find a model of five files": find,
        "of that, see that its use is noted": lambda: store.is_noted(place, location),
        "find its five blobs": lambda: [store.find(one) for one in files],
        "five bare calls of stat": lambda: [os.stat(one) for one in paths],  # noqa: PTH116 - bare
    }


def walks(store: Store) -> Mapping[str, Callable[[], object]]:
    """Return what is compared: what gc decides, and bare listings with `stat`."""

    def bare() -> int:
        return sum(
            one.stat(follow_symlinks=False).st_size
            for folder in os.scandir(store.root / "blobs" / "sha256")
            for one in os.scandir(folder)
        )

    return {
        "decide what can be freed": lambda: store.survey(Rules(time.time())),
        "count": store.usage,
        "bare listing with stat": bare,
    }


def turns(programs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median of each in microseconds; they take turns."""
    spent: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = time.perf_counter()
            run()
            spent[name].append(time.perf_counter() - start)
    return {name: median(times) * 1e6 for name, times in spent.items()}


def tell(costs: Mapping[str, float], count: int) -> None:
    """Print a line for each."""
    for name, cost in costs.items():
        print(f"{name:<36} {cost / count:8.2f} µs{' a blob' if count > 1 else ''}")


if __name__ == "__main__":
    sys.exit(main())
