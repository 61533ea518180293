"""
What trust costs: a check of a file that was proved, by its seal or by its stamp, and hashing all again.

The targets are 20 µs a check, and hashing on all cores at 0.7 times at least of what as many threads reach
that only hash memory. The last figures tell what a look into the caches of other tools adds to a fetch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.digest import new_hash, sha256_file
from modeldeps.manifest import File
from modeldeps.progress import Reporter
from modeldeps.store import Store, _trust

if TYPE_CHECKING:
    from collections.abc import Callable

CHECK = 20.0
"""Microseconds of a check."""
RATE = 0.7
"""Times the rate of hashing memory."""
SMALL = 2000
"""Files that are checked."""


def main() -> int:
    """Print the figures; 0 where the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=256, help="MiB that are hashed")
    parser.add_argument("--folder", type=Path, help="where the stores are made")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=words.folder) as name:
        met = [checks(Path(name), words.rounds), rates(Path(name), words.size, words.rounds)]
        look_ups(Path(name), words.rounds)
    return 0 if all(met) else 1


def checks(folder: Path, rounds: int) -> bool:
    """Measure a check by seal and by stamp, and a bare stat beside them."""
    store = Store(folder / "checks")
    files = [fill(store, b"%d" % number, folder) for number in range(SMALL)]
    blobs = [(store.blob(one.sha256), one) for one in files]

    def known() -> None:
        for blob, one in blobs:
            assert _trust.known(blob, one.sha256, one.size, store._stamps)  # noqa: SLF001 - what load() asks

    sealed = each(known, rounds)
    bare = each(lambda: [os.lstat(blob) for blob, _ in blobs], rounds)
    for blob, one in blobs:
        os.utime(blob)
        store._stamps.remember(blob, blob.lstat(), one.sha256)  # noqa: SLF001 - as for another's file
    stamped = each(known, rounds)
    print(f"a bare lstat         {bare:6.1f} µs")
    print(f"a check by seal      {sealed:6.1f} µs")
    print(f"a check by stamp     {stamped:6.1f} µs    at most {CHECK:.0f}")
    return max(sealed, stamped) <= CHECK


def each(work: Callable[[], object], rounds: int) -> float:
    """Return the median of microseconds for one of the files."""
    costs = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        costs.append((time.perf_counter() - start) / SMALL * 1e6)
    return statistics.median(costs)


def rates(folder: Path, size: int, rounds: int) -> bool:
    """Measure `Store.verify` against threads that hash memory, in turns."""
    store = Store(folder / "rates")
    for _ in range(8):
        fill(store, os.urandom(size << 17), folder)
    verified, memory = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        assert not store.verify([], reporter=Reporter()).findings
        verified.append((size << 20) / (time.perf_counter() - start) / 1e9)
        memory.append(of_memory(size << 20))
    ratio = statistics.median(one / other for one, other in zip(verified, memory, strict=True))
    print(f"cache verify         {statistics.median(verified):6.2f} GB/s")
    print(f"hashing memory       {statistics.median(memory):6.2f} GB/s")
    print(f"ratio                {ratio:6.2f}       at least {RATE}")
    return ratio >= RATE


def of_memory(size: int) -> float:
    """Return GB/s that one thread a core reaches with nothing but a digest to compute."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    block = bytes(1 << 20)

    def work() -> None:
        running = new_hash()
        for _ in range(size // len(block) // cores):
            running.update(block)

    threads = [threading.Thread(target=work) for _ in range(cores)]
    start = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return size / (time.perf_counter() - start) / 1e9


def look_ups(folder: Path, rounds: int) -> None:
    """Measure what a look for one file in the caches of other tools costs where nothing is found."""
    hub = folder / "hub"
    os.environ |= {"HF_HUB_CACHE": str(hub), "OLLAMA_MODELS": str(folder / "ollama")}
    store = Store(folder / "look-ups", elsewhere=True)
    file = File("model.onnx", 10, "0" * 64)
    for count in (0, 20, 200):
        for number in range(count):
            (hub / f"models--org--{number}" / "blobs").mkdir(parents=True, exist_ok=True)
        cost = each(lambda: [store.adopt_known(file) for _ in range(SMALL)], rounds)
        print(f"a look elsewhere     {cost:6.1f} µs    {count} repositories of the Hugging Face Hub")


def fill(store: Store, data: bytes, folder: Path) -> File:
    """Put bytes into a store."""
    place = folder / "place"
    place.write_bytes(data)
    file = File("model.onnx", len(data), sha256_file(place))
    store.adopt(place, file.sha256, file.size)
    return file


if __name__ == "__main__":
    raise SystemExit(main())
