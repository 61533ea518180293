"""What nine kills at random moments cost: next to nothing, for what came is found and proved again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetch_worker import describe
from fetching import file_of

from modeldeps.digest import sha256_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blob_server import BlobServer

    from modeldeps.manifest import File
    from modeldeps.store import Store

WORKER = Path(__file__).parents[1] / "support" / "fetch_worker.py"
SIZE = 64 << 20
KILLS = 9
NEAR = ("host.NEAR=1", "host.ENOUGH=1")
FAR = ("host.NEAR=-1", "orders.SEGMENT=1000000", "orders.LEAST=200000")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def start(store: Store, server: BlobServer, listing: Path, settings: Sequence[str]) -> subprocess.Popen[str]:
    """Start a process that fetches what the listing names."""
    words = [sys.executable, str(WORKER), str(store.root), server.url, str(listing), *settings]
    return subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill_when(process: subprocess.Popen[str], store: Store, files: Sequence[File], *, came: float) -> bool:
    """Kill a process once so many bytes are there; False where it ended before."""
    while process.poll() is None:
        if sum(one.size if store.blob(one.sha256).exists() else store.begun(one) for one in files) >= came:
            process.kill()
            process.communicate()
            return True
        time.sleep(0.002)
    return False


def killed(server: BlobServer, store: Store, files: Sequence[File], settings: Sequence[str]) -> int:
    """Fetch files in processes that are killed at random moments until one ends; return the kills."""
    total, count = sum(one.size for one in files), 0
    listing = store.root.parent / "files.json"
    listing.write_text(json.dumps([*map(describe, files)]))
    moments = sorted(random.Random(total + len(settings)).uniform(0.02, 0.98) for _ in range(KILLS))  # noqa: S311 - no secret
    for moment in moments:
        process = start(store, server, listing, settings)
        count += kill_when(process, store, files, came=moment * total)
    out, err = start(store, server, listing, settings).communicate(timeout=60)
    assert err == ""
    assert out
    for one in files:
        assert sha256_file(store.blob(one.sha256)) == one.sha256
    assert list((store.root / "partial").iterdir()) == []
    return count


@pytest.mark.parametrize("settings", [NEAR, FAR], ids=["near", "far"])
@pytest.mark.parametrize("chunk", [0, 65_536, 4 << 20])
def test_nine_kills_cost_less_than_a_twentieth_of_a_file(
    server: BlobServer, store: Store, chunk: int, settings: tuple[str, ...]
) -> None:
    data = random.Random(chunk).randbytes(SIZE)  # noqa: S311 - no secret
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    server.pause, server.block = (0.004, 1 << 14) if settings is FAR else (0.002, 1 << 16)
    assert killed(server, store, [file], settings) == KILLS
    assert server.sent <= 1.05 * SIZE


@pytest.mark.parametrize("settings", [NEAR, FAR], ids=["near", "far"])
def test_nine_kills_cost_little_of_a_model_of_many_files(
    server: BlobServer, store: Store, settings: tuple[str, ...]
) -> None:
    source = random.Random(3)  # noqa: S311 - no secret
    files = []
    for number, size in enumerate([8 << 20, *[100_000] * 60, *[1_500_000] * 6, 4 << 20]):
        data = source.randbytes(size)
        files.append(file_of(data, f"{number}.bin", chunk=500_000 if number % 2 else 0))
        server.add(data, files[-1].sha256)
    server.pause, server.block = 0.003, 1 << 14
    assert killed(server, store, files, settings) == KILLS
    assert server.sent <= 1.15 * sum(one.size for one in files)
