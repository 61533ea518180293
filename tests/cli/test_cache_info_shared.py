"""`modeldeps cache info` in a store that several users share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from stores import root_only
from users import ALICE, ASK, BOB, DATA, FILE, PUT, User, shared_by_all

from modeldeps.store._layout import MEMBERS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = root_only

PIN = ASK + "_roots.note(store._layout, used_by_a_pin(file))\n"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Return a folder that everybody on this machine shares."""
    return shared_by_all(tmp_path)


def info(top: Path, *words: str) -> str:
    command = [sys.executable, "-m", "modeldeps", "cache", "info", *words]
    environ = {**os.environ, "MODELDEPS_CACHE": str(top)}
    return subprocess.run(command, capture_output=True, text=True, env=environ, cwd="/", check=True).stdout


def test_what_is_used_of_another_user_s_store_is_shown_with_whose_it_is(top: Path) -> None:
    User(ALICE, top).run(PUT)
    bob = User(BOB, top)
    told = bob.run(
        PIN
        + "costs = store.costs(Rules(time.time()))\n"
        + "print(*costs.borrowed.values(), *(one.name for one in costs.borrowed))\n"
        + "(model,) = costs.models\n"
        + "print(model.size, model.shared, model.away, model.alone)"
    )
    assert told.splitlines() == [f"{len(DATA)} {ALICE}", f"{len(DATA)} 0 {len(DATA)} 0"]


def test_the_command_names_the_users_whose_bytes_are_used(top: Path) -> None:
    User(ALICE, top).run(PUT)
    own = json.loads(info(top, "--json"))
    assert own["borrowed"] == []
    assert "used of others" not in info(top)
    code = f"""
from modeldeps.config import Settings
from modeldeps.store import Store, _roots, Use
from pathlib import Path
store = Store.open(Settings(cache=Path({str(top)!r})))
use = Use("pin", "", "", "digits", "2.1.0", "fp32", "", {{{FILE.sha256!r}: {FILE.size}}})
_roots.note(store._layout, use)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    found = json.loads(info(top, "--json"))
    lent = {"path": str(top / MEMBERS / str(ALICE)), "user": str(ALICE), "bytes": len(DATA)}
    assert found["borrowed"] == found["variants"][0]["lent"] == found["environments"][0]["lent"] == [lent]
    assert (found["variants"][0]["bytes"], found["variants"][0]["frees"]) == (len(DATA), 0)
    lines = info(top).splitlines()
    assert f"used of others  400.0 kB of {ALICE}" in lines
    assert lines[-1].endswith(f"400.0 kB of {ALICE}")
