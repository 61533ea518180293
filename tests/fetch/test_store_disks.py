"""What a store does when the disk does not play along."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import fetch_one, file_of
from stores import NAMED, keep, looped, mounted, root_only

from modeldeps.config import Settings
from modeldeps.errors import (
    NotAStoreError,
    StoreFullError,
    StoreGoneError,
    StoreReadOnlyError,
)
from modeldeps.store import Store, _mounts, _room

if TYPE_CHECKING:
    from blob_server import BlobServer

    from modeldeps.store import Landing


@root_only
def test_a_full_disk_is_seen_before_a_byte_travels(server: BlobServer, data: bytes) -> None:
    file = file_of(data)
    server.add(data, file.sha256)
    with mounted("size=2m") as folder:
        with pytest.raises(StoreFullError) as caught:
            fetch_one(file, Store(folder / "store"), server.url)
        assert "needed: 3.0 MB" in str(caught.value)
        assert "free:   2.1 MB" in str(caught.value)
        assert server.requests == []


@root_only
def test_a_disk_that_fills_up_on_the_way_keeps_what_came(
    server: BlobServer, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_of(data, chunk=100_000)
    server.add(data, file.sha256)
    monkeypatch.setattr(_room, "check_room", lambda *_: None)
    with mounted("size=2m") as folder:
        store = Store(folder / "store")
        with pytest.raises(StoreFullError):
            fetch_one(file, store, server.url)
        assert store.begun(file) >= 1_500_000
        assert store.find(file) is None
        subprocess.run(["mount", "-o", "remount,size=8m", str(folder)], check=True)
        assert fetch_one(file, store, server.url).bytes_fetched <= 1_500_000


@root_only
def test_a_read_only_store_serves_what_it_has_and_says_what_it_can_t(
    server: BlobServer, tmp_path: Path, data: bytes
) -> None:
    wanted = file_of(data)
    server.add(data, wanted.sha256)
    with mounted("size=8m") as folder:
        store = Store(folder / "store")
        here = keep(store, b"here", tmp_path)
        path = store.materialise([here], **NAMED)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert not store.is_writable()
        assert store.find(here) is not None
        assert store.materialise([here], **NAMED) == path
        with pytest.raises(StoreReadOnlyError) as caught:
            fetch_one(wanted, store, server.url)
        assert "read-only file system" in str(caught.value)
        assert "MODELDEPS_STORES" in str(caught.value)
        assert server.sent == 0
        other = Store(tmp_path / "other", layers=(store.root,))
        assert fetch_one(wanted, other, server.url).bytes_fetched == len(data)


@root_only
def test_a_read_only_store_whose_blobs_lost_their_seal_serves_what_it_has(tmp_path: Path) -> None:
    with mounted("size=8m") as folder:
        layer = Store(folder / "store")
        here = keep(layer, b"here", tmp_path)
        os.utime(layer.blob(here.sha256), (0, 0))
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        store = Store(tmp_path / "other", layers=(layer.root,))
        assert store.find(here) == layer.blob(here.sha256)


@pytest.mark.parametrize("place", ["file", "file/store", "/dev/null", "/dev/null/x"])
def test_a_store_where_a_file_is_in_the_way_says_so(
    server: BlobServer, tmp_path: Path, data: bytes, place: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    file = file_of(data)
    server.add(data, file.sha256)
    store = Store.open(Settings(cache=tmp_path / place))
    assert store.find(file) is None
    assert not store.is_writable()
    with pytest.raises(NotAStoreError, match=r"a file in its way: .*(file|null)\n") as caught:
        fetch_one(file, store, server.url)
    assert "set MODELDEPS_CACHE" in str(caught.value)
    assert server.sent == 0


def test_a_store_is_not_made_among_other_files(server: BlobServer, tmp_path: Path, data: bytes) -> None:
    for name in ("thesis.tex", "a", "b", "c", ".hidden"):
        (tmp_path / name).touch()
    file = file_of(data)
    server.add(data, file.sha256)
    store = Store.open(Settings(cache=tmp_path))
    assert store.find(file) is None
    with pytest.raises(NotAStoreError, match="a folder with other files: a, b, c, …"):
        fetch_one(file, store, server.url)
    assert len(list(tmp_path.iterdir())) == 5


def test_a_store_that_lost_its_layout_file_or_has_an_empty_one_is_one_again(
    store: Store, tmp_path: Path, data: bytes
) -> None:
    one = keep(store, data, tmp_path)
    for is_there in (True, False):
        os.truncate(store.root / "layout", 0)
        if not is_there:
            (store.root / "layout").unlink()
        (store.root / "lost+found").mkdir(exist_ok=True)
        found = Store.open(Settings(cache=store.root))
        assert found.find(one) is not None
        keep(found, data[:1000], tmp_path)
        assert (store.root / "layout").read_text() == "1\n"
        store.blob(file_of(data[:1000]).sha256).unlink()


def test_a_path_that_no_file_system_takes_is_told_as_such(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(NotAStoreError, match="file name too long"):
        keep(Store(tmp_path / ("x" * 300)), data, tmp_path)


def test_a_store_that_vanishes_while_bytes_come_in_says_so_and_is_made_anew(
    server: BlobServer, tmp_path: Path, data: bytes
) -> None:
    file = file_of(data, chunk=100_000)
    server.add(data, file.sha256)
    store = Store(tmp_path / "store")

    def then_somebody_deletes_it(landing: Landing) -> None:
        shutil.rmtree(store.root)
        assert landing.file == file
        with store.writing():
            (store.root / "partial" / "x").touch()

    with pytest.raises(StoreGoneError, match="vanished") as caught:
        store.land(file, then_somebody_deletes_it)
    assert "no such file or directory" in str(caught.value)
    assert fetch_one(file, store, server.url).bytes_fetched == len(data)
    assert store.find(file) is not None


@root_only
def test_blobs_and_models_may_each_lie_on_a_disk_of_their_own(tmp_path: Path, data: bytes) -> None:
    with mounted("size=32m") as blobs, mounted("size=32m") as models:
        store = Store(tmp_path / "store")
        store.root.mkdir()
        (store.root / "blobs").symlink_to(blobs)
        (store.root / "models").symlink_to(models)
        one = keep(store, data, tmp_path)
        folder = store.materialise([one], **NAMED)
        assert (folder / one.path).read_bytes() == data
        assert (folder / one.path).stat().st_dev != store.blob(one.sha256).stat().st_dev
        assert store.materialised([one], **NAMED) == folder
        assert not any((store.root / "partial").iterdir())


@root_only
@pytest.mark.skipif(not shutil.which("mkfs.btrfs"), reason="mkfs.btrfs makes the disk")
def test_a_disk_is_known_by_its_mount_point_where_its_number_is_nowhere(tmp_path: Path) -> None:
    disk, folder = tmp_path / "disk", tmp_path / "a folder"
    folder.mkdir()
    with disk.open("wb") as stream:
        stream.truncate(256 << 20)
    subprocess.run(["mkfs.btrfs", "-q", str(disk)], check=True)
    with looped(disk, folder):
        subprocess.run(["btrfs", "-q", "subvolume", "create", str(folder / "sub")], check=True)
        (folder / "sub" / "x").touch()
        _mounts._mounts.cache_clear()
        assert _mounts._kind(folder / "sub" / "x", _mounts._TABLE) == "btrfs"


def test_times_in_the_future_or_before_1970_fool_nobody(
    store: Store, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = keep(store, data, tmp_path)
    folder = store.materialise([one], **NAMED)
    for moment in (4_000_000_000, 0, -1_000_000_000):
        blob = store.blob(one.sha256)
        blob.chmod(0o644)
        os.utime(blob, (moment, moment))
        assert store.find(one) == blob
        assert store.materialised([one], **NAMED) == folder
        blob.chmod(0o644)
        blob.write_bytes(data[:-1] + b"!")
        os.utime(blob, (moment, moment))
        assert store.find(one) is None
        blob.write_bytes(data)
    monkeypatch.setattr(time, "time", lambda: -5.0)
    assert store.find(one) is not None


CUT = """
import shutil, sys
from pathlib import Path
from fetching import fetch_one, file_of
from modeldeps.store import Store
data = bytes(range(256)) * 8192
file = file_of(data, chunk=500_000)
store = Store(Path(sys.argv[1]) / "store")
fetch_one(file, store, sys.argv[2])
store.materialise([file], name="digits", version="2.1.0", variant="fp32")
shutil.copyfile(sys.argv[3], sys.argv[4])  # the disk as it is at this moment, without what only memory holds
"""


@root_only
@pytest.mark.skipif(not shutil.which("mkfs.ext4"), reason="mkfs.ext4 makes the disk")
def test_after_a_power_cut_what_was_told_to_be_there_is_there(server: BlobServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    file = file_of(data, chunk=500_000)
    server.add(data, file.sha256)
    disk, later, folder = tmp_path / "disk", tmp_path / "later", tmp_path / "mounted"
    folder.mkdir()
    with disk.open("wb") as stream:
        stream.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(disk)], check=True)
    support = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "support")}
    with looped(disk, folder):
        words = [sys.executable, "-c", CUT, str(folder), server.url, str(disk), str(later)]
        subprocess.run(words, env=support, check=True)
    with looped(later, folder):
        store = Store(folder / "store")
        assert store.blob(file.sha256).read_bytes() == data
        assert store.find(file) is not None
        assert store.materialised([file], **NAMED) is not None
        assert fetch_one(file, store).bytes_fetched == 0
