"""Who uses what is noted before it is looked for, and seen to end when its environment ends."""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from environments import DAY, Environment, age, venv
from releases import Release
from stores import mounted, root_only

from modeldeps.store import Alive, Dead, Store, Unsure, Use, _place, _roots, _uses, pin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from modeldeps.store._uses import Note


@pytest.fixture
def here(store: Store, tmp_path: Path) -> Environment:
    """Return a virtual environment with digits 2.1.0 that used it."""
    found = venv(store, tmp_path / "app" / ".venv", tmp_path / "channel").install(Release())
    found.use()
    return found


def only(store: Store) -> Note:
    (found,) = store.notes()
    return found


def test_a_virtual_environment_is_noted_with_its_model_and_blobs(here: Environment, tmp_path: Path) -> None:
    note = only(here.store)
    assert (note.use.kind, note.use.place) == ("venv", str(tmp_path / "app" / ".venv"))
    assert note.use.model == "digits 2.1.0 fp32"
    assert dict(note.use.blobs) == {digest: len(data) for digest, data in Release().blobs.items()}
    assert abs(note.used - time.time()) < 60
    assert _roots.judge(note.use) == Alive()


@pytest.mark.parametrize(
    ("prepare", "kind"),
    [
        (lambda root: (root / "conda-meta").mkdir(parents=True), "conda"),
        (lambda root: root.mkdir(), "folder"),
    ],
)
def test_conda_prefixes_and_plain_folders_are_known_too(
    store: Store, tmp_path: Path, prepare: Callable[[Path], None], kind: str
) -> None:
    root = tmp_path / "root"
    prepare(root)
    site = root / "lib" / "python3.12" / "site-packages"
    Environment(site, store, tmp_path / "channel").install(Release()).use()
    found = only(store).use
    assert (found.kind, found.place) == (kind, str(site if kind == "folder" else root))


def test_the_installation_of_this_interpreter_is_one_environment() -> None:
    location = Path(os.__file__).parent / "site-packages" / "modeldeps_digits-2.1.0.dist-info"
    assert _place.environment_of(location)[0] in {"conda", "python", "venv"}


def test_what_is_noted_is_noted_once_a_day(here: Environment) -> None:
    folder, location = here.use(), here.pointer().location
    file = only(here.store).file
    before = file.stat()
    assert here.store.is_noted(folder, location)
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    age(file, 1.5)
    assert here.store.is_noted(folder, location)
    assert abs(file.stat().st_mtime - time.time()) < 60
    age(file, -400)  # written while the clock was wrong
    assert here.store.is_noted(folder, location)
    assert abs(file.stat().st_mtime - time.time()) < 60
    assert file.stat().st_ino == before.st_ino


def test_another_environment_is_not_noted_by_that(here: Environment, store: Store, tmp_path: Path) -> None:
    other = venv(store, tmp_path / "other", tmp_path / "channel").install(Release())
    folder = here.use()
    assert not store.is_noted(folder, other.pointer().location)
    other.use()
    assert store.is_noted(folder, other.pointer().location)
    assert len(list(store.notes())) == 2


def test_a_model_of_a_read_only_layer_is_noted_nowhere(here: Environment, tmp_path: Path) -> None:
    folder = here.use()
    above = Store(tmp_path / "above", layers=(here.store.root,))
    assert above.is_noted(folder, tmp_path / "elsewhere")
    pointer = here.pointer()
    above.note_use(pointer.manifest(), pointer.manifest().variants[0], by=pointer.location)
    assert not above.root.exists()


def test_where_nothing_can_be_written_a_load_goes_on(here: Environment) -> None:
    pointer = here.pointer()
    shutil.rmtree(here.store.root / "roots")
    (here.store.root / "roots").write_text("in the way")
    here.store.note_use(pointer.manifest(), pointer.manifest().variants[0], by=pointer.location)
    assert list(here.store.notes()) == []


def test_an_uninstalled_model_is_not_used_any_longer(here: Environment) -> None:
    here.uninstall()
    assert _roots.judge(only(here.store).use) == Dead("the model was uninstalled or upgraded")


