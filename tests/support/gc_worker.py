"""
A process that uses a store as environments do, or frees it, again and again until its time is over.

`gc_worker.py load STORE CHANNEL SITE SECONDS` uses, uninstalls and installs releases of one environment, and
reads every byte that it was promised. `gc_worker.py gc STORE SECONDS` frees all that nobody needs.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from environments import Environment, at_once
from releases import Release

from modeldeps.config import Settings
from modeldeps.errors import StoreBusyError
from modeldeps.runtime._load import _ensure, _Release
from modeldeps.store import Store

VERSIONS = tuple(Release(version=f"{number}.0.0", payload=bytes([number]) * 50_000) for number in range(1, 5))
_random = random.Random()  # noqa: S311 - no secret


def main(action: str, root: str, *words: str) -> int:
    """Do it; 0 when nothing went wrong."""
    deadline = time.monotonic() + float(words[-1])
    store = Store(Path(root))
    rounds = 0
    while time.monotonic() < deadline:
        rounds += free(store) if action == "gc" else load(store, *map(Path, words[:-1]))
    sys.stdout.write(f"{rounds}\n")
    return 0


def free(store: Store) -> int:
    """Free all that nobody needs at this moment; return the number of blobs."""
    try:
        return sum(one.kind == "blob" for one in store.collect(at_once()).gone)
    except StoreBusyError:
        return 0


def load(store: Store, channel: Path, site: Path) -> int:
    """Install one release, load it as often as not, check its bytes, and uninstall it at times."""
    environment = Environment(site, store, channel)
    release = _random.choice(VERSIONS)
    environment.install(release)
    settings = Settings(cache=store.root, channels=(channel.as_uri() + "/",))
    for _ in range(_random.randrange(4)):
        pointer = environment.pointer()
        manifest = pointer.manifest()
        folder = _ensure(_Release(pointer, manifest), manifest.variants[0], settings)
        opened = [(folder / "model.onnx").open("rb"), (folder / "labels.txt").open("rb")]
        time.sleep(_random.random() / 100)
        found = [one.read() for one in opened]
        assert found == [release.payload, release.labels], "other bytes"
        assert (folder / "model.onnx").read_bytes() == release.payload, "gone while in use"
    environment.uninstall()
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
