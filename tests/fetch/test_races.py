"""Moments between two looks that long runs of many processes found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fetching import Remember, fetch_one, file_of
from stores import NAMED, keep

from modeldeps import files
from modeldeps.errors import BlobMissingError
from modeldeps.store import _adopt, _land, _lock, _materialise, _part

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.store import Store


def test_a_blob_that_is_freed_while_a_model_is_made_of_it_is_missing_and_the_store_did_not_vanish(
    store: Store, tmp_path: Path
) -> None:
    file = keep(store, b"freed in between", tmp_path)
    found = store.find(file)
    assert found is not None
    found.unlink()
    looks = iter([found, None])
    with pytest.raises(BlobMissingError):
        _materialise.build(tmp_path / "model", [file], lambda _: next(looks), store._stamps)
    assert [one for one in tmp_path.iterdir() if one.name.startswith((".model", "model"))] == []


def test_a_folder_that_is_freed_while_it_is_mended_is_made_again(store: Store, tmp_path: Path) -> None:
    file = keep(store, b"bytes", tmp_path)
    blob = store.find(file)
    looks = iter([tmp_path / "just freed", blob, blob, blob])
    _materialise.build(tmp_path / "model", [file], lambda _: next(looks), store._stamps)
    assert (tmp_path / "model" / file.path).read_bytes() == b"bytes"


def test_an_interrupt_while_a_lock_is_let_go_is_that_interrupt(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store._layout.prepare()
    release, calls = _lock.Lock.release, []

    def interrupted(lock: _lock.Lock) -> None:
        calls.append(lock)
        release(lock)
        raise KeyboardInterrupt

    monkeypatch.setattr(_lock.Lock, "release", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _land.claim(store._layout, file_of(b"here by now"), landed=lambda: True)
    assert len(calls) == 1


def test_files_of_two_models_that_are_one_file_without_a_blob_are_looked_at(
    store: Store, tmp_path: Path
) -> None:
    file = keep(store, b"bytes of both", tmp_path)
    for version in ("1.0.0", "2.0.0"):
        folder = store.materialise([file], **{**NAMED, "version": version})
        assert (folder / file.path).stat().st_nlink >= 2
    blob = store.find(file)
    assert blob is not None
    blob.unlink()
    found = store.verify([], reporter=Remember())
    assert (found.files, found.findings) == (1, ())
    assert dict(found.copies) == {}


def test_a_blob_that_is_freed_as_soon_as_it_has_its_name_is_no_failure_of_the_disk(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(source: Path, target: Path) -> None:
        files.replace(source, target)
        target.unlink()

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "some.bin").write_bytes(b"freed at once")
    file = file_of(b"freed at once")
    monkeypatch.setattr(_adopt, "replace", replace)
    monkeypatch.setattr(_part, "replace", replace)
    store.gather([tmp_path / "elsewhere"], [file], reporter=Remember())
    keep(store, b"freed at once", tmp_path)
    assert store.find(file) is None


def test_a_hint_that_names_a_place_beyond_every_file_is_passed_over(store: Store, tmp_path: Path) -> None:
    data = bytes(range(250)) * 400
    old, new = file_of(data, chunk=10_000), file_of(data[10_000:], chunk=10_000)
    source = tmp_path / "source"
    for blob, file in ((data, old), (data[10_000:], new)):
        place = source / "blobs" / "sha256" / file.sha256[:2] / file.sha256
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(blob)
    fetch_one(old, store, source.as_uri())
    for hints in (store.root / "chunks").iterdir():
        records = [hints.read_bytes()[at : at + 56] for at in range(0, hints.stat().st_size, 56)]
        hints.write_bytes(b"".join(one[:48] + b"\xff" * 8 for one in records))
    fetch_one(new, store, source.as_uri())
    assert store.find(new)
