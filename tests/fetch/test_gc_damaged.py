"""A note that can't be read costs no environment its models."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from environments import DAY, Environment, age, at_once, blobs, venv
from releases import Release

from modeldeps.store import Rules, Store, _gc, _plan, _sweep

if TYPE_CHECKING:
    from pathlib import Path

MINE, OLD = b"mine" * 1000, b"old" * 1000
DAMAGE = [b"", b"\0" * 500, b'{"schema": 1, "ki', b'{"blobs": []}']


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Environment:
    """Return an environment that uses digits, in a store that also holds what nobody needs."""
    gone = venv(store, tmp_path / "gone", tmp_path / "channel").install(Release(name="old", payload=OLD))
    gone.use("old")
    shutil.rmtree(tmp_path / "gone")
    found = venv(store, tmp_path / "app", tmp_path / "channel").install(Release(payload=MINE))
    found.use()
    return found


def note(env: Environment) -> Path:
    (found,) = [one.file for one in env.store.notes() if one.use.name == "digits"]
    return found


def folders(store: Store) -> set[str]:
    return {one.parent.parent.name for one in store.root.glob("models/*/*/*")}


@pytest.mark.parametrize("data", DAMAGE)
def test_a_note_that_says_nothing_keeps_all_that_it_could_be_for(here: Environment, data: bytes) -> None:
    file = note(here)
    file.write_bytes(data)
    for done in (here.store.survey(at_once()), here.store.collect(at_once()).plan):
        assert [one.file for one in done.lost] == [file]
        assert {one.kind for one in done.going} <= {"note"}
    assert blobs(here.store) == {MINE, OLD, Release().labels}
    assert folders(here.store) == {"digits", "old"}
    assert here.use().is_dir()
    here.store.collect(at_once())
    assert blobs(here.store) == {MINE, Release().labels}


@pytest.mark.parametrize("data", DAMAGE)
def test_a_damaged_note_of_this_interpreter_s_environment_is_found_out_by_its_name(
    here: Environment, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(here).write_bytes(data)
    monkeypatch.syspath_prepend(str(here.site))
    done = here.store.collect(at_once())
    assert done.plan.lost == ()
    assert blobs(here.store) == {MINE, Release().labels}
    assert folders(here.store) == {"digits"}
    assert [one.uses[0].note.use.name for one in here.store.costs(at_once()).environments] == ["digits"]


def test_a_damaged_note_that_still_tells_its_environment_is_found_out(here: Environment) -> None:
    file = note(here)
    file.write_bytes(file.read_bytes()[:-20])
    here.store.collect(at_once())
    assert blobs(here.store) == {MINE, Release().labels}
    assert folders(here.store) == {"digits"}


def test_a_damaged_note_that_tells_of_an_environment_with_other_models_is_not_believed(
    here: Environment,
) -> None:
    file = note(here)
    file.write_bytes(file.read_bytes()[:-20])
    here.uninstall()
    here.install(Release(version="3.0.0", payload=b"other"))
    assert [one.file for one in here.store.collect(at_once()).plan.lost] == [file]
    assert MINE in blobs(here.store)


def test_another_note_of_the_environment_helps_to_find_out_what_a_damaged_one_was_for(
    here: Environment,
) -> None:
    here.install(Release(name="voice", payload=b"voice")).use("voice")
    note(here).write_bytes(b"")
    here.store.collect(at_once())
    assert blobs(here.store) == {MINE, b"voice", Release().labels}
    assert folders(here.store) == {"digits", "voice"}


def test_a_damaged_note_counts_as_long_as_a_use_out_of_sight(here: Environment) -> None:
    file = note(here)
    file.write_bytes(b"")
    age(file, 89)
    assert here.store.survey(at_once()).lost
    age(file, 91)
    assert not here.store.survey(at_once()).lost
    assert not here.store.survey(Rules(time.time(), keep=0, unsure=0)).lost


def test_what_has_no_name_of_a_note_keeps_nothing(here: Environment) -> None:
    (note(here).parent / "Thumbs.db").write_bytes(b"")
    (note(here).parent / "0123456789abcdef").symlink_to("/dev/zero")
    assert [one.file.name for one in here.store.survey(at_once()).lost] == ["0123456789abcdef"]


def test_a_note_that_is_damaged_after_the_plan_was_made_stops_the_sweep(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, file = _plan.plan, note(here)

    def then_the_disk_failed(*words: object, **more: object) -> object:
        found = plan(*words, **more)  # type: ignore[arg-type]
        file.write_bytes(b"")
        return found

    monkeypatch.setattr(_gc, "plan", then_the_disk_failed)
    here.store.collect(at_once())
    assert blobs(here.store) == {MINE, OLD, Release().labels}


def test_what_a_run_that_was_killed_left_comes_back_where_it_may_be_needed(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(here.site)
    with monkeypatch.context() as patch:
        patch.setattr(_sweep.Sweep, "_empty_trash", lambda _: None)
        here.store.collect(at_once())
    assert blobs(here.store) == set()
    file = here.store.root / "roots" / str(os.geteuid()) / "0123456789abcdef"
    file.write_bytes(b"")
    os.utime(file, (time.time() - DAY, time.time() - DAY))
    here.store.collect(at_once())
    assert blobs(here.store) == {MINE, OLD, Release().labels}