def test_an_upgraded_model_is_used_in_its_new_version_only(here: Environment) -> None:
    here.uninstall()
    here.install(Release(version="2.2.0", payload=b"better")).use()
    states = {one.use.version: _roots.judge(one.use) for one in here.store.notes()}
    assert states["2.2.0"] == Alive()
    assert isinstance(states["2.1.0"], Dead)


def test_a_release_that_was_built_anew_under_its_old_version_has_other_blobs(here: Environment) -> None:
    release = Release(payload=b"other weights")
    release.build(here.channel)
    here.install(release)
    assert _roots.judge(only(here.store).use) == Dead("the model is another release by now")
    here.use()
    assert min(str(_roots.judge(one.use)) for one in here.store.notes()) == "Alive()"


def test_a_deleted_environment_is_dead(here: Environment, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "app")
    assert _roots.judge(only(here.store).use) == Dead("the environment is gone")


def test_an_environment_of_another_machine_or_container_is_not_taken_for_dead(here: Environment) -> None:
    use = replace(only(here.store).use, machine="container-0123")
    assert _roots.judge(use) == Alive()  # the same place is seen from here
    here.uninstall()
    assert _roots.judge(use) == Unsure("it belongs to another machine or container")


@root_only
def test_an_environment_on_a_disk_that_is_not_mounted_is_not_taken_for_dead(
    store: Store, tmp_path: Path
) -> None:
    with mounted("size=10m") as disk:
        venv(store, disk / "env", tmp_path / "channel").install(Release()).use()
        assert only(store).use.mount == str(disk)
        assert _roots.judge(only(store).use) == Alive()
        shutil.rmtree(disk / "env")
        assert _roots.judge(only(store).use) == Dead("the environment is gone")
    assert _roots.judge(only(store).use) == Unsure("its disk is not mounted")


def test_a_broken_manifest_does_not_end_a_use(here: Environment) -> None:
    here.pointer().file.write_text("{")
    assert _roots.judge(only(here.store).use) == Unsure("its manifest can't be read")


def test_a_linked_manifest_is_one(here: Environment, tmp_path: Path) -> None:
    file = here.pointer().file
    file.rename(tmp_path / "kept.json")
    file.symlink_to(tmp_path / "kept.json")
    assert _roots.judge(only(here.store).use) == Alive()


def test_a_pointer_package_in_a_zip_file_is_used_as_long_as_that_is_there(
    here: Environment, tmp_path: Path
) -> None:
    archive = tmp_path / "app.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.write(here.pointer().file, "modeldeps_digits-2.1.0.dist-info/model.json")
    pointer = here.pointer()
    location = archive / "modeldeps_digits-2.1.0.dist-info"
    here.store.note_use(pointer.manifest(), pointer.manifest().variants[0], by=location)
    (found,) = [one.use for one in here.store.notes() if str(archive) in one.use.evidence]
    assert _roots.judge(found) == Alive()
    archive.unlink()
    assert isinstance(_roots.judge(found), Dead)


def test_what_an_installer_fetches_ahead_counts_for_its_project_for_a_time(
    here: Environment, tmp_path: Path
) -> None:
    project = tmp_path / "project" / "pyproject.toml"
    project.parent.mkdir()
    project.write_text("")
    manifest = here.pointer().manifest()
    for version in ("2.1.0", "2.2.0"):
        here.store.note_use(replace(manifest, version=version), manifest.variants[0], by=project)
    (found,) = [one.use for one in here.store.notes() if one.use.kind == "project"]
    assert (found.version, found.place) == ("2.2.0", str(project.parent))
    assert _roots.judge(found) == Unsure("an installer fetched ahead for it")
    project.unlink()
    assert _roots.judge(found) == Dead("its pyproject.toml is gone")


def test_a_pin_lasts_as_long_as_its_project_or_for_good(here: Environment, tmp_path: Path) -> None:
    use = only(here.store).use
    project = tmp_path / "project" / "pyproject.toml"
    project.parent.mkdir()
    project.write_text("")
    pinned = pin_of(project, use)
    assert _roots.judge(pinned) == Alive()
    shutil.rmtree(project.parent)
    assert _roots.judge(pinned) == Dead("the project is gone")
    assert _roots.judge(pin_of(None, use)) == Alive()


