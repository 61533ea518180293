"""One folder for several users, all of whom use the bytes of all."""

from __future__ import annotations

import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import fetch_one, file_of
from stores import NAMED, keep, looped, root_only
from users import ALICE, ASK, BOB, CAROL, DATA, FILE, NO_HASH, PUT, User, blob_of, finish

from modeldeps.config import Settings
from modeldeps.errors import NotAStoreError, SharingError
from modeldeps.store import Store, _shared
from modeldeps.store._layout import MEMBERS

if TYPE_CHECKING:
    from blob_server import BlobServer

pytestmark = root_only


def test_the_bytes_of_one_user_serve_the_others_without_a_copy(alice: User, bob: User) -> None:
    alice.run(PUT + "store.materialise([file], **NAMED)")
    told = bob.run(
        ASK
        + "print(store.find(file))\nfolder = store.materialise([file], **NAMED)\nprint(folder)\n"
        + NO_HASH
        + "assert store.find(file) and store.materialised([file], **NAMED) == folder\n"
        + "print(store.usage().blobs)"
    )
    blob, folder, count = told.splitlines()
    assert Path(blob) == blob_of(alice)
    assert Path(folder, FILE.path).samefile(blob)
    assert count == "0"
    assert bob.run(ASK + NO_HASH + "print(store.materialised([file], **NAMED))") == folder


def test_what_root_put_there_nobody_hashes(top: Path, bob: User, tmp_path: Path) -> None:
    store = Store.open(Settings(cache=top))
    assert store.root == top / MEMBERS / "0"
    keep(store, DATA, tmp_path)
    folder = store.materialise([FILE], **NAMED)
    assert bob.run(ASK + NO_HASH + "print(store.materialised([file], **NAMED))") == str(folder)


def test_a_umask_that_shuts_out_everybody_does_not_shut_out_the_others(top: Path, bob: User) -> None:
    alice = User(ALICE, top, umask=0o077)
    alice.run(PUT + "store.materialise([file], **NAMED)")
    assert bob.run(ASK + "print(store.materialised([file], **NAMED) is not None)") == "True"
    assert stat.S_IMODE(blob_of(alice).stat().st_mode) == 0o444


def test_several_users_fetch_a_file_once(server: BlobServer, top: Path) -> None:
    server.add(b"y" * 10, file_of(b"y" * 10).sha256)
    users = [User(number, top, channel=server.url) for number in (ALICE, BOB, CAROL)]
    for user in users:
        user.run("put(b'there')")
    server.add(DATA, FILE.sha256)
    server.requests.clear()
    server.pause = 0.2
    ask = ASK + "reporter = Remember()\n"
    ask += f"fetched = fetch_one(file, store, {server.url!r}, reporter=reporter)\n"
    ask += "print(fetched.bytes_fetched, *fetched.blobs.values(), *reporter.notes)"
    started = [user.start(ask) for user in users]
    told = [finish(one).split(maxsplit=2) for one in started]
    fetched = [one for one in server.requests if FILE.sha256 in one.path]
    assert sum(one.sent for one in fetched) == len(DATA)
    assert sorted(int(one[0]) for one in told) == [0, 0, len(DATA)]
    (blob,) = {one[1] for one in told}
    assert Path(blob).read_bytes() == DATA


WAIT = """
from modeldeps.store import _land
lock = _lock.acquire(store._layout.lock(file.sha256))
print("locked", flush=True)
sys.stdin.readline()
"""


def test_the_lock_of_a_user_who_was_killed_is_taken_over_by_another(
    server: BlobServer, alice: User, bob: User
) -> None:
    server.add(DATA, FILE.sha256)
    server.add(b"y" * 10, file_of(b"y" * 10).sha256)
    holder = alice.start(ASK + WAIT)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    bob = User(bob.number, bob.root, channel=server.url)
    ask = ASK + "reporter = Remember()\n"
    ask += f"print(fetch_one(file, store, {server.url!r}, reporter=reporter).bytes_fetched, *reporter.notes)"
    waits = bob.start(ask)
    time.sleep(2.5)
    assert waits.poll() is None
    holder.kill()
    holder.communicate()
    told = finish(waits)
    assert told.startswith(f"{len(DATA)} process {holder.pid} of {ALICE} since ")
    assert "waiting for it" in told


