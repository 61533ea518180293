"""One store for several users, none of whom can alter the bytes of another unnoticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import file_of
from stores import NAMED, keep, root_only

from modeldeps.store import Store, _trust

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    environ = {**os.environ, "MODELDEPS_CONFIG": os.devnull, "MODELDEPS_SYSTEM_CONFIG": os.devnull}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def shared() -> Iterator[Store]:
    """Return a store that everybody may write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    (folder / "store").mkdir()
    (folder / "store").chmod(0o777)
    yield Store(folder / "store")
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
        "for do in (lambda: fetch_one(file, hidden, store.root.as_uri()), hidden.check_place):\n"
        "    try: do()\n"
        "    except StoreReadOnlyError as error: print(error.sentence)",
    )
    assert seen.splitlines() == ["False None None", *["the store can't be written"] * 2]


@root_only
def test_what_another_user_sealed_is_proved_once_and_his_tampering_is_noticed(
    shared: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_of(b"shared")
    (shared.root.parent / "in").write_bytes(b"shared")
    as_somebody(shared, f"store.adopt(Path({str(shared.root.parent / 'in')!r}), file.sha256, 6)")
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
def test_a_file_of_another_user_is_stamped_as_it_was_while_it_was_hashed(
    shared: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_of(b"shared")
    (shared.root.parent / "in").write_bytes(b"shared")
    as_somebody(shared, f"store.adopt(Path({str(shared.root.parent / 'in')!r}), file.sha256, 6)")
    compared: list[bytes] = []
    plain = _trust._stamp

    def then_its_owner_was_quick(status: os.stat_result, *, inode: bool = True) -> bytes:
        compared.append(plain(status, inode=inode))
        if len(compared) == 2:
            as_somebody(
                shared, "blob = store.blob(file.sha256); blob.chmod(0o644); blob.write_bytes(b'SHARED')"
            )
        return compared[-1]

    monkeypatch.setattr(_trust, "_stamp", then_its_owner_was_quick)
    shared.find(file)
    monkeypatch.undo()
    assert shared.blob(file.sha256).read_bytes() == b"SHARED"
    assert shared.find(file) is None


@root_only
def test_a_blob_of_another_user_is_copied_not_linked(shared: Store, tmp_path: Path) -> None:
    file = file_of(b"shared")
    (shared.root.parent / "in").write_bytes(b"shared")
    as_somebody(shared, f"store.adopt(Path({str(shared.root.parent / 'in')!r}), file.sha256, 6)")
    folder = shared.materialise([file], **NAMED)
    assert (folder / file.path).stat().st_uid == 0
    assert not (folder / file.path).samefile(shared.blob(file.sha256))


@root_only
def test_stamps_that_somebody_else_wrote_count_for_nothing(shared: Store, tmp_path: Path) -> None:
    file = file_of(b"shared")
    (shared.root.parent / "in").write_bytes(b"SHARED")
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
    blob = shared.root.parent / "channel" / "blobs" / "sha256" / file.sha256[:2] / file.sha256
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"shared")
    shared._layout.prepare()
    for name in (file.sha256, f"{file.sha256}.lock"):
        (shared.root / "partial" / name).touch(mode=0o600)
    open_up(shared)
    channel = (shared.root.parent / "channel").as_uri()
    assert as_somebody(shared, f"print(fetch_one(file, store, {channel!r}).bytes_fetched)") == "6"
