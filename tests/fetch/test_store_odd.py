"""File systems that lack something: links, locks, modes, case."""

from __future__ import annotations

import errno
import json
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
from fetching import fetch_one, file_of
from hypothesis import given
from hypothesis import strategies as st
from stores import NAMED, keep, root_only

from modeldeps import files
from modeldeps.digest import sha256_file
from modeldeps.files import long_path
from modeldeps.store import Store, _mounts, _trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blob_server import BlobServer

SUPPORT = Path(__file__).parents[1] / "support"


@pytest.fixture(scope="module")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library that takes locks and links away from a process."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("a C compiler and Linux's loader make these file systems")
    made = tmp_path_factory.mktemp("preload") / "preload.so"
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(SUPPORT / "preload.c")]
    subprocess.run(words, check=True)
    return made


@contextmanager
def exfat(umask: str) -> Iterator[Path]:
    """Mount a disk that knows no links, no modes, no owners and no case, and times to 10 ms."""
    tools = [shutil.which(one) for one in ("mkfs.exfat", "mount.exfat-fuse", "losetup")]
    if not all(tools):
        pytest.skip("exfatprogs and exfat-fuse make the disk")
    with tempfile.TemporaryDirectory() as name:
        disk, folder = Path(name, "disk"), Path(name, "mounted")
        folder.mkdir()
        with disk.open("wb") as stream:
            stream.truncate(64 << 20)
        subprocess.run(["mkfs.exfat", str(disk)], check=True, capture_output=True)
        words = ["losetup", "--find", "--show", str(disk)]
        loop = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
        try:
            made = subprocess.run(
                ["mount.exfat-fuse", "-o", f"umask={umask}", loop, str(folder)],
                capture_output=True,
                check=False,
            )
            if made.returncode:
                pytest.skip("no disk of a user-space file system can be mounted here")
            _mounts._mounts.cache_clear()
            try:
                yield folder
            finally:
                subprocess.run(["umount", str(folder)], check=True)
        finally:
            subprocess.run(["losetup", "--detach", loop], check=True)