HOSTILE = [
    b"",
    b"{",
    b"[]",
    b"\xff",
    b"[" * 100_000,
    b"{}",
    b'{"blobs": []}',
    b'{"blobs": {"../../etc/passwd": 1}}',
    json.dumps({"blobs": {"0" * 64: -1}}).encode(),
    json.dumps({"blobs": {"0" * 64: True}}).encode(),
    json.dumps({"blobs": {}, "place": ["x"]}).encode(),
    json.dumps({"blobs": {}, "place": "x" * 5000}).encode(),
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_a_note_that_says_nothing_sensible_is_no_note(store: Store, data: bytes) -> None:
    file = store.root / "roots" / "0" / "x"
    file.parent.mkdir(parents=True)
    file.write_bytes(data)
    assert Use.parse(data) is None
    assert list(store.notes()) == []


def test_a_note_is_neither_a_link_nor_a_pipe_nor_endless(here: Environment) -> None:
    note = only(here.store)
    (note.file.parent / "link").symlink_to(note.file)
    (note.file.parent.parent / "99").symlink_to(note.file.parent)
    os.mkfifo(note.file.parent / "pipe")
    with (note.file.parent / "large").open("wb") as stream:
        stream.truncate(_uses.LARGEST + 1)
    assert [one.file for one in here.store.notes()] == [note.file]


@pytest.mark.parametrize("evidence", ["", "pipe", "\0", "/dev/zero", "/dev/zero/x", "x" * 4000])
def test_whatever_a_note_says_its_evidence_is_nobody_hangs(
    here: Environment, tmp_path: Path, evidence: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    place = str(tmp_path / evidence) if evidence and evidence[0] not in "/\0" else evidence
    use = replace(only(here.store).use, evidence=place, mount="\0", place="\0")
    assert isinstance(_roots.judge(use), Unsure)


def test_a_newer_form_of_a_note_still_keeps_its_blobs() -> None:
    found = Use.parse(json.dumps({"schema": 9, "blobs": {"0" * 64: 5}, "who": {"new": 1}}).encode())
    assert found is not None
    assert dict(found.blobs) == {"0" * 64: 5}
    assert _roots.judge(found) == Unsure("it does not say where it is")


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    found = Use("venv", "", "", "digits\x1b[2J", "1\n", "fp32", "", {})
    assert found.model == "digits?[2J 1? fp32"


def test_a_note_says_the_same_after_it_was_written_and_read(here: Environment) -> None:
    note = only(here.store)
    assert Use.parse(note.use.dump()) == note.use


MOUNTS = """\
1 0 8:1 / {root} rw - ext4 /dev/sda1 rw
2 1 0:9 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/o/42/diff
"""


def test_a_container_is_known_by_its_writable_layer(tmp_path: Path) -> None:
    table, number = tmp_path / "mountinfo", tmp_path / "machine-id"
    table.write_text(MOUNTS.format(root="/data"))
    number.write_text("0123456789abcdef\n")
    one = _place.machine(table, number)
    assert one.startswith("container-")
    table.with_name("again").write_text(MOUNTS.replace("42", "43").format(root="/data"))
    assert _place.machine(table.with_name("again"), number) not in ("", one)


def test_a_machine_is_known_by_its_number_which_is_not_shown(tmp_path: Path) -> None:
    number = tmp_path / "machine-id"
    number.write_text("0123456789abcdef\n")
    found = _place.machine(tmp_path / "none", number)
    assert found.startswith("machine-")
    assert "0123456789abcdef" not in found
    assert _place.machine(tmp_path / "none", tmp_path / "none").startswith("host-")


def test_a_gate_that_nobody_opens_is_not_waited_at_for_ever(
    here: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_roots, "PATIENCE", 0.05)
    layout = here.store._layout
    age(only(here.store).file, 3)
    with _roots.gate(layout):
        _roots.note(layout, only(here.store).use)
    assert time.time() - only(here.store).used < DAY
