"""What a store does when the disk does not play along."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import fetch_one, file_of
from stores import NAMED, keep, looped, mounted, root_only

from modeldeps.errors import (
    StoreFailedError,
    StoreFullError,
    StoreReadOnlyError,
)
from modeldeps.store import Store, _room

if TYPE_CHECKING:
    from blob_server import BlobServer


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


def test_a_store_whose_folder_is_a_file_says_so(server: BlobServer, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(b"")
    file = file_of(data)
    server.add(data, file.sha256)
    store = Store(tmp_path / "file" / "store")
    assert store.find(file) is None
    assert not store.is_writable()
    with pytest.raises(StoreFailedError, match="not a directory"):
        fetch_one(file, store, server.url)


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
