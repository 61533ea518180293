"""Stores of older and newer layouts."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from stores import keep, mounted, root_only

from modeldeps.config import Settings
from modeldeps.errors import StoreLayoutError
from modeldeps.store import Store, _layout, _prepare

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make 3 the present layout, with steps from 1 and 2; return the numbers of the steps that are done."""
    for module in (_layout, _prepare):
        monkeypatch.setattr(module, "VERSION", "3")
    numbers: list[int] = []

    monkeypatch.setitem(_prepare.STEPS, 1, lambda _: numbers.append(1))
    monkeypatch.setitem(_prepare.STEPS, 2, lambda _: numbers.append(2))
    return numbers


def old(folder: Path, number: str = "1") -> Path:
    folder.mkdir()
    (folder / "layout").write_text(f"{number}\n")
    return folder


def test_an_older_layout_is_brought_forward_step_by_step(tmp_path: Path, done: list[int]) -> None:
    root = old(tmp_path / "store")
    Store.open(Settings(cache=root))
    assert done == [1, 2]
    assert (root / "layout").read_text() == "3\n"
    Store.open(Settings(cache=root))
    assert done == [1, 2]
    Store.open(Settings(cache=old(tmp_path / "other", "2")))
    assert done == [1, 2, 2]
    assert sorted(one.name for one in root.iterdir()) == ["layout"]


@pytest.mark.parametrize("number", ["4", "0", "-1", "1.0", "\u0661", "one", "3 3", "9" * 100])
def test_a_newer_or_unknown_layout_is_left_alone(tmp_path: Path, done: list[int], number: str) -> None:
    root = old(tmp_path / "store", number)
    before = (root / "layout").read_bytes()
    with pytest.raises(StoreLayoutError, match="pip install --upgrade modeldeps"):
        Store.open(Settings(cache=root))
    with pytest.raises(StoreLayoutError):
        keep(Store(root), b"x", tmp_path)
    assert done == []
    assert (root / "layout").read_bytes() == before


def test_an_older_layer_is_not_altered(tmp_path: Path, done: list[int]) -> None:
    layer = old(tmp_path / "layer")
    with pytest.raises(StoreLayoutError, match="expected: layout 3"):
        Store.open(Settings(cache=tmp_path / "mine", stores=(layer,)))
    assert done == []


@root_only
def test_an_older_store_that_can_t_be_written_says_so(tmp_path: Path, done: list[int]) -> None:
    from modeldeps.errors import StoreReadOnlyError  # noqa: PLC0415 - only here

    with mounted("size=1m") as folder:
        root = old(folder / "store")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(StoreReadOnlyError):
            Store.open(Settings(cache=root))


MOVE = """
import os, signal, sys
from pathlib import Path
from modeldeps.config import Settings
from modeldeps.store import Store, _layout, _prepare

_layout.VERSION = _prepare.VERSION = "3"
EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir")

def rename(root):
    (root / "new").mkdir(exist_ok=True)
    if (root / "old").exists():
        for one in sorted((root / "old").iterdir()):
            one.replace(root / "new" / one.name)
        (root / "old").rmdir()

def upper(root):
    for one in sorted((root / "new").iterdir()):
        one.replace(one.with_name(one.name.upper()))

_prepare.STEPS.update({1: rename, 2: upper})
left = [int(sys.argv[2])]

def kill(event, args):
    if event in EVENTS and str(args[0]).startswith(sys.argv[1]):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill)
Store.open(Settings(cache=Path(sys.argv[1])))
"""


@posix
def test_killed_at_any_moment_the_way_forward_is_gone_on_with(tmp_path: Path) -> None:
    """Kill the process at the first system call that names a place of the store, at the second, and so on."""
    survived = False
    for moment in range(1, 100):
        root = old(tmp_path / f"store{moment}")
        (root / "old").mkdir()
        for name in ("a", "b", "c"):
            (root / "old" / name).write_text(name)
        words = [sys.executable, "-c", MOVE, str(root)]
        survived = subprocess.run([*words, str(moment)], check=False).returncode == 0
        if not survived:
            subprocess.run([*words, "0"], check=True)
        assert (root / "layout").read_text() == "3\n"
        assert {one.name: one.read_text() for one in (root / "new").iterdir()} == {
            "A": "a",
            "B": "b",
            "C": "c",
        }
        assert not (root / "old").exists()
        if survived:
            break
    assert survived
    assert moment > 15


@posix
def test_several_processes_that_find_an_old_layout_all_end_well(tmp_path: Path) -> None:
    root = old(tmp_path / "store")
    (root / "old").mkdir()
    for number in range(50):
        (root / "old" / f"x{number}").write_text(str(number))
    words = [sys.executable, "-c", MOVE, str(root), "0"]
    started = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for one in started:
        assert one.communicate(timeout=60)[1] == ""
        assert one.returncode == 0
    assert len(list((root / "new").iterdir())) == 50
    assert (root / "layout").read_text() == "3\n"
