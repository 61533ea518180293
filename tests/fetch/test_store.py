"""What a store keeps, whom it trusts, and what it does when the disk does not play along."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, fetch_one, file_of

from modeldeps.config import Settings
from modeldeps.errors import (
    BlobMissingError,
    DigestError,
    StoreFailedError,
    StoreFullError,
    StoreLayoutError,
    StoreReadOnlyError,
)
from modeldeps.store import Store, _landing, _lock, _materialise, _mounts, _room, _trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blob_server import BlobServer

    from modeldeps.manifest import File

NAMED = {"name": "digits", "version": "2.1.0", "variant": "fp32"}
root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root mounts file systems and becomes somebody else",
)


def keep(store: Store, data: bytes, tmp_path: Path, path: str = "model.onnx") -> File:
    """Put bytes into a store; return their file."""
    file = file_of(data, path)
    place = tmp_path / "adopted"
    place.write_bytes(data)
    store.adopt(place, file.sha256, file.size)
    return file


@contextmanager
def mounted(options: str) -> Iterator[Path]:
    """Mount a small file system in memory for the time of a with block."""
    with tempfile.TemporaryDirectory() as name:
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", name], capture_output=True, check=False
        )
        if made.returncode:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)


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
    monkeypatch.setattr(_landing, "seal", leave_open)
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
    place = _materialise._place

    def late(target: Path, *rest: object) -> None:
        monkeypatch.setattr(_materialise, "_place", place)
        faster.materialise([file], **NAMED)
        place(target, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(_materialise, "_place", late)
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
        assert fetched.bytes_fetched == 2_000_000
        assert reporter.notes == []
    else:
        assert fetched.bytes_fetched == 1_200_000 + len(data)
        assert reporter.notes == [
            "model.onnx: parts of several downloads don't fit; fetching all of it again"
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


def test_a_store_whose_folder_is_a_file_says_so(server: BlobServer, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(b"")
    file = file_of(data)
    server.add(data, file.sha256)
    store = Store(tmp_path / "file" / "store")
    assert store.find(file) is None
    assert not store.is_writable()
    with pytest.raises(StoreFailedError, match="not a directory"):
        fetch_one(file, store, server.url)


AS_SOMEBODY = """
import os, sys, tempfile
from pathlib import Path
sys.path.insert(0, {support!r})
from fetching import fetch_one, file_of
from modeldeps.store import Store, _trust
with tempfile.TemporaryDirectory() as folder:  # import all that is needed, while it can be read
    place, store = Path(folder) / "x", Store(Path(folder) / "store")
    place.write_bytes(b"x")
    store.adopt(place, file_of(b"x").sha256, 1)
    store.materialise([file_of(b"x")], name="x", version="1.0.0", variant="x")
    _trust.Stamps(Path(folder) / "stamps").remember(place, os.lstat(place), "x")
    channel = Path(folder) / "blobs" / "sha256" / file_of(b"y").sha256[:2]
    channel.mkdir(parents=True)
    (channel / file_of(b"y").sha256).write_bytes(b"y")
    fetch_one(file_of(b"y"), store, Path(folder).as_uri())
os.setgid(65534)
os.setuid(65534)
file, store = file_of(b"shared"), Store(Path({root!r}))
"""


def as_somebody(store: Store, lines: str) -> str:
    """Run lines as a user who is neither root nor this one, with `file` and `store`."""
    support = str(Path(__file__).parents[1] / "support")
    code = AS_SOMEBODY.format(support=support, root=str(store.root)) + lines
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def shared() -> Iterator[Store]:
    """Return a store that everybody may write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield Store(folder)
    shutil.rmtree(folder)


def open_up(store: Store) -> None:
    for one in [store.root, *store.root.rglob("*")]:
        if one.is_dir():
            one.chmod(0o777)


@root_only
def test_what_root_sealed_everybody_trusts(shared: Store, tmp_path: Path) -> None:
    keep(shared, b"shared", tmp_path)
    shared.materialise([file_of(b"shared")], **NAMED)
    seen = as_somebody(
        shared,
        "_trust.sha256_stream = None\n"
        f"print(store.find(file) is not None, store.materialised([file], **{NAMED}) is not None)",
    )
    assert seen == "True True"


