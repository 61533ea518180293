"""Members of a shared store who mean harm: what they alter is noticed, what they lay out stops nobody."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import file_of
from stores import looped, mounted, root_only
from users import ALICE, ASK, BOB, CAROL, DATA, FILE, NO_HASH, PUT, User, blob_of

from modeldeps.config import Settings
from modeldeps.store import Store, _shared, _trust
from modeldeps.store._layout import MEMBERS

if TYPE_CHECKING:
    from blob_server import BlobServer

pytestmark = root_only


def test_nobody_can_write_rename_or_delete_what_another_has(alice: User, bob: User) -> None:
    alice.run(PUT + "store.materialise([file], **NAMED)")
    bob.run(
        ASK + "blob = store.find(file); mine = store.root; mine.parent.mkdir(exist_ok=True)\n"
        "his = blob.parents[3]; folder = store.materialised([file], **NAMED)\n"
        "names = ('layout', 'partial', 'models', 'blobs')\n"
        "for path in (blob, blob.parent, his, folder, folder / 'model.onnx', *map(his.joinpath, names)):\n"
        "    refused(path.chmod, 0o777)\n"
        "    refused(os.utime, path)\n"
        "    refused(path.rename, path.with_name('x'))\n"
        "    refused(path.rename, mine.parent / 'x')\n"
        "    refused(path.rmdir if path.is_dir() else path.unlink)\n"
        "    refused((path / 'x').mkdir if path.is_dir() else path.open, *[] if path.is_dir() else ['ab'])\n"
        "top = his.parent.parent\n"
        "for path in (top, top / 'layout', top / 'modeldeps-members', top / 'locks', top / 'roots'):\n"
        "    refused(path.chmod, 0o777)\n"
        "    refused(path.rename, path.with_name('x'))\n"
        "refused((top / 'x').mkdir)\n"
    )
    assert blob_of(alice).read_bytes() == DATA


def test_bytes_that_their_owner_alters_are_noticed_before_the_next_use(alice: User, bob: User) -> None:
    alice.run(PUT + "store.materialise([file], **NAMED)")
    bob.run(ASK + "assert store.materialised([file], **NAMED)")
    for alter in (
        "blob.chmod(0o644); blob.write_bytes(b'WEIGHTS ' * 50_000); _trust.seal(blob, file.sha256)",
        "blob.unlink(); blob.write_bytes(b'WEIGHTS ' * 50_000); _trust.seal(blob, file.sha256)",
        "blob.unlink(); os.mkfifo(blob)",
        "blob.unlink(); blob.symlink_to('/etc/passwd')",
        "blob.unlink(); blob.mkdir()",
    ):
        alice.run(ASK + "blob = store.blob(file.sha256)\n" + alter)
        assert bob.run(ASK + "print(store.find(file))") == "None"


MAPPED = """
import mmap
stream = blob.open("r+b")
view = mmap.mmap(stream.fileno(), 0)
view[:7] = b"weights"  # the page is dirty now, and writable without asking anybody
_trust.seal(blob, file.sha256)
print("mapped", flush=True)
sys.stdin.readline()
view[:7] = b"WEIGHTS"
print("altered", flush=True)
sys.stdin.readline()
"""


def is_noticed(top: Path) -> bool:
    """Let one user alter bytes through a mapping after another one proved them; tell whether that shows."""
    alice, bob = User(ALICE, top), User(BOB, top)
    with alice.start(PUT + "blob = store.blob(file.sha256); blob.chmod(0o644)\n" + MAPPED) as attack:
        try:
            return _attacked(attack, bob)
        finally:
            attack.kill()  # so that the disk can be unmounted


def _attacked(attack: subprocess.Popen[str], bob: User) -> bool:
    assert attack.stdin is not None
    assert attack.stdout is not None
    assert attack.stdout.readline() == "mapped\n"
    assert bob.run(ASK + "print(store.find(file) is not None)") == "True"
    attack.stdin.write("\n")
    attack.stdin.flush()
    assert attack.stdout.readline() == "altered\n"
    assert blob_of(User(ALICE, bob.root)).read_bytes()[:7] == b"WEIGHTS"
    return bob.run(ASK + "print(store.find(file))") == "None"


def test_bytes_that_are_altered_through_a_mapping_are_noticed(top: Path) -> None:
    assert is_noticed(top)


@pytest.mark.parametrize("kind", ["btrfs", "ext4", "xfs"])
def test_they_are_noticed_on_each_file_system_whose_stamps_are_believed(tmp_path: Path, kind: str) -> None:
    if not shutil.which(f"mkfs.{kind}"):
        pytest.skip(f"mkfs.{kind} makes the disk")
    disk, folder = tmp_path / "disk", Path(tempfile.mkdtemp())
    with disk.open("wb") as stream:
        stream.truncate(320 << 20)
    subprocess.run([f"mkfs.{kind}", "-q", str(disk)], check=True)
    with looped(disk, folder):
        folder.chmod(0o755)
        _shared.found(folder / "models", group=None)
        assert is_noticed(folder / "models")


def test_in_memory_where_a_mapping_leaves_no_trace_bytes_of_others_are_hashed_each_time() -> None:
    with mounted("size=64m,mode=755") as folder:
        _shared.found(folder / "models", group=None)
        assert is_noticed(folder / "models")
        alice, bob = User(ALICE, folder / "models"), User(BOB, folder / "models")
        shutil.rmtree(folder / "models" / MEMBERS / str(ALICE))
        alice.run(PUT)
        bob.run(ASK + "assert store.find(file)")
        bob.run(ASK + "assert not _trust.known(store.find(file), file.sha256, file.size, store._stamps)")


def test_a_file_that_changed_a_moment_ago_is_only_believed_once_its_time_is_over(alice: User) -> None:
    """Two changes within one tick of the clock have the same times; waiting keeps them apart."""
    store = Store.open(Settings(cache=alice.root))
    os.chown(alice.root, 0, 0)
    alice.run(PUT)
    blob = blob_of(alice)
    os.link(blob, alice.root / "x")  # moves the time of change
    changed = time.monotonic()
    store = Store.open(Settings(cache=alice.root))
    assert store.find(FILE) == blob
    assert time.monotonic() - changed >= 0.04
    assert _trust.known(blob, FILE.sha256, FILE.size, store._stamps)


def test_a_umask_that_lets_a_group_write_does_not_let_it_write_here(top: Path, alice: User) -> None:
    alice.run(PUT)
    bob = User(BOB, top, umask=0o002)
    bob.run(ASK + "assert store.find(file)")
    bob.run(ASK + NO_HASH + "assert store.find(file)")
    (mine,) = (top / MEMBERS).glob(f"{BOB}*")
    assert (mine.name, stat.S_IMODE(mine.stat().st_mode)) == (str(BOB), 0o755)
    mine.chmod(0o777)
    bob.run("put(b'x')")
    assert stat.S_IMODE(mine.stat().st_mode) == 0o755
    assert [one for one in mine.rglob("*") if one.lstat().st_mode & 0o022] == []


LIFE = """
folder = store.materialise([file], **NAMED)
_roots.note(store._layout, used_by_a_pin(file))
chunked = file_of(b"y" * 10, chunk=4)
source = Path(tempfile.mkdtemp()) / "blobs" / "sha256" / chunked.sha256[:2] / chunked.sha256
source.parent.mkdir(parents=True)
source.write_bytes(b"y" * 10)
fetch_one(chunked, store, source.parents[3].as_uri())
store.collect(Rules(time.time() + 1e6, keep=0))
assert store.find(file) and not store.find(chunked)
"""


def test_a_group_keeps_its_models_to_itself_and_nobody_in_it_writes_another_s() -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    top = folder / "models"
    try:
        _shared.found(top, group="games")
        group = top.stat().st_gid
        assert stat.S_IMODE(top.stat().st_mode) == 0o2750
        alice, bob = (User(one, top, (65534, group), 0o002) for one in (ALICE, BOB))
        alice.run(PUT + LIFE)
        his = top / MEMBERS / str(ALICE)
        folders = [one for one in (his, *his.rglob("*")) if one.is_dir()]
        assert {stat.S_IMODE(one.stat().st_mode) for one in folders if one.name != str(ALICE)} == {0o2750}
        assert bob.run(ASK + "print(store.find(file))") == str(blob_of(alice))
        bob.run(
            ASK + "blob = store.find(file)\n"
            "refused(blob.unlink); refused(blob.rename, blob.with_name('x'))\n"
            "refused((blob.parent / 'x').touch); refused(blob.parent.rename, blob.parent.with_name('x'))\n"
        )
        assert {one.lstat().st_gid for one in top.rglob("*")} == {group}
        shut_out = User(CAROL, top).run(
            "from modeldeps.errors import StoreReadOnlyError\n"
            "try: put(b'x')\n"
            "except StoreReadOnlyError as error: print(error)"
        )
        assert "permission denied" in shut_out
        assert "MODELDEPS_CACHE" in shut_out
    finally:
        shutil.rmtree(folder)


def test_a_folder_in_somebody_s_name_that_another_made_is_not_his(top: Path, alice: User, bob: User) -> None:
    bob.run(
        f"squat = store.root.parent / '{ALICE}'; squat.mkdir(); (squat / 'layout').write_text('1\\n')\n"
        "squat.chmod(0o777)\n"
    )
    alice.run(PUT)
    (mine,) = (top / MEMBERS).glob(f"{ALICE}-*")
    assert mine.stat().st_uid == ALICE
    assert alice.run(ASK + NO_HASH + "print(store.find(file))").startswith(str(mine))
    assert bob.run(ASK + "print(store.find(file))").startswith(str(mine))


def test_a_folder_that_is_taken_between_two_looks_is_an_error(alice: User, bob: User) -> None:
    late = alice.start("sys.stdin.readline()\nput(b'x')\n")
    while "State:\tS" not in Path(f"/proc/{late.pid}/status").read_text() or not is_user(late.pid, ALICE):
        time.sleep(0.01)
    time.sleep(0.3)
    bob.run(f"(store.root.parent / '{ALICE}').mkdir()")
    _, err = late.communicate("\n", timeout=60)
    assert late.returncode != 0
    assert "SharingError" in err
    assert "somebody else made this folder" in err


def is_user(process: int, number: int) -> bool:
    return f"Uid:\t{number}\t" in Path(f"/proc/{process}/status").read_text()


def test_what_lies_wrong_in_one_store_harms_no_other(alice: User, bob: User, tmp_path: Path) -> None:
    alice.run(PUT)
    ask = ASK + "found = store.find(file)\nassert found is None or found.read_bytes()[:8] == b'weights '\n"
    ask += "store.usage(); store.collect(Rules(time.time(), keep=0)); print(found is not None)"
    for mess, is_served in (
        ("(mine / 'layout').unlink(); os.mkfifo(mine / 'layout')", True),
        ("(mine / 'layout').unlink(); (mine / 'layout').write_text('7\\n')", True),
        ("(mine / 'layout').unlink(); (mine / 'layout').symlink_to('/dev/zero')", True),
        ("shutil.rmtree(mine / 'blobs'); (mine / 'blobs').symlink_to('/proc/self')", False),
        ("shutil.rmtree(mine); mine.symlink_to('/')", False),
        ("mine.unlink(); mine.touch()", False),
    ):
        alice.run(f"mine = store.root.parent / '{ALICE}'\n" + mess)
        assert bob.run(ask) == str(is_served)
    bob.run(PUT)
    assert blob_of(bob).read_bytes() == DATA


def test_hints_of_another_user_that_are_pipes_or_lies_stop_no_fetch(
    server: BlobServer, alice: User, bob: User
) -> None:
    server.add(DATA, FILE.sha256)
    server.add(b"y" * 10, file_of(b"y" * 10).sha256)
    alice.run(
        PUT + "(store.root / 'chunks').mkdir(exist_ok=True)\n"
        "for number in range(256):\n"
        "    place = store.root / 'chunks' / f'{number:02x}'\n"
        "    os.mkfifo(place) if number % 2 else place.write_bytes(os.urandom(1000))\n"
        "blob = store.blob(file.sha256); blob.unlink(); os.mkfifo(blob)"
    )
    bob = User(bob.number, bob.root, channel=server.url)
    ask = f"file = file_of({DATA[:8]!r} * {len(DATA) // 8}, chunk=10_000)\n"
    told = bob.run(ask + f"print(fetch_one(file, store, {server.url!r}).bytes_fetched)")
    assert int(told) <= len(DATA)
    assert blob_of(bob).read_bytes() == DATA


def test_a_lock_that_somebody_laid_out_as_a_trap_catches_nobody(top: Path, alice: User, bob: User) -> None:
    bob.run("put(b'my own'); (store.root / 'diary').write_text('mine')")
    diary = top / MEMBERS / str(BOB) / "diary"
    trap = top / "locks" / f"{FILE.sha256}.lock"
    for lay in (
        f"os.symlink({str(diary)!r}, {str(trap)!r})",
        f"os.mkfifo({str(trap)!r})",
        f"os.mkdir({str(trap)!r})",
        f"Path({str(trap)!r}).write_text('x'); os.chmod({str(trap)!r}, 0)",
    ):
        alice.run(lay)
        bob.run(PUT)
        assert blob_of(bob).read_bytes() == DATA
        blob_of(bob).unlink()
        trap.rmdir() if trap.is_dir() and not trap.is_symlink() else trap.unlink()
    os.link(
        diary, trap
    )  # which the system refuses to whoever may not write the file, unless it is told not to
    bob.run(PUT)
    assert diary.read_text() == "mine"
