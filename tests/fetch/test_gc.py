"""What no live environment needs is freed; nothing else is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from environments import DAY, Environment, age, at_once, blobs, later, venv
from releases import Release
from stores import root_only

from modeldeps.errors import StoreBusyError, StoreReadOnlyError
from modeldeps.store import Rules, Store, _gc, _lock, _plan, _roots, _sweep, _trust, pin_of

if TYPE_CHECKING:
    from modeldeps.store import Swept

OLD, NEW, OTHER = b"old weights" * 100, b"new weights" * 100, b"other weights" * 100
LABELS = Release().labels


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Environment:
    """Return an environment that used digits 2.0.0 and was upgraded to 2.1.0."""
    found = venv(store, tmp_path / "app", tmp_path / "channel").install(Release(version="2.0.0", payload=OLD))
    found.use()
    found.uninstall()
    found.install(Release(payload=NEW)).use()
    return found


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def kinds(done: Swept) -> list[str]:
    return sorted(one.kind for one in done.gone)


def test_what_was_used_lately_stays_though_nothing_needs_it(here: Environment) -> None:
    assert here.store.collect(later(29)).gone == ()
    assert blobs(here.store) == {OLD, NEW, LABELS}
    assert here.store.survey(later(29)).waiting == len(OLD)


def test_what_nothing_needs_any_longer_goes_and_its_last_user_is_named(here: Environment) -> None:
    plan = here.store.survey(later(31))
    done = here.store.collect(later(31))
    assert done.plan == plan
    assert kinds(done) == ["blob", "model", "note"]
    assert done.freed == plan.freed == len(OLD)
    (blob,) = [one for one in done.gone if one.kind == "blob"]
    assert blob.last is not None
    assert blob.last.note.use.model == "digits 2.0.0 fp32"
    assert blob.why == "the model was uninstalled or upgraded"
    assert blobs(here.store) == {NEW, LABELS}
    assert here.use().is_dir()
    assert names(here.store.root / "trash") == []


def test_nothing_is_changed_where_it_is_only_planned(here: Environment) -> None:
    before = sorted((str(one), one.lstat().st_ctime_ns) for one in here.store.root.rglob("*"))
    assert here.store.survey(at_once()).freed == len(OLD)
    assert sorted((str(one), one.lstat().st_ctime_ns) for one in here.store.root.rglob("*")) == before


def test_a_live_environment_keeps_its_blobs_however_long_it_rests(here: Environment) -> None:
    for note in here.store.notes():
        age(note.file, 1000)
    here.store.collect(Rules(time.time() + 1000 * DAY, keep=0, unsure=0))
    assert blobs(here.store) == {NEW, LABELS}


def test_what_another_environment_shares_stays(here: Environment, tmp_path: Path) -> None:
    other = venv(here.store, tmp_path / "other", tmp_path / "channel").install(Release(payload=NEW))
    other.use()
    shutil.rmtree(tmp_path / "app")
    here.store.collect(at_once())
    assert blobs(here.store) == {NEW, LABELS}
    shutil.rmtree(tmp_path / "other")
    here.store.collect(at_once())
    assert blobs(here.store) == set()
    assert list(here.store.notes()) == []


def test_what_is_named_besides_stays(here: Environment, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "app")
    (old,) = {one for one, data in Release(payload=OLD).blobs.items() if data == OLD}
    here.store.collect(at_once(), [old])
    assert blobs(here.store) == {OLD}


def test_a_pinned_model_stays(here: Environment, tmp_path: Path) -> None:
    (use,) = [one.use for one in here.store.notes() if one.use.version == "2.0.0"]
    project = tmp_path / "project" / "pyproject.toml"
    project.parent.mkdir()
    project.write_text("")
    here.store.pin(pin_of(project, use))
    here.store.collect(at_once())
    assert blobs(here.store) == {OLD, NEW, LABELS}
    project.unlink()
    here.store.collect(at_once())
    assert blobs(here.store) == {NEW, LABELS}


def test_an_environment_out_of_sight_counts_for_some_time_after_its_last_use(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_roots, "machine", lambda: "another")
    plan = here.store.survey(later(89))
    assert [one.note.use.version for one in plan.unsure] == ["2.0.0"]
    assert plan.freed == 0
    plan = here.store.survey(later(91))
    assert plan.unsure == ()
    assert plan.freed == len(OLD)
    assert plan.going[0].why == "it belongs to another machine or container, and it was not used for long"


def test_bytes_that_no_note_names_go_when_they_are_old(store: Store, tmp_path: Path) -> None:
    place = tmp_path / "x"
    place.write_bytes(b"adopted")
    digest = "".join(Release(payload=b"adopted").blobs)[:64]
    store.adopt(place, digest, 7)
    assert store.survey(later(29)).freed == 0
    (going,) = store.collect(later(31)).gone
    assert (going.kind, going.size, going.why, going.last) == ("blob", 7, _plan.UNUSED, None)


def test_a_clock_that_was_wrong_frees_nothing_that_is_in_use(here: Environment) -> None:
    assert here.store.collect(Rules(time.time() - 4000 * DAY)).gone == ()
    here.store.collect(Rules(time.time() + 40_000 * DAY))
    assert blobs(here.store) == {NEW, LABELS}


def test_a_blob_that_also_lies_in_another_folder_frees_nothing(here: Environment, tmp_path: Path) -> None:
    for one in here.store.root.glob("blobs/sha256/*/*"):
        os.link(one, tmp_path / one.name)
    assert here.store.collect(at_once()).freed == 0
    assert blobs(here.store) == {NEW, LABELS}


def test_copies_of_blobs_in_a_model_s_folder_are_counted(here: Environment) -> None:
    (folder,) = here.store.root.glob("models/digits/2.0.0/*")
    shutil.copy(folder / "model.onnx", folder / "copy")
    (folder / "model.onnx").unlink()
    (folder / "copy").rename(folder / "model.onnx")
    assert here.store.collect(at_once()).freed == 2 * len(OLD)


def test_what_became_used_after_the_plan_was_made_stays(
    here: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = venv(here.store, tmp_path / "other", tmp_path / "channel")
    plan = _plan.plan

    def then_somebody_used_it(*words: object, **more: object) -> object:
        found = plan(*words, **more)  # type: ignore[arg-type]
        other.install(Release(version="2.0.0", payload=OLD)).use()
        return found

    monkeypatch.setattr(_gc, "plan", then_somebody_used_it)
    done = here.store.collect(at_once())
    assert kinds(done) == ["note"]
    assert blobs(here.store) == {OLD, NEW, LABELS}


def test_what_became_used_although_the_gate_was_closed_comes_back_from_the_trash(
    here: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_roots, "PATIENCE", 0.05)
    other = venv(here.store, tmp_path / "other", tmp_path / "channel")
    other.install(Release(version="2.0.0", payload=OLD))
    pointer = other.pointer()
    empty = _sweep.Sweep._empty_trash

    def then_somebody_noted_it(sweep: _sweep.Sweep) -> None:
        assert OLD not in blobs(here.store)
        here.store.note_use(pointer.manifest(), pointer.manifest().variants[0], by=pointer.location)
        empty(sweep)

    monkeypatch.setattr(_sweep.Sweep, "_empty_trash", then_somebody_noted_it)
    assert kinds(here.store.collect(at_once())) == ["note"]
    assert blobs(here.store) == {OLD, NEW, LABELS}
    assert names(here.store.root / "trash") == []


def test_a_model_that_was_installed_anew_meanwhile_stays(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan.plan

    def then_it_was_installed_anew(*words: object, **more: object) -> object:
        found = plan(*words, **more)  # type: ignore[arg-type]
        here.uninstall()
        here.install(Release(version="2.0.0", payload=OLD))
        return found

    monkeypatch.setattr(_gc, "plan", then_it_was_installed_anew)
    assert here.store.collect(at_once()).gone == ()
    assert OLD in blobs(here.store)


def test_a_blob_that_was_linked_after_the_plan_was_made_stays(
    here: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan.plan

    def then_it_was_linked(*words: object, **more: object) -> object:
        found = plan(*words, **more)  # type: ignore[arg-type]
        time.sleep(0.02)
        for number, one in enumerate(here.store.root.glob("blobs/sha256/*/*")):
            os.link(one, tmp_path / f"link-{number}")
        return found

    monkeypatch.setattr(_gc, "plan", then_it_was_linked)
    assert "blob" not in kinds(here.store.collect(at_once()))


def test_leftovers_go_after_a_week_unless_somebody_is_at_them(here: Environment) -> None:
    partial = here.store.root / "partial"
    (partial / ("a" * 64)).write_bytes(b"part")
    (partial / ("b" * 64)).write_bytes(b"part")
    (partial / f"{'c' * 64}.4711-0123456789abcdef").write_bytes(b"part")
    (partial / f"{'d' * 64}.lock").touch()
    scratch = here.store.root / "models" / "digits" / "2.1.0" / ".fp32-0.0123456789ab"
    (scratch / "below").mkdir(parents=True)
    (scratch / "below" / "x").write_bytes(b"x")
    (folder,) = here.store.root.glob("models/digits/2.1.0/fp32-*")
    (folder / f".{'0' * 16}.tmp").write_bytes(b"x")
    (here.store.root / "roots" / str(_trust.user()) / ".x.1.01234567.tmp").touch()
    lock = _lock.acquire(partial / f"{'b' * 64}.lock")
    assert lock is not None
    soon = here.store.collect(Rules(time.time() + 6 * DAY, keep=1000 * DAY))
    assert kinds(soon) == ["lock"]
    done = here.store.collect(Rules(time.time() + 8 * DAY, keep=1000 * DAY))
    assert kinds(done) == ["part", "part", "scratch", "scratch", "scratch"]
    lock.release()
    assert names(partial) == ["b" * 64]
    assert not scratch.exists()
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []


def test_stamps_of_blobs_that_are_gone_go_and_others_stay(here: Environment, tmp_path: Path) -> None:
    stamps = here.store._stamps
    place = tmp_path / "x"
    place.write_bytes(b"x")
    digests = [one.name for one in here.store.root.glob("blobs/sha256/*/*")]
    for digest in (*digests, "f" * 64):
        stamps.remember(place, place.lstat(), digest)
    done = here.store.collect(Rules(time.time() + 8 * DAY, keep=1000 * DAY))
    assert [one.path.name[:32] for one in done.gone] == ["f" * 32]
    assert len(names(stamps.folder)) == len(digests)


def test_stamps_of_blobs_in_a_read_only_layer_stay(here: Environment, tmp_path: Path) -> None:
    above = Store(tmp_path / "above", layers=(here.store.root,))
    above._layout.prepare()
    for blob in here.store.root.glob("blobs/sha256/*/*"):
        above._stamps.remember(blob, blob.lstat(), blob.name)
    assert above.collect(later(1000)).gone == ()


def test_hints_about_chunks_of_blobs_that_are_gone_go(here: Environment) -> None:
    hints = here.store.root / "chunks"
    gone = [one.name for one in here.store.root.glob("blobs/sha256/*/*") if one.read_bytes() == OLD]
    assert any(bytes.fromhex(gone[0]) in one.read_bytes() for one in hints.iterdir())
    here.store.collect(at_once())
    kept = b"".join(one.read_bytes() for one in hints.iterdir())
    assert bytes.fromhex(gone[0]) not in kept
    assert kept


def test_empty_folders_of_models_go_after_a_week(here: Environment, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "app")
    here.store.collect(at_once())
    models = here.store.root / "models"
    assert names(models) == ["digits"]
    here.store.collect(later(8))
    here.store.collect(later(8))
    assert names(models) == []


def test_a_run_that_was_killed_is_ended_by_the_next(here: Environment) -> None:
    trash = here.store.root / "trash" / "0123"
    trash.mkdir(parents=True)
    for blob in list(here.store.root.glob("blobs/sha256/*/*")):
        blob.rename(trash / blob.name)
    (folder,) = here.store.root.glob("models/digits/2.0.0/*")
    folder.rename(trash / f"0-{folder.name}")
    done = here.store.collect(at_once())
    assert blobs(here.store) == {NEW, LABELS}
    assert "trash" in kinds(done)
    assert names(here.store.root / "trash") == []


@pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the faults")
@pytest.mark.parametrize("call", ["rename", "unlink", "unlinkat", "rmdir"])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_kill_at_any_point_loses_nothing_that_is_needed(here: Environment, call: str, number: int) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom modeldeps.store import Rules, Store\n"
        "Store(Path(sys.argv[1])).collect(Rules(time.time() + 1, keep=0))\n"
    )
    words = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}"]
    words += ["-e", f"inject={call}:signal=KILL:when={number}"]
    subprocess.run([*words, sys.executable, "-c", code, str(here.store.root)], check=False)
    assert {NEW, LABELS} <= blobs(here.store)
    here.store.collect(at_once())
    assert blobs(here.store) == {NEW, LABELS}
    assert names(here.store.root / "trash") == []
    assert (here.use() / "model.onnx").read_bytes() == NEW


def test_two_runs_at_once_are_one_too_many(here: Environment) -> None:
    (here.store.root / "trash").mkdir()
    lock = _lock.acquire(here.store.root / "trash" / "gc.lock")
    assert lock is not None
    with pytest.raises(StoreBusyError, match=str(os.getpid())):
        here.store.collect(at_once())
    assert here.store.survey(at_once()).freed == len(OLD)
    lock.release()
    assert here.store.collect(at_once()).freed == len(OLD)


def test_where_locks_do_nothing_what_is_new_stays_for_an_hour(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lock, "_take", lambda _: True)
    monkeypatch.setattr(_lock, "_KEEPING", {})  # what was found out about this file system before
    assert here.store.collect(at_once()).freed == 0
    assert here.store.collect(Rules(time.time() + 3700, keep=0)).freed == len(OLD)


def test_where_there_are_no_locks_it_goes_on_likewise(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(_lock, "_take", refuse)
    monkeypatch.setattr(_lock, "_KEEPING", {})
    assert here.store.collect(at_once()).freed == 0
    assert here.store.collect(Rules(time.time() + 3700, keep=0)).freed == len(OLD)


def test_where_there_is_no_store_there_is_nothing_to_free(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    assert store.collect(at_once()).gone == store.survey(at_once()).going == ()
    assert not store.root.exists()


def test_what_can_t_be_moved_is_kept_and_told(here: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if len(path.name) == 64:
            raise PermissionError(13, "Permission denied", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    done = here.store.collect(at_once())
    assert [(one.going.kind, one.reason, one.failed) for one in done.kept] == [
        ("blob", "permission denied", False)
    ]
    assert done.freed == 0
    assert OLD in blobs(here.store)


def test_what_can_t_be_deleted_is_put_back_and_told(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(_sweep, "_unlink", refuse)
    done = here.store.collect(at_once())
    assert {(one.going.kind, one.failed) for one in done.kept} == {
        ("blob", True),
        ("model", True),
        ("note", True),
    }
    assert blobs(here.store) == {OLD, NEW, LABELS}
    assert len(list(here.store.root.glob("models/digits/2.0.0/fp32-*"))) == 1


def test_links_in_a_model_s_folder_are_deleted_not_followed(here: Environment, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "x").write_bytes(b"x")
    (folder,) = here.store.root.glob("models/digits/2.0.0/*")
    (folder / "link").symlink_to(precious)
    here.store.collect(at_once())
    assert not folder.exists()
    assert (precious / "x").read_bytes() == b"x"


def test_a_store_whose_folders_are_links_elsewhere_loses_nothing_there(
    here: Environment, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    (precious / "digits" / "1.0.0" / "fp32").mkdir(parents=True)
    (precious / "digits" / "1.0.0" / "fp32" / "x").write_bytes(b"x")
    shutil.rmtree(here.store.root / "models")
    (here.store.root / "models").symlink_to(precious)
    here.store.collect(at_once())
    assert (precious / "digits" / "1.0.0" / "fp32" / "x").exists()


@root_only
def test_a_store_that_this_user_may_not_write_is_told(here: Environment) -> None:
    for one in (here.store.root, *here.store.root.rglob("*")):
        one.chmod(one.stat().st_mode | stat.S_IROTH | (stat.S_IXOTH if one.is_dir() else 0))
    code = f"""
import os, time
from pathlib import Path
from modeldeps.store import Rules, Store, _gc, _costs
from modeldeps.errors import StoreReadOnlyError
import modeldeps.store._room
os.setgid(65534); os.setuid(65534)
try: Store(Path({str(here.store.root)!r})).collect(Rules(time.time() + 1, keep=0))
except StoreReadOnlyError as error: print(error.sentence)
"""
    for folder in here.store.root.parents:
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "the store can't be written", done.stderr
    assert blobs(here.store) == {OLD, NEW, LABELS}
    assert StoreReadOnlyError.exit_status == 3
