"""`modeldeps cache gc --all-members`: root frees in the stores of all users, with their rights."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from stores import root_only
from users import ALICE, ASK, BOB, DATA, FILE, PUT, User, blob_of, shared_by_all

from modeldeps.cli import _cache_members
from modeldeps.config import Settings
from modeldeps.errors import UsageError
from modeldeps.store import Rules, Store
from modeldeps.store._layout import MEMBERS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = root_only

PIN = ASK + "_roots.note(store._layout, used_by_a_pin(file))"
OTHER = b"other " * 10_000
PUT_OTHER = f"put({OTHER[:6]!r} * {len(OTHER) // 6}, 'other.bin')\n"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Return a folder that everybody on this machine shares."""
    return shared_by_all(tmp_path)


def gc(top: Path, *words: str, user: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modeldeps", "cache", "gc", "--keep-days", "0", *words]
    environ = {**os.environ, "MODELDEPS_CACHE": str(top)}
    return subprocess.run(command, capture_output=True, text=True, env=environ, cwd="/", check=False)


def freed(top: Path, *words: str, status: int = 0) -> dict[str, Any]:
    done = gc(top, "--all-members", "--json", *words)
    assert done.returncode == status, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_root_frees_what_nobody_needs_in_the_stores_of_all(top: Path) -> None:
    alice, bob = User(ALICE, top), User(BOB, top)
    alice.run(PUT + PUT_OTHER)
    bob.run(PIN + "\n" + "put(b'bobs', 'b.bin')")
    assert gc(top, "--dry-run").stderr == "would free 0 B; 0 B is needed\n"
    planned = freed(top, "--dry-run")
    done = freed(top)
    assert done["freed"] == planned["freed"] == len(OTHER) + 4
    assert {one["user"]: one["freed"] for one in done["members"]} == {str(ALICE): len(OTHER), str(BOB): 4}
    assert blob_of(alice).read_bytes() == DATA
    assert (top / MEMBERS / str(ALICE) / "trash").stat().st_uid == ALICE


def test_what_went_is_told_by_its_user(top: Path) -> None:
    User(ALICE, top).run(PUT)
    done = gc(top, "--all-members")
    assert done.returncode == 0, done.stderr
    assert f"store of {ALICE}: {top / MEMBERS / str(ALICE)}" in done.stderr
    assert "in all 400.0 kB" in done.stderr


def test_links_that_a_user_planted_lead_root_nowhere(top: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / FILE.sha256[:2]).mkdir(parents=True)
    (victim / FILE.sha256[:2] / FILE.sha256).write_bytes(b"precious")
    (victim / "digits" / "1.0" / "fp32-0123456789abcdef").mkdir(parents=True)
    (victim / "keep").write_bytes(b"precious")
    alice, bob = User(ALICE, top), User(BOB, top)
    alice.run(
        PUT
        + f"root, victim = store.root, {str(victim)!r}\n"
        + "(root / 'blobs').rename(root / 'aside'); (root / 'blobs').mkdir()\n"
        + "(root / 'blobs' / 'sha256').symlink_to(victim)\n"
        + "shutil.rmtree(root / 'models'); (root / 'models').symlink_to(victim)\n"
        + "shutil.rmtree(root / 'partial'); (root / 'partial').symlink_to(victim)\n"
        + "(root / 'trash').symlink_to(victim); (root / 'chunks').symlink_to(victim)\n"
    )
    bob.run(PUT_OTHER)
    before = sorted(str(one) for one in victim.rglob("*"))
    done = gc(top, "--all-members")
    assert sorted(str(one) for one in victim.rglob("*")) == before
    assert (victim / FILE.sha256[:2] / FILE.sha256).read_bytes() == b"precious"
    assert done.returncode == 1
    assert f"error: {top / MEMBERS / str(ALICE)}: " in done.stderr
    assert "in all 60.0 kB" in done.stderr


def test_a_link_that_comes_while_root_is_at_it_is_refused_by_the_system(top: Path, tmp_path: Path) -> None:
    User(ALICE, top).run(PUT)
    (tmp_path / "secret").mkdir(mode=0o700)
    (tmp_path / "secret" / "x").touch()
    members = {one.root.name: one for one in Store.open(Settings(cache=top)).members()}
    with members[str(ALICE)].as_owner():
        assert (os.geteuid(), os.getuid()) == (ALICE, 0)
        for act in ((tmp_path / "secret" / "x").unlink, (tmp_path / "secret" / "x").read_bytes):
            with pytest.raises(PermissionError):
                act()
    assert (os.geteuid(), os.getegid()) == (0, os.getgid())
    assert (tmp_path / "secret" / "x").exists()


def test_all_members_is_for_root_and_for_shared_stores(tmp_path: Path, top: Path) -> None:
    done = gc(tmp_path / "mine", "--all-members")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--all-members is for a store that several users share" in done.stderr
    User(ALICE, top).run(PUT)
    (alices,) = Store.open(Settings(cache=top)).members()
    with alices.as_owner(), pytest.raises(UsageError, match="only root can free"):
        _cache_members.free(alices, Rules(0), argparse.Namespace())