def test_a_model_whose_files_belong_to_several_users_costs_a_copy_of_the_others_only(
    alice: User, bob: User
) -> None:
    alice.run("put(b'labels')")
    bob.run(
        PUT + "labels = file_of(b'labels', 'labels.txt')\n"
        "folder = store.materialise([file, labels], **NAMED)\n"
        "assert (folder / 'model.onnx').samefile(store.blob(file.sha256))\n"
        "assert (folder / 'labels.txt').stat().st_uid == os.geteuid()\n"
        "assert not (folder / 'labels.txt').samefile(store.find(labels))\n"
        "_trust.sha256_stream = None\n"
        "assert store.materialised([file, labels], **NAMED) == folder\n"
    )


def test_where_the_file_system_shares_blocks_the_copy_costs_no_room(tmp_path: Path) -> None:
    disk, folder = tmp_path / "disk", Path(tempfile.mkdtemp())
    if not shutil.which("mkfs.btrfs"):
        pytest.skip("mkfs.btrfs makes the disk")
    with disk.open("wb") as stream:
        stream.truncate(256 << 20)
    subprocess.run(["mkfs.btrfs", "-q", str(disk)], check=True)
    with looped(disk, folder):
        top = folder / "models"
        folder.chmod(0o755)
        _shared.found(top, group=None)
        big = "b'w' * 20_000_000"
        User(ALICE, top).run(f"put({big})")
        subprocess.run(["sync"], check=True)
        before = shutil.disk_usage(folder).used
        User(BOB, top).run(f"store.materialise([file_of({big})], **NAMED)")
        subprocess.run(["sync"], check=True)
        assert shutil.disk_usage(folder).used - before < 10_000_000


def test_a_shared_store_may_be_a_read_only_layer(alice: User, tmp_path: Path) -> None:
    alice.run(PUT)
    store = Store.open(Settings(cache=tmp_path / "mine", stores=(alice.root,)))
    assert store.layers == (alice.root / MEMBERS / str(ALICE),)
    assert store.find(FILE) == blob_of(alice)
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["stamps"]


FREE = "print(len(store.collect(Rules(time.time() + 1e6, keep=0)).plan.going))"


def test_what_one_user_uses_another_does_not_free(top: Path, alice: User, bob: User) -> None:
    alice.run(PUT)
    bob = User(bob.number, bob.root, umask=0o077)
    bob.run(ASK + "_roots.note(store._layout, used_by_a_pin(file))")
    assert alice.run(FREE) == "0"
    assert blob_of(alice).exists()
    bob.run(f"import shutil; shutil.rmtree({str(top / 'roots' / str(BOB))!r})")
    assert alice.run(FREE) == "1"
    assert not blob_of(alice).exists()


def test_making_a_store_shared_again_mends_its_rights_and_keeps_what_it_holds(top: Path, alice: User) -> None:
    alice.run(PUT)
    (top / "locks").chmod(0o700)
    _shared.found(top, group=None)
    assert stat.S_IMODE((top / "locks").stat().st_mode) == 0o1777
    assert blob_of(alice).read_bytes() == DATA


def test_a_store_is_not_shared_over_other_files_or_for_a_group_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis").touch()
    with pytest.raises(NotAStoreError, match="other files"):
        _shared.found(tmp_path / "used", group=None)
    keep(Store(tmp_path / "mine"), b"x", tmp_path)
    with pytest.raises(NotAStoreError, match="the store of one user"):
        _shared.found(tmp_path / "mine", group=None)
    with pytest.raises(SharingError, match="no group 'nobody-has-this'"):
        _shared.found(tmp_path / "new", group="nobody-has-this")
    assert not (tmp_path / "new").exists()


def test_a_fetch_takes_the_bytes_of_another_user_before_any_network(alice: User, bob: User) -> None:
    alice.run(PUT)
    assert bob.run(ASK + "print(fetch_one(file, store).bytes_fetched)") == "0"
    store = Store.open(Settings(cache=bob.root))
    assert fetch_one(FILE, store).blobs[FILE.sha256] == blob_of(alice)
