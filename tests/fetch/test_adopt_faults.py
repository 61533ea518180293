"""Whatever system call of an adoption fails, the owner's file stays and the store is good."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from fetching import file_of

from modeldeps.digest import sha256_file

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.store import Store

DATA = bytes(range(256)) * 2000
TAKE = """
import sys
from pathlib import Path
from modeldeps.manifest import File
from modeldeps.store import Store, _adopt, _trust
root, source, digest, size, share = sys.argv[1:6]
file, store = File("model.onnx", int(size), digest), Store(Path(root))
store._layout.prepare()
with store.writing():
    taken = _adopt.take(
        store._layout, Path(source), _adopt.only(file), stamps=store._stamps, share=share == "link"
    )
sys.exit(0 if taken else 4)
"""
CALLS = {
    "link": ("link,linkat", 1),
    "rename": ("rename,renameat,renameat2", 2),
    "flush": ("fsync,fdatasync", 4),
    "mode": ("fchmod,chmod,fchmodat,utimensat", 2),
    "write": ("write,pwrite64", 3),
    "folder": ("mkdir,mkdirat", 2),
    "remove": ("unlink,unlinkat", 2),
}
"""Groups of system calls, and how many of each are made at least once somebody's file is taken."""
POINTS = [
    (share, calls, number, fault)
    for share in ("link", "copy")
    for calls, most in CALLS.values()
    for number in range(1, most + 1)
    for fault in ("error=EIO", "error=ENOSPC", "signal=KILL")
]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the faults")
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_fault_at_any_point_leaves_owner_and_store_good(
    store: Store, tmp_path: Path, point: tuple[str, str, int, str]
) -> None:
    share, calls, number, fault = point
    source, file = tmp_path / "weights.bin", file_of(DATA)
    source.write_bytes(DATA)
    os.utime(source, (time.time() - 3600,) * 2)
    store._layout.prepare()
    before = source.stat()
    words = (sys.executable, "-c", TAKE, str(store.root), str(source), file.sha256, str(file.size), share)
    known = ",".join(f"?{one}" for one in calls.split(","))
    inject = f"inject={known}:{fault}:when={number}"
    traced = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={known}", "-e", inject)
    done = subprocess.run((*traced, *words), capture_output=True, check=False)
    after = source.stat()
    assert source.read_bytes() == DATA
    assert (after.st_mode, after.st_mtime_ns, after.st_ino) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_ino,
    )
    blob = store.blob(file.sha256)
    assert not blob.exists() or sha256_file(blob) == file.sha256
    assert done.returncode != 0 or store.find(file) == blob
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    assert store.find(file) == blob
    assert source.stat().st_mode == before.st_mode
