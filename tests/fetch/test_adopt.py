"""Bytes that other tools keep on this machine become blobs, and their owners' files stay as they are."""

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
from fetching import Remember, fetch_one, file_of
from stores import NAMED, looped, mounted, root_only

from modeldeps.errors import StoreFullError, StoreReadOnlyError
from modeldeps.fetch import fetch
from modeldeps.store import Store, _adopt, _clone, _elsewhere, _lock, _mounts, _share, _trust
from modeldeps.store._adopt import How

if TYPE_CHECKING:
    from modeldeps.manifest import File

DATA = b"weights of a model" * 1000
AT_ONCE = """
import sys
from pathlib import Path
from modeldeps.fetch import fetch
from modeldeps.manifest import File
from modeldeps.progress import Reporter
from modeldeps.store import Store
folder, digest, size = sys.argv[1:4]
file, store = File("model.onnx", int(size), digest), Store(Path(folder), elsewhere=True)
print(fetch([file], store, channels=["http://127.0.0.1:9/"], reporter=Reporter()).bytes_fetched)
"""
KILLED = (
    """
import os, sys
from modeldeps.store import _adopt
setattr(_adopt, sys.argv[4], lambda *_: os._exit(9))
"""
    + AT_ONCE
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", elsewhere=True)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the empty folder of blobs of a repository in a Hugging Face cache; there is no other cache."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    folder = tmp_path / "hub" / "models--org--digits" / "blobs"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(autouse=True)
def _only_hard_links(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Do without reflinks, so that every file system shares in the same way."""
    if _mounts.tick(tmp_path, tmp_path.stat()) is None:
        pytest.skip("in memory nothing is shared: a map could alter it unnoticed")
    monkeypatch.setattr(_adopt, "clone", lambda source, target: source < 0 and target.exists())


def put(folder: Path, name: str, data: bytes = DATA, *, mode: int = 0o644) -> Path:
    """Write a file that was there for a day."""
    path = folder / name
    path.write_bytes(data)
    path.chmod(mode)
    os.utime(path, ns=(time.time_ns() - 86_400_000_000_123,) * 2)
    return path


def take(store: Store, source: Path, file: File) -> How | None:
    taken = _adopt.take(store._layout, source, _adopt.only(file), stamps=store._stamps)
    return taken.how if taken else None


def facts(path: Path) -> tuple[int, ...]:
    """Return what the owner of a file would see change."""
    status = path.stat()
    return (status.st_mode, status.st_mtime_ns, status.st_size, status.st_ino, status.st_uid)


def test_a_file_of_the_hub_cache_becomes_a_blob_and_stays_as_it_is(store: Store, hub: Path) -> None:
    file = file_of(DATA)
    source = put(hub, file.sha256)
    before = facts(source)
    blob = store.adopt_known(file)
    assert blob == store.blob(file.sha256)
    assert blob.read_bytes() == DATA
    assert store.find(file) == blob
    assert facts(source) == before
    assert list((store.root / "partial").iterdir()) == []


def test_a_file_of_ollama_becomes_a_blob(store: Store, hub: Path, tmp_path: Path) -> None:
    file = file_of(DATA)
    folder = tmp_path / "ollama" / "blobs"
    folder.mkdir(parents=True)
    put(folder, f"sha256-{file.sha256}")
    assert store.adopt_known(file) == store.blob(file.sha256)


def test_a_store_that_is_not_to_look_elsewhere_does_not(tmp_path: Path, hub: Path) -> None:
    file = file_of(DATA)
    put(hub, file.sha256)
    assert Store(tmp_path / "store").adopt_known(file) is None
    assert not (tmp_path / "store").exists()


def test_a_file_whose_name_lies_is_not_taken(store: Store, hub: Path) -> None:
    file = file_of(DATA)
    source = put(hub, file.sha256, DATA[:-1] + b"!")
    assert store.adopt_known(file) is None
    assert not store.blob(file.sha256).exists()
    assert source.exists()
    assert list((store.root / "partial").iterdir()) == []


def test_a_fetch_takes_what_is_here_before_it_asks_anybody(store: Store, hub: Path) -> None:
    file = file_of(DATA)
    put(hub, file.sha256)
    fetched = fetch([file], store, channels=["http://127.0.0.1:9/"], reporter=Remember(), offline=True)
    assert (fetched.bytes_fetched, fetched.blobs) == (0, {file.sha256: store.blob(file.sha256)})


def test_a_fetch_asks_its_channels_where_what_is_here_is_wrong(
    store: Store, hub: Path, tmp_path: Path
) -> None:
    file = file_of(DATA)
    put(hub, file.sha256, DATA[:-1] + b"!")
    folder = tmp_path / "channel" / "blobs" / "sha256" / file.sha256[:2]
    folder.mkdir(parents=True)
    put(folder, file.sha256)
    assert fetch_one(file, store, (tmp_path / "channel").as_uri() + "/").bytes_fetched == len(DATA)


def test_eight_processes_at_once_all_have_it_and_nobody_asks_the_network(store: Store, hub: Path) -> None:
    file = file_of(DATA * 1000)
    put(hub, file.sha256, DATA * 1000)
    words = (str(store.root), file.sha256, str(file.size))
    running = [
        subprocess.Popen((sys.executable, "-c", AT_ONCE, *words), stdout=subprocess.PIPE) for _ in range(8)
    ]
    assert [one.communicate()[0].strip() for one in running] == [b"0"] * 8
    assert store.find(file)
    assert list((store.root / "partial").iterdir()) == []


@pytest.mark.parametrize("moment", ["replace", "flush_folder", "flush_file"])
def test_a_kill_at_any_moment_leaves_the_owner_s_file_and_a_good_store(
    store: Store, hub: Path, moment: str
) -> None:
    file = file_of(DATA)
    source = put(hub, file.sha256)
    before = facts(source)
    words = (str(store.root), file.sha256, str(file.size), moment)
    assert subprocess.run((sys.executable, "-c", KILLED, *words), check=False).returncode == 9
    assert facts(source) == before
    assert source.read_bytes() == DATA
    blob = store.find(file) or store.adopt_known(file)
    assert blob is not None
    assert blob.read_bytes() == DATA
    assert facts(source) == before


@pytest.mark.parametrize("call", ["link", "fsync"])
def test_where_sharing_fails_the_bytes_are_copied(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    source = put(tmp_path, "weights.bin")
    inode = source.stat().st_ino
    real = os.fsync

    def refuse(*_: object, **__: object) -> None:
        raise OSError(31, "Too many links")

    def fail_for_the_owner_s(handle: int) -> None:
        if os.fstat(handle).st_ino == inode:
            raise OSError(5, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, call, refuse if call == "link" else fail_for_the_owner_s)
    assert take(store, source, file_of(DATA)) is How.COPY


@root_only
def test_a_full_disk_is_told_and_leaves_nothing(hub: Path) -> None:
    file = file_of(DATA * 100)
    put(hub, file.sha256, DATA * 100)
    with mounted("size=1m") as folder:
        store = Store(folder / "store", elsewhere=True)
        with pytest.raises(StoreFullError):
            store.adopt_known(file)
        assert list((store.root / "partial").iterdir()) == []


@root_only
def test_a_store_that_can_t_be_written_is_told(hub: Path) -> None:
    file = file_of(DATA)
    put(hub, file.sha256)
    with mounted("size=1m,ro") as folder, pytest.raises(StoreReadOnlyError):
        Store(folder / "store", elsewhere=True).adopt_known(file)


@pytest.mark.parametrize("make", ["link", "folder", "pipe", "short"])
def test_what_is_no_plain_file_of_that_size_is_passed_over(store: Store, hub: Path, make: str) -> None:
    file = file_of(DATA)
    path = hub / file.sha256
    if make == "link":
        path.symlink_to(put(hub, "other"))
    elif make == "folder":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    else:
        put(hub, file.sha256, DATA[:-1])
    assert store.adopt_known(file) is None
    assert not store.root.exists()
    assert take(store, path, file) is None


def test_a_linked_blob_is_stamped_and_not_hashed_again(store: Store, tmp_path: Path) -> None:
    file = file_of(DATA)
    source = put(tmp_path, "weights.bin")
    assert take(store, source, file) is How.LINK
    blob = store.blob(file.sha256)
    assert blob.samefile(source)
    assert not _trust.is_sealed(blob.lstat(), file.sha256, file.size)
    assert _trust.known(blob, file.sha256, file.size, store._stamps)


def test_a_linked_blob_that_its_owner_alters_is_noticed_and_counts_as_missing(
    store: Store, tmp_path: Path
) -> None:
    file = file_of(DATA)
    source = put(tmp_path, "weights.bin")
    take(store, source, file)
    with source.open("r+b") as stream:
        stream.write(b"altered")
    moment = source.stat().st_mtime_ns
    assert store.find(file) is None
    assert source.stat().st_mtime_ns == moment
    assert source.stat().st_mode & stat.S_IWUSR


def test_a_change_that_hides_behind_the_old_time_is_noticed(store: Store, tmp_path: Path) -> None:
    file = file_of(DATA)
    source = put(tmp_path, "weights.bin")
    take(store, source, file)
    status = source.stat()
    source.write_bytes(DATA[:-1] + b"!")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.find(file) is None


def test_a_file_that_was_written_a_moment_ago_is_waited_for(store: Store, tmp_path: Path) -> None:
    file = file_of(DATA)
    for number in range(20):
        source = tmp_path / f"weights-{number}.bin"
        source.write_bytes(DATA)
        store.blob(file.sha256).unlink(missing_ok=True)
        assert take(store, source, file) is How.LINK
        with source.open("r+b") as stream:
            stream.write(b"altered")
        assert store.find(file) is None


def test_a_linked_blob_whose_owner_goes_is_proved_and_sealed(store: Store, tmp_path: Path) -> None:
    file = file_of(DATA)
    source = put(tmp_path, "weights.bin")
    take(store, source, file)
    source.unlink()
    blob = store.find(file)
    assert blob is not None
    assert _trust.is_sealed(blob.lstat(), file.sha256, file.size)


def test_a_model_of_a_linked_blob_takes_no_further_room_and_touches_nothing(
    store: Store, tmp_path: Path
) -> None:
    file = file_of(DATA)
    source = put(tmp_path, "weights.bin")
    before = facts(source)
    take(store, source, file)
    folder = store.materialise([file], **NAMED)
    assert (folder / file.path).samefile(source)
    assert facts(source) == before
    assert _trust.known(folder / file.path, file.sha256, file.size, store._stamps)
    assert _trust.known(store.blob(file.sha256), file.sha256, file.size, store._stamps)
    source.write_bytes(b"!" * file.size)
    assert store.materialised([file], **NAMED) is None


def test_a_model_of_an_altered_blob_is_mended_and_the_altered_file_stays(
    store: Store, tmp_path: Path
) -> None:
    file = file_of(DATA)
    source = put(tmp_path, "weights.bin")
    take(store, source, file)
    folder = store.materialise([file], **NAMED)
    source.write_bytes(b"!" * file.size)
    store.adopt(put(tmp_path, "again"), file.sha256, file.size)
    assert store.materialise([file], **NAMED) == folder
    assert (folder / file.path).read_bytes() == DATA
    assert source.read_bytes() == b"!" * file.size
    assert source.stat().st_mode & stat.S_IWUSR


@pytest.mark.parametrize("mode", [0o666, 0o602, 0o620])
def test_a_file_that_others_can_write_is_copied(
    store: Store, tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_share, "_is_alone", lambda group: group < 0)
    file = file_of(DATA)
    source = put(tmp_path, "weights.bin", mode=mode)
    assert take(store, source, file) is How.COPY
    blob = store.blob(file.sha256)
    assert not blob.samefile(source)
    assert _trust.is_sealed(blob.lstat(), file.sha256, file.size)


def test_a_group_that_is_this_user_s_own_does_not_count_as_others(store: Store, tmp_path: Path) -> None:
    source = put(tmp_path, "weights.bin", mode=0o664)
    assert _share._is_alone(source.stat().st_gid) == (take(store, source, file_of(DATA)) is How.LINK)


def test_a_store_for_several_users_gets_a_file_of_its_own(store: Store, tmp_path: Path) -> None:
    store._layout.prepare()
    store.root.chmod(0o2775)
    assert take(store, put(tmp_path, "weights.bin"), file_of(DATA)) is How.COPY


@root_only
@pytest.mark.parametrize("make", [["mkfs.xfs", "-q", "-m", "reflink=1"], ["mkfs.btrfs", "-q"]])
def test_where_blocks_can_be_shared_the_blob_is_a_sealed_file_of_its_own(
    tmp_path: Path, make: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which(make[0]):
        pytest.skip(f"there is no {make[0]} here")
    monkeypatch.setattr(_adopt, "clone", _clone.clone)
    disk, folder = tmp_path / "disk", tmp_path / "mounted"
    with disk.open("wb") as stream:
        stream.truncate(400 << 20)
    subprocess.run([*make, str(disk)], check=True)
    folder.mkdir()
    with looped(disk, folder):
        file, store = file_of(DATA * 100), Store(folder / "store")
        source = put(folder, "weights.bin", DATA * 100, mode=0o666)
        os.chown(source, 65534, 65534)
        before = source.stat()
        assert take(store, source, file) is How.REFLINK
        assert source.stat().st_ctime_ns == before.st_ctime_ns
        blob = store.blob(file.sha256)
        assert _trust.is_sealed(blob.lstat(), file.sha256, file.size)
        source.write_bytes(b"altered")
        assert store.find(file) == blob
        assert blob.read_bytes() == DATA * 100
        wrong = put(folder, "wrong.bin", DATA * 99 + DATA[::-1])
        assert take(store, wrong, file_of(DATA * 100)) is None
        assert list((store.root / "partial").iterdir()) == []


@root_only
def test_a_file_of_another_user_is_copied(store: Store, tmp_path: Path) -> None:
    source = put(tmp_path, "weights.bin")
    os.chown(source, 65534, 65534)
    assert take(store, source, file_of(DATA)) is How.COPY


@root_only
def test_a_file_on_another_file_system_is_copied(store: Store) -> None:
    with mounted("size=1m") as folder:
        source = put(folder, "weights.bin")
        before = facts(source)
        assert take(store, source, file_of(DATA)) is How.COPY
        assert facts(source) == before
    assert store.find(file_of(DATA))


def test_without_sharing_a_blob_is_a_file_of_its_own(store: Store, tmp_path: Path) -> None:
    source = put(tmp_path, "weights.bin")
    only = _adopt.only(file_of(DATA))
    taken = _adopt.take(store._layout, source, only, stamps=store._stamps, share=False)
    assert taken is not None
    assert taken.how is How.COPY


def test_a_copy_of_other_bytes_leaves_nothing(store: Store, tmp_path: Path) -> None:
    source = put(tmp_path, "weights.bin", b"!" * len(DATA), mode=0o666)
    assert take(store, source, file_of(DATA)) is None
    assert list((store.root / "partial").iterdir()) == []


def test_what_another_process_is_at_is_left_to_it(store: Store, hub: Path) -> None:
    file = file_of(DATA)
    put(hub, file.sha256)
    store._layout.prepare()
    lock = _lock.acquire(store._layout.lock(file.sha256))
    assert lock is not None
    assert store.adopt_known(file) is None
    lock.release()
    assert store.adopt_known(file)


def test_three_packages_that_ship_one_model_have_one_blob(store: Store, tmp_path: Path) -> None:
    file = file_of(DATA)
    sources = [put(tmp_path, f"package-{number}.onnx") for number in range(3)]
    for source in sources:
        assert take(store, source, file) is How.LINK
    assert store.usage().blobs == 1
    assert store.blob(file.sha256).samefile(sources[-1])
    assert store.find(file)


def test_an_empty_file_can_be_taken(store: Store, tmp_path: Path) -> None:
    assert take(store, put(tmp_path, "empty", b""), file_of(b"")) is How.LINK
    assert store.find(file_of(b""))


def test_the_places_follow_the_rules_of_their_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert _elsewhere.hubs({}) == [Path("/home/me/.cache/huggingface/hub")]
    assert _elsewhere.hubs({"XDG_CACHE_HOME": "/xdg"}) == [Path("/xdg/huggingface/hub")]
    assert _elsewhere.hubs({"HF_HOME": "/hf", "XDG_CACHE_HOME": "/xdg"}) == [Path("/hf/hub")]
    assert _elsewhere.hubs({"HF_HUB_CACHE": "/h", "HF_HOME": "/hf"}) == [Path("/h")]
    assert _elsewhere.hubs({"HUGGINGFACE_HUB_CACHE": "~/h"}) == [Path("/home/me/h")]
    assert _elsewhere.hubs({"HF_HUB_CACHE": "relative"}) == []
    assert _elsewhere.ollama({"OLLAMA_MODELS": "/o"}) == [Path("/o")]
    assert Path("/home/me/.ollama/models") in _elsewhere.ollama({})
