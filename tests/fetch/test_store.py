"""What a store keeps, and what it believes."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, fetch_one, file_of
from stores import NAMED, keep

from modeldeps.config import Settings
from modeldeps.errors import (
    BlobMissingError,
    DigestError,
    StoreLayoutError,
)
from modeldeps.store import Store, _lock, _materialise, _mounts, _part, _trust

if TYPE_CHECKING:
    from pathlib import Path

    from blob_server import BlobServer


def hashed_again(_: object) -> str:
    pytest.fail("hashed again")


def leave_open(*_: object, **__: object) -> None:
    """Do as a file system that has neither modes nor times."""


def test_opening_a_store_makes_nothing(tmp_path: Path) -> None:
    store = Store.open(Settings(cache=tmp_path / "a" / "store"))
    assert store.find(file_of(b"x")) is None
    assert store.materialised([file_of(b"x")], **NAMED) is None
    assert store.usage().blobs == 0
    assert not (tmp_path / "a").exists()


def test_a_store_of_another_layout_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "layout").write_text("7\n")
    with pytest.raises(StoreLayoutError, match="layout '7'"):
        Store.open(Settings(cache=tmp_path))
    with pytest.raises(StoreLayoutError):
        Store.open(Settings(cache=tmp_path / "mine", stores=(tmp_path,)))


def test_a_blob_lies_under_its_digest_in_the_layout_of_version_1(
    store: Store, tmp_path: Path, data: bytes
) -> None:
    file = keep(store, data, tmp_path)
    assert store.blob(file.sha256) == store.root / "blobs" / "sha256" / file.sha256[:2] / file.sha256
    assert (store.root / "layout").read_text() == "1\n"


def test_adopting_something_else_is_refused(store: Store, tmp_path: Path) -> None:
    place = tmp_path / "other"
    place.write_bytes(b"other bytes")
    for size in (11, 10, 12):
        with pytest.raises(DigestError):
            store.adopt(place, file_of(b"wanted data").sha256, size)
    with pytest.raises(FileNotFoundError):
        store.adopt(tmp_path / "nowhere", file_of(b"wanted data").sha256, 11)
    assert store.usage().blobs == 0
    assert list((store.root / "partial").iterdir()) == []


@pytest.mark.parametrize("hidden", [True, False], ids=["made read-only again", "left writable"])
def test_an_altered_blob_is_noticed_and_replaced(
    server: BlobServer, store: Store, data: bytes, *, hidden: bool
) -> None:
    file = file_of(data)
    server.add(data, file.sha256)
    fetch_one(file, store, server.url)
    blob = store.blob(file.sha256)
    blob.chmod(0o644)
    with blob.open("r+b") as stream:
        stream.write(b"altered")
    if hidden:
        blob.chmod(0o444)
    assert store.find(file) is None
    reporter = Remember()
    assert fetch_one(file, store, server.url, reporter=reporter).bytes_fetched == len(data)
    assert reporter.notes == ["model.onnx: the blob in the store was altered; fetching it again"]
    assert blob.read_bytes() == data


def test_a_truncated_blob_is_noticed(store: Store, tmp_path: Path, data: bytes) -> None:
    file = keep(store, data, tmp_path)
    blob = store.blob(file.sha256)
    blob.chmod(0o644)
    os.truncate(blob, 10)
    assert store.find(file) is None


def test_another_good_blob_under_the_wrong_name_is_noticed(store: Store, tmp_path: Path) -> None:
    one, two = keep(store, b"a" * 50, tmp_path), keep(store, b"b" * 50, tmp_path)
    store.blob(two.sha256).unlink()
    os.link(store.blob(one.sha256), store.blob(two.sha256))
    assert store.find(two) is None
    assert store.find(one) is not None


def test_a_blob_that_was_only_touched_is_hashed_once_and_sealed_again(
    store: Store, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = keep(store, data, tmp_path)
    blob = store.blob(file.sha256)
    blob.chmod(0o644)
    os.utime(blob)
    assert store.find(file) == blob
    assert stat.S_IMODE(blob.stat().st_mode) & 0o222 == 0
    monkeypatch.setattr(_trust, "sha256_stream", hashed_again)
    assert store.find(file) == blob


def test_a_symbolic_link_is_no_blob(store: Store, tmp_path: Path, data: bytes) -> None:
    file = keep(store, data, tmp_path)
    blob = store.blob(file.sha256)
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    assert store.find(file) is None
    blob.unlink()
    os.mkfifo(blob)
    assert store.find(file) is None


def test_where_a_file_can_t_be_sealed_it_is_hashed_once_and_stamped(
    store: Store, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_trust, "seal", leave_open)
    monkeypatch.setattr(_part, "seal", leave_open)
    file = keep(store, data, tmp_path)
    folder = store.materialise([file], **NAMED)
    monkeypatch.setattr(_trust, "sha256_stream", hashed_again)
    assert store.find(file) is not None
    assert store.materialised([file], **NAMED) == folder
    (folder / file.path).write_bytes(data[:-1] + b"!")
    monkeypatch.undo()
    assert store.materialised([file], **NAMED) is None


def test_read_only_stores_are_looked_up_first(tmp_path: Path, data: bytes) -> None:
    layer = Store(tmp_path / "layer")
    file = keep(layer, data, tmp_path)
    folder = layer.materialise([file], **NAMED)
    store = Store.open(Settings(cache=tmp_path / "mine", stores=(layer.root,)))
    assert store.find(file) == layer.blob(file.sha256)
    assert store.materialise([file], **NAMED) == folder
    assert not (tmp_path / "mine").exists()


def test_a_materialised_model_has_its_own_names_and_costs_no_room(store: Store, tmp_path: Path) -> None:
    files = [
        keep(store, b"weights", tmp_path, "a/b/model.onnx"),
        keep(store, b"labels", tmp_path, "labels.txt"),
    ]
    folder = store.materialise(files, **NAMED)
    assert sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()) == [
        "a/b/model.onnx",
        "labels.txt",
    ]
    assert (folder / "a/b/model.onnx").samefile(store.blob(files[0].sha256))
    assert store.materialise(files, **NAMED) == folder
    assert store.usage().models == 1


def test_the_same_version_with_other_bytes_gets_another_folder(store: Store, tmp_path: Path) -> None:
    one, two = keep(store, b"one", tmp_path), keep(store, b"two", tmp_path)
    assert store.materialise([one], **NAMED) != store.materialise([two], **NAMED)


def test_a_damaged_folder_is_mended_in_place(store: Store, tmp_path: Path) -> None:
    files = [keep(store, b"weights", tmp_path, "model.onnx"), keep(store, b"labels", tmp_path, "labels.txt")]
    folder = store.materialise(files, **NAMED)
    (folder / "labels.txt").unlink()
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").write_bytes(b"weightz")
    assert store.materialised(files, **NAMED) is None
    assert store.materialise(files, **NAMED) == folder
    assert (folder / "model.onnx").read_bytes() == b"weights"
    assert (folder / "labels.txt").read_bytes() == b"labels"


def test_altering_a_materialised_file_is_noticed_and_both_names_are_mended(
    server: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    server.add(data, file.sha256)
    fetch_one(file, store, server.url)
    opened = store.materialise([file], **NAMED) / file.path
    opened.chmod(0o644)
    with opened.open("r+b") as stream:
        stream.write(b"altered")
    opened.chmod(0o444)
    assert store.materialised([file], **NAMED) is None
    with pytest.raises(BlobMissingError, match="modeldeps sync"):
        store.materialise([file], **NAMED)
    fetch_one(file, store, server.url)
    store.materialise([file], **NAMED)
    assert opened.read_bytes() == data


def test_where_links_fail_files_are_copied_and_proved(
    store: Store, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = keep(store, data, tmp_path)

    def refuse(source: object, target: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    folder = store.materialise([file], **NAMED)
    copy = folder / file.path
    assert not copy.samefile(store.blob(file.sha256))
    assert copy.read_bytes() == data
    assert store.materialised([file], **NAMED) == folder


def test_two_that_materialise_at_once_get_the_same_folder(
    store: Store, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = keep(store, data, tmp_path)
    faster = Store(store.root)
    place = _materialise.place

    def late(target: Path, *rest: object) -> None:
        monkeypatch.setattr(_materialise, "place", place)
        faster.materialise([file], **NAMED)
        place(target, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(_materialise, "place", late)
    folder = store.materialise([file], **NAMED)
    assert [one.name for one in folder.parent.iterdir()] == [folder.name]
    assert (folder / file.path).read_bytes() == data


@pytest.mark.parametrize("chunk", [0, 500_000])
def test_a_part_file_whose_end_is_zeros_after_a_power_cut_is_not_believed(
    server: BlobServer, store: Store, data: bytes, chunk: int
) -> None:
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    part = store.root / "partial" / file.sha256
    part.parent.mkdir(parents=True)
    part.write_bytes(data[:1_200_000] + bytes(600_000))
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    assert store.blob(file.sha256).read_bytes() == data
    assert reporter.done == len(data)
    if chunk:
        assert fetched.bytes_fetched <= 2_000_000 + 300_000
        assert reporter.notes == []
    else:
        assert 1_800_000 <= fetched.bytes_fetched <= 1_800_000 + 100_000
        assert reporter.notes == [
            "model.onnx: parts of several downloads don't fit; fetching what is wrong again"
        ]


@pytest.mark.parametrize("mode", [0o644, 0o444])
def test_a_part_file_that_is_whole_needs_no_source(store: Store, data: bytes, mode: int) -> None:
    file = file_of(data)
    part = store.root / "partial" / file.sha256
    part.parent.mkdir(parents=True)
    part.write_bytes(data)
    part.chmod(mode)
    assert fetch_one(file, store).bytes_fetched == 0
    assert store.find(file) is not None


def test_a_part_file_that_is_too_long_or_a_link_is_thrown_away(
    server: BlobServer, store: Store, tmp_path: Path, data: bytes
) -> None:
    file = file_of(data)
    server.add(data, file.sha256)
    part = store.root / "partial" / file.sha256
    part.parent.mkdir(parents=True)
    part.write_bytes(data + b"more")
    assert fetch_one(file, store, server.url).bytes_fetched == len(data)
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    store.blob(file.sha256).unlink()
    part.symlink_to(victim)
    fetch_one(file, store, server.url)
    store.blob(file.sha256).unlink()
    os.link(victim, part)
    fetch_one(file, store, server.url)
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("line", "network"),
    [
        ("24 1 {device} / / rw,relatime - ext4 /dev/vda rw", False),
        ("24 1 {device} / / rw,relatime shared:1 - nfs4 host:/x rw", True),
        ("24 1 {device} / / rw - fuse.sshfs host:/x rw", True),
        ("nonsense", False),
    ],
)
def test_file_systems_of_other_machines_are_known_by_their_type(
    tmp_path: Path, line: str, *, network: bool
) -> None:
    device = tmp_path.stat().st_dev
    table = tmp_path / "mountinfo"
    table.write_text(line.format(device=f"{os.major(device)}:{os.minor(device)}") + "\n")
    assert _mounts.is_network(tmp_path, table) is network
    assert _mounts.is_network(tmp_path, tmp_path / "none") is False


def test_a_lock_is_had_by_one_at_a_time_and_leaves_no_file(tmp_path: Path) -> None:
    lock = _lock.acquire(tmp_path / "lock")
    assert lock is not None
    assert lock.proven
    assert _lock.acquire(tmp_path / "lock") is None
    lock.release()
    assert list(tmp_path.iterdir()) == []
    again = _lock.acquire(tmp_path / "lock")
    assert again is not None
    again.release()


def test_the_seal_lies_in_the_past_on_an_even_second() -> None:
    for digest in ("0" * 64, "f" * 64, "1234abcd" * 8):
        moment = _trust.seal_time(digest)
        assert 315_532_800 < moment < 900_000_000
        assert moment % 2 == 0


def test_looking_at_a_materialised_model_is_quick_enough_for_every_load(store: Store, tmp_path: Path) -> None:
    """Count system calls, not seconds: a `stat` for each file, and nothing is opened."""
    files = [keep(store, bytes([number]), tmp_path, f"{number}.bin") for number in range(5)]
    store.materialise(files, **NAMED)
    opened: list[object] = []
    watching = [True]
    sys.addaudithook(lambda event, args: opened.append(args) if watching and event == "open" else None)
    found = store.materialised(files, **NAMED)
    watching.clear()
    assert found is not None
    assert opened == []


def test_a_blob_that_is_there_is_not_adopted_again(store: Store, tmp_path: Path, data: bytes) -> None:
    file = keep(store, data, tmp_path)
    inode = store.blob(file.sha256).stat().st_ino
    keep(store, data, tmp_path)
    assert store.blob(file.sha256).stat().st_ino == inode


def test_a_lock_that_is_another_name_of_a_private_file_opens_it_to_nobody(tmp_path: Path) -> None:
    secret, lock = tmp_path / "secret", tmp_path / "x.lock"
    secret.write_text("mine")
    secret.chmod(0o600)
    os.link(secret, lock)
    found = _lock.acquire(lock)
    assert found is not None
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text() == "mine"
    found.release()
