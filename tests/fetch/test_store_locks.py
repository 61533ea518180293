"""Locks: one has them at a time, whoever waits is told who, and nothing hangs on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from stores import root_only

from modeldeps.store import _holder, _lock

if TYPE_CHECKING:
    from pathlib import Path


def words(path: Path) -> str | None:
    found = _lock.holder(path)
    return None if found is None else found.words()


def test_a_lock_file_tells_who_holds_it(tmp_path: Path) -> None:
    lock = _lock.acquire(tmp_path / "lock")
    assert lock is not None
    found = _lock.holder(tmp_path / "lock")
    assert found is not None
    assert found.pid == os.getpid()
    assert abs(found.since - time.time()) < 60
    assert found.words().startswith(f"process {os.getpid()} of {found.user} since 2")
    lock.release()
    assert _lock.holder(tmp_path / "lock") is None


def test_a_holder_on_another_machine_is_shown_with_it() -> None:
    found = _holder.Holder(7, "far-away", "alice", 0)
    assert found.words().startswith("process 7 of alice on far-away since 19")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        "[" * 900,
        '{"pid": "7", "host": "x", "user": "y", "since": 1}',
        '{"pid": true, "host": "x", "user": "y", "since": 1}',
        '{"pid": 7, "host": ["x"], "user": "y", "since": 1}',
        "\xff\xfe",
        '{"pid": 7, "host": "' + "x" * 5000 + '", "user": "y", "since": 1}',
    ],
)
def test_words_that_nobody_understands_are_no_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text, encoding="latin-1")
    assert _lock.holder(tmp_path / "lock") is None


def test_words_of_a_stranger_can_t_steer_a_terminal_or_fail(tmp_path: Path) -> None:
    stranger = {"pid": 10**400, "host": "a\x1b[2J" + "b" * 300, "user": "c\rd\u202e", "since": -(10**300)}
    (tmp_path / "lock").write_text(json.dumps(stranger))
    assert words(tmp_path / "lock") is None  # longer than anything that this project writes
    stranger["pid"], stranger["since"] = 7, 10**30
    (tmp_path / "lock").write_text(json.dumps(stranger))
    found = words(tmp_path / "lock")
    assert found == f"process 7 of c?d? on a?[2J{'b' * 59}"


def test_a_lock_file_that_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = "import sys; from pathlib import Path; from modeldeps.store import _lock\n"
    code += "held = _lock.acquire(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert _lock.acquire(path) is None
        found = _lock.holder(path)
        assert found is not None
        assert found.pid == other.pid
        other.kill()
    lock = _lock.acquire(path)
    assert lock is not None
    mine = _lock.holder(path)
    assert mine is not None
    assert mine.pid == os.getpid()
    lock.release()
    assert not path.exists()


def test_a_link_or_a_folder_is_no_lock_file(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(OSError, match=name):
            _lock.acquire(tmp_path / name)
        assert _lock.holder(tmp_path / name) is None
    assert (tmp_path / "victim").read_text() == "mine"


@root_only
def test_a_lock_file_of_another_user_in_a_sticky_folder_locks_all_the_same(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    path = tmp_path / "lock"
    path.touch(mode=0o644)
    os.chown(path, 4321, 4321)
    tmp_path.chmod(0o1777)
    code = "import sys, os; from pathlib import Path; from modeldeps.store import _lock\n"
    code += "import json, time, pwd; _lock.Holder.this(); os.chdir('/')\n"
    code += (
        f"path = Path({str(path)!r}); os.chdir({str(tmp_path)!r}); path = Path('lock'); os.setuid(65534)\n"
    )
    code += "lock = _lock.acquire(path); print(lock.proven, _lock.acquire(path)); lock.release()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True None\n", "")
    assert path.exists()
