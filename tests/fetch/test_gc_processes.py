"""Processes that fetch, load and free one store at once: nobody misses a byte that he was promised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from environments import Environment, at_once
from gc_worker import VERSIONS

if TYPE_CHECKING:
    from modeldeps.store import Store

WORKER = Path(__file__).parents[1] / "support" / "gc_worker.py"
SECONDS = os.environ.get("MODELDEPS_SOAK_SECONDS", "4")


def start(*words: object) -> subprocess.Popen[str]:
    found = {**os.environ, "PYTHONPATH": str(WORKER.parent)}
    return subprocess.Popen(
        [sys.executable, str(WORKER), *map(str, words)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=found,
    )


def end(process: subprocess.Popen[str]) -> int:
    out, err = process.communicate(timeout=float(SECONDS) + 60)
    assert process.returncode == 0, err
    return int(out)


@pytest.fixture
def channel(store: Store, tmp_path: Path) -> Path:
    """Return a channel with all releases."""
    for release in VERSIONS:
        Environment(tmp_path / "publisher", store, tmp_path / "channel").install(release)
    return tmp_path / "channel"


def test_environments_that_come_and_go_find_their_bytes_while_space_is_freed(
    store: Store, channel: Path, tmp_path: Path
) -> None:
    loads = [start("load", store.root, channel, tmp_path / f"site-{number}", SECONDS) for number in range(3)]
    sweeps = [start("gc", store.root, SECONDS) for _ in range(2)]
    assert min(map(end, loads)) > 0
    assert sum(map(end, sweeps)) > 0
    store.collect(at_once())
    assert list(store.notes()) == []
    assert list(store.root.glob("blobs/sha256/*/*")) == []


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_runs_that_are_killed_at_any_time_take_nothing_from_anybody(
    store: Store, channel: Path, tmp_path: Path
) -> None:
    loads = [start("load", store.root, channel, tmp_path / f"site-{number}", SECONDS) for number in range(2)]
    killed = 0
    while any(one.poll() is None for one in loads):
        sweep = start("gc", store.root, SECONDS)
        time.sleep(0.3 + 0.05 * (killed % 5))
        sweep.send_signal(signal.SIGKILL)
        sweep.communicate()
        killed += 1
    assert min(map(end, loads)) > 0
    assert killed > 2
    store.collect(at_once())
    assert list(store.root.glob("blobs/sha256/*/*")) == []
    assert [one.name for one in (store.root / "trash").iterdir()] == []