@root_only
def test_a_store_of_a_third_user_that_can_t_be_written_serves_all_the_same(
    shared: Store, tmp_path: Path
) -> None:
    keep(shared, b"shared", tmp_path)
    folder = shared.materialise([file_of(b"shared")], **NAMED)
    for one in [shared.root, *shared.root.rglob("*")]:
        os.chown(one, 4321, 4321)
    shared.root.chmod(0o755)
    seen = as_somebody(
        shared,
        f"print(store.is_writable(), store.find(file) is not None, store.materialise([file], **{NAMED}))",
    )
    assert seen == f"False True {folder}"


@root_only
def test_a_place_that_may_not_be_looked_at_holds_no_store(shared: Store) -> None:
    (shared.root / "secret").mkdir(mode=0o700)
    seen = as_somebody(
        shared,
        "hidden = Store(store.root / 'secret' / 'store')\n"
        f"print(hidden.is_writable(), hidden.find(file), hidden.materialised([file], **{NAMED}))\n"
        "from modeldeps.errors import StoreReadOnlyError\n"
        "try: fetch_one(file, hidden, store.root.as_uri())\n"
        "except StoreReadOnlyError as error: print(error.sentence)",
    )
    assert seen.splitlines() == ["False None None", "the store can't be written"]


@root_only
def test_what_another_user_sealed_is_proved_once_and_his_tampering_is_noticed(
    shared: Store, tmp_path: Path
) -> None:
    file = file_of(b"shared")
    (shared.root / "in").write_bytes(b"shared")
    as_somebody(shared, f"store.adopt(Path({str(shared.root / 'in')!r}), file.sha256, 6)")
    blob = shared.blob(file.sha256)
    assert blob.stat().st_uid == 65534
    assert shared.find(file) == blob
    assert _trust.known(blob, file.sha256, file.size, shared._stamps)
    as_somebody(
        shared,
        "blob = store.blob(file.sha256); os.chmod(blob, 0o644); blob.write_bytes(b'SHARED')\n"
        "_trust.seal(blob, file.sha256); assert _trust.is_sealed(blob.stat(), file.sha256, 6)",
    )
    assert not _trust.known(blob, file.sha256, file.size, shared._stamps)
    assert shared.find(file) is None


@root_only
def test_a_blob_of_another_user_is_copied_not_linked(shared: Store, tmp_path: Path) -> None:
    file = file_of(b"shared")
    (shared.root / "in").write_bytes(b"shared")
    as_somebody(shared, f"store.adopt(Path({str(shared.root / 'in')!r}), file.sha256, 6)")
    folder = shared.materialise([file], **NAMED)
    assert (folder / file.path).stat().st_uid == 0
    assert not (folder / file.path).samefile(shared.blob(file.sha256))


@root_only
def test_stamps_that_somebody_else_wrote_count_for_nothing(shared: Store, tmp_path: Path) -> None:
    file = file_of(b"shared")
    (shared.root / "in").write_bytes(b"SHARED")
    as_somebody(
        shared,
        "blob = store.blob(file.sha256); blob.parent.mkdir(parents=True); blob.write_bytes(b'SHARED')\n"
        f"_trust.seal(blob, file.sha256)\n"
        f"stamps = _trust.Stamps(Path({str(shared.root)!r}) / 'stamps' / '0')\n"
        "stamps.remember(blob, os.lstat(blob), file.sha256)\n"
        "assert stamps.known(blob, os.lstat(blob), file.sha256)",
    )
    assert shared.find(file) is None


@root_only
def test_parts_and_locks_of_another_user_don_t_stand_in_the_way(shared: Store) -> None:
    file = file_of(b"shared")
    blob = shared.root / "channel" / "blobs" / "sha256" / file.sha256[:2] / file.sha256
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"shared")
    shared._layout.prepare()
    for name in (file.sha256, f"{file.sha256}.lock"):
        (shared.root / "partial" / name).touch(mode=0o600)
    open_up(shared)
    channel = (shared.root / "channel").as_uri()
    assert as_somebody(shared, f"print(fetch_one(file, store, {channel!r}).bytes_fetched)") == "6"


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


@contextmanager
def looped(disk: Path, folder: Path) -> Iterator[None]:
    """Mount the image of a disk for the time of a with block."""
    made = subprocess.run(["mount", "-o", "loop", str(disk), str(folder)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no image of a disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
