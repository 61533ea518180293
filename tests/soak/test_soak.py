"""Processes that fetch, build, load, free, adopt and repair one store, and are killed all the time."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import blob_server
import pytest
from environments import at_once
from store_life import FILES, STEPS, Life, Lives, Place
from tampering import TAMPERINGS, check, prepare

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("SOAK_KILLS", "60"))
"""Processes that are killed at least; `nox -s soak` kills many more."""
SEED = int(os.environ.get("SOAK_SEED", "1"))
ENDS = [signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSTOP]
pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
    pytest.mark.timeout(300 + 10 * KILLS),
]


def life(chance: random.Random) -> Life:
    """Return what one process is to do, and when it is killed, most often."""
    steps = []
    for _ in range(chance.randrange(1, 5)):
        name = chance.choice(["fetch", "fetch", "fetch", *STEPS])
        names = (
            chance.sample(sorted(FILES), chance.randrange(1, 5)) if name in {"fetch", "read", "build"} else []
        )
        steps.append([name, *names])
    end = [int(chance.choice(ENDS)), chance.random() ** 2 * 0.6] if chance.random() < 0.8 else None
    return {"steps": steps, "end": end}


def feeble(chance: random.Random) -> blob_server.Fault:
    """Return what a server does at times."""
    return blob_server.in_turn(
        blob_server.serve,
        blob_server.cut(chance.randrange(60_000)),
        blob_server.serve,
        blob_server.status(503),
        blob_server.whole_but_cut(chance.randrange(90_000)),
    )


def test_whatever_processes_do_and_whenever_they_die_nothing_is_lost_and_nothing_wrong_is_served(
    tmp_path: Path,
) -> None:
    chance, began, rounds = random.Random(SEED), time.monotonic(), 0  # noqa: S311 - no secret
    with blob_server.running() as liar, blob_server.running() as poor, blob_server.running() as good:
        place = Place(tmp_path, (liar.url, poor.url, good.url))
        prepare(place, good)
        liar.blobs, poor.blobs = dict(good.blobs), dict(good.blobs)
        with Lives(place) as lives:
            while lives.killed < KILLS:
                rounds += 1
                liar.habit = chance.choice(
                    [blob_server.flipped(17), blob_server.serve, blob_server.status(404)]
                )
                poor.habit, good.pause = feeble(chance), chance.choice([0, 0, 0.005])
                lives.live(*(life(chance) for _ in range(chance.randrange(1, 7))))
                if chance.random() < 0.5:
                    TAMPERINGS[chance.choice(sorted(TAMPERINGS))](place, chance)
                check(place)
                if not rounds % 25:
                    settle(place, lives)
            settle(place, lives)
        print(  # noqa: T201 - the figures of a long run
            f"{rounds} rounds, {lives.killed} killed, {lives.done} done, {time.monotonic() - began:.0f} s, "
            f"{sum(one.sent for one in (liar, poor, good)) / 1e6:.0f} MB"
        )


def settle(place: Place, lives: Lives) -> None:
    """Check that undisturbed everything works, and that nothing is left when nobody needs anything."""
    calm: Life = {"steps": [["repair"], ["fetch", *FILES], ["build", *FILES], ["load"]], "end": None}
    lives.live(calm)
    for file in FILES.values():
        assert place.store.find(file)
    shutil.rmtree(place.folder / "sites")  # killed processes left environments there, which need their bytes
    for _ in range(2):  # notes that were spoiled may be for anything, and count for a while
        place.store.collect(replace(at_once(), unsure=0))
    assert [one for one in place.store.root.glob("blobs/sha256/*/*") if "rubbish" not in one.name] == []
    left = {one.name for one in place.store.root.glob("partial/*") if "." not in one.name} - {"rubbish"}
    assert len(left) <= len(FILES) + 3, left