@root_only
def test_on_a_disk_without_links_modes_owners_and_case_all_works(
    server: BlobServer, tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exfat("022") as disk:
        (disk / "X").touch()
        assert (disk / "x").exists()
        store = Store(disk / "store")
        file = file_of(data, chunk=500_000)
        server.add(data, file.sha256)
        part = store.root / "partial" / file.sha256
        part.parent.mkdir(parents=True)
        part.write_bytes(data[:1_000_000])
        fetched = fetch_one(file, store, server.url).bytes_fetched
        assert fetched <= len(data)
        labels = keep(store, b"labels", tmp_path, "labels.txt")
        folder = store.materialise([file, labels], **NAMED)
        assert (folder / file.path).read_bytes() == data
        assert store.find(file) == store.blob(file.sha256)
        with monkeypatch.context() as patch:
            patch.setattr(_trust, "sha256_stream", lambda _: pytest.fail("hashed again"))
            assert store.find(file) is not None
            assert store.materialised([file, labels], **NAMED) == folder
        with store.blob(file.sha256).open("r+b") as stream:
            stream.write(b"altered")
        assert store.find(file) is None
        fetch_one(file, store, server.url)
        assert sha256_file(store.blob(file.sha256)) == file.sha256
        assert sorted(one.name for one in (store.root / "partial").iterdir()) == []


@root_only
def test_on_a_disk_that_everybody_can_write_bytes_are_hashed_each_time(tmp_path: Path) -> None:
    with exfat("0") as disk:
        store = Store(disk / "store")
        file = keep(store, b"bytes", tmp_path)
        for _ in range(2):
            folder = store.materialise([file], **NAMED)
            assert (folder / file.path).read_bytes() == b"bytes"
            assert not _trust.known(folder / file.path, file.sha256, file.size, store._stamps)


@pytest.mark.parametrize("without", ["locks", "ENOLCK"])
def test_without_locks_all_processes_end_well_and_nothing_is_left(
    server: BlobServer, store: Store, tmp_path: Path, preload: Path, without: str
) -> None:
    data = bytes(range(256)) * 10_000
    file = file_of(data)
    server.add(data, file.sha256)
    named = tmp_path / "file.json"
    named.write_text(json.dumps({"path": file.path, "size": file.size, "sha256": file.sha256, "chunks": []}))
    words = [sys.executable, str(SUPPORT / "fetch_worker.py"), str(store.root), server.url, str(named)]
    environ = {**os.environ, "LD_PRELOAD": str(preload), "WITHOUT": without}
    pipe = subprocess.PIPE
    started = [subprocess.Popen(words, env=environ, text=True, stdout=pipe, stderr=pipe) for _ in range(4)]
    for process in started:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert int(out) in {0, file.size}
    assert sha256_file(store.blob(file.sha256)) == file.sha256
    assert [one.name for one in (store.root / "partial").iterdir()] == []


def test_without_hard_links_models_are_copies_that_are_proved_once(
    store: Store, tmp_path: Path, data: bytes, preload: Path
) -> None:
    file = keep(store, data, tmp_path)
    code = (
        "import sys; from pathlib import Path; from fetching import file_of\n"
        "from modeldeps.store import Store\n"
        "store, data = Store(Path(sys.argv[1])), sys.stdin.buffer.read()\n"
        f"print(store.materialise([file_of(data)], **{NAMED}))"
    )
    environ = {**os.environ, "LD_PRELOAD": str(preload), "PYTHONPATH": str(SUPPORT)}
    words = [sys.executable, "-c", code, str(store.root)]
    done = subprocess.run(words, env=environ, input=data, capture_output=True, check=True)
    folder = Path(done.stdout.decode().strip())
    assert (folder / file.path).stat().st_nlink == 1
    assert stat.S_IMODE((folder / file.path).stat().st_mode) & 0o222 == 0
    assert store.materialised([file], **NAMED) == folder


def test_a_rename_to_another_file_system_is_a_copy_that_keeps_mode_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "folder" / "target"
    target.parent.mkdir()
    source.write_bytes(b"new")
    source.chmod(0o444)
    os.utime(source, (1_000_000, 1_000_000))
    target.write_bytes(b"old")
    rename = files._rename

    def refuse(one: Path, other: Path) -> None:
        if one.parent != other.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(one, other)

    monkeypatch.setattr(files, "_rename", refuse)
    files.replace(source, target)
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o444
    assert target.stat().st_mtime == 1_000_000
    assert not source.exists()
    assert [one.name for one in target.parent.iterdir()] == ["target"]
    with pytest.raises(FileNotFoundError):
        files.replace(source, target)
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("plain", "long"),
    [
        (r"C:\Users\x", r"\\?\C:\Users\x"),
        (r"C:/Users/x", r"\\?\C:\Users\x"),
        (r"C:\a\..\b\.\c", r"\\?\C:\b\c"),
        ("C:\\", "\\\\?\\C:\\"),
        (r"\\host\share\x", r"\\?\UNC\host\share\x"),
        (r"\\?\C:\x", r"\\?\C:\x"),
        (r"\\?\UNC\host\share", r"\\?\UNC\host\share"),
        (r"\\.\pipe\x", r"\\.\pipe\x"),
        (r"C:\x\con", r"\\?\C:\x\con"),
        (r"C:\x\name. ", r"\\?\C:\x\name. "),
    ],
)
def test_windows_paths_get_the_form_that_may_be_long(plain: str, long: str) -> None:
    assert long_path(plain) == long


@given(
    st.from_regex(
        r"\A(?:[A-Z]:\\|\\\\[a-z]{1,5}\\[a-z]{1,5}\\)(?:[a-zA-Z0-9. ]{1,20}[\\/]){0,40}[a-z]{1,8}\Z"
    )
)
def test_the_long_form_is_reached_in_one_step_and_says_no_dots(path: str) -> None:
    once = long_path(path)
    assert long_path(once) == once
    assert once.startswith("\\\\?\\")
    assert not {".", ".."} & set(once.split("\\"))
    assert "/" not in once


DARWIN = """
import errno, fcntl, os, sys
sys.platform, fcntl.F_FULLFSYNC = "darwin", 51
asked, plain = [], os.fsync
os.fsync = lambda handle: asked.append("fsync") or plain(handle)
def full(handle, command):
    asked.append(command)
    if error:
        raise OSError(error, "told to")
fcntl.fcntl = full
from modeldeps.files import flush_file
for error in (0, errno.ENOTSUP, errno.ENOTTY, errno.EIO):
    try:
        flush_file(1)
    except OSError as found:
        asked.append(found.errno == errno.EIO)
sys.stderr.write(repr(asked))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS itself is asked there")
def test_on_macos_bytes_go_past_the_memory_of_the_drive_where_the_file_system_can(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as stream:
        words = [sys.executable, "-c", DARWIN]
        done = subprocess.run(words, stdout=stream, stderr=subprocess.PIPE, text=True, check=True)
    assert done.stderr == "[51, 51, 'fsync', 51, 'fsync', 51, True]"
