"""Other users of this machine, who work on a store at the same time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fetching import file_of

from modeldeps.store import _shared
from modeldeps.store._layout import MEMBERS

if TYPE_CHECKING:
    from collections.abc import Sequence

ALICE, BOB, CAROL = 61001, 61002, 61003

BECOME = """
import importlib, mmap, os, pkgutil, shutil, stat, sys, tempfile, time
from pathlib import Path
sys.path.insert(0, {support!r})
from fetching import Remember, fetch_one, file_of
from modeldeps.config import Settings
from modeldeps.errors import StoreError
from modeldeps.store import Rules, Store, Use, _lock, _roots, _trust
def used_by_a_pin(file):
    return Use("pin", "", "", *NAMED.values(), "", {{file.sha256: file.size}})
NAMED = dict(name="digits", version="2.1.0", variant="fp32")
import modeldeps.errors, modeldeps.fetch, modeldeps.store
def work():  # import all that is needed, while it can be read
    for package in (modeldeps.errors, modeldeps.fetch, modeldeps.store):
        for one in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(one.name)
    with tempfile.TemporaryDirectory() as folder:
        place, store = Path(folder) / "x", Store(Path(folder) / "store")
        place.write_bytes(b"x" * 10)
        store.adopt(place, file_of(b"x" * 10).sha256, 10)
        store.materialise([file_of(b"x" * 10)], **NAMED)
        _trust.Stamps(Path(folder) / "stamps").remember(place, os.lstat(place), "x")
        _lock.Holder.this()
        _roots.note(store._layout, used_by_a_pin(file_of(b"x" * 10)))
        store.collect(Rules(time.time() + 1e9, keep=0))
        for data, chunk in ((b"y" * 10, 4), (b"y" * 10, 0)):
            file = file_of(data, chunk=chunk)
            place = Path(folder) / "blobs" / "sha256" / file.sha256[:2] / file.sha256
            place.parent.mkdir(parents=True, exist_ok=True)
            if chunk:
                place.write_bytes(data)
            fetch_one(file, store, Path(folder).as_uri() if chunk else {channel!r} or Path(folder).as_uri())
            store.blob(file.sha256).unlink()
work()
os.umask({umask})
os.setgroups({groups})
os.setgid({groups}[0])
os.setuid({user})
os.chdir("/")
store = Store.open(Settings(cache=Path({root!r})))
def put(data, path="model.onnx"):
    file = file_of(data, path)
    with tempfile.NamedTemporaryFile() as place:
        place.write(data); place.flush()
        store.adopt(Path(place.name), file.sha256, file.size)
    return file
def refused(do, *args):
    try: do(*args)
    except PermissionError: return
    raise AssertionError(("was not refused", do, args))
"""


@dataclass(frozen=True)
class User:
    """A user with a number, who is neither root nor this one."""

    number: int
    """His number."""
    root: Path
    """The folder that he set as his store."""
    groups: Sequence[int] = (65534,)
    """His groups."""
    umask: int = 0o022
    """His umask."""
    channel: str = ""
    """A channel that serves ten times `y`, asked before he becomes himself so that all is imported."""

    def start(self, lines: str) -> subprocess.Popen[str]:
        """Start a process that runs lines with `store`, `put` and `refused`."""
        code = BECOME.format(
            support=str(Path(__file__).parent),
            root=str(self.root),
            user=self.number,
            groups=list(self.groups),
            umask=self.umask,
            channel=self.channel,
        )
        pipe = subprocess.PIPE
        words = [sys.executable, "-W", "error", "-c", code + lines]
        nothing = {"HOME": "/", "MODELDEPS_CONFIG": os.devnull, "MODELDEPS_SYSTEM_CONFIG": os.devnull}
        environ = {**os.environ, **nothing}
        return subprocess.Popen(words, text=True, env=environ, stdin=pipe, stdout=pipe, stderr=pipe)

    def run(self, lines: str) -> str:
        """Run lines; return what they print."""
        return finish(self.start(lines))


def finish(process: subprocess.Popen[str], said: str = "") -> str:
    """Return what a process prints after it was told something; it must end well."""
    out, err = process.communicate(said, timeout=120)
    assert process.returncode == 0, err
    return out.strip()


DATA = b"weights " * 50_000
FILE = file_of(DATA)
ASK = f"file = file_of({DATA[:8]!r} * {len(DATA) // 8})\n"
PUT = f"file = put({DATA[:8]!r} * {len(DATA) // 8})\n"
NO_HASH = "_trust.sha256_stream = None\n"


def blob_of(user: User, digest: str = FILE.sha256) -> Path:
    return user.root / MEMBERS / str(user.number) / "blobs" / "sha256" / digest[:2] / digest


def shared_by_all(folder: Path) -> Path:
    """Return a store that every user of this machine shares, in a folder of a test that all may enter."""
    for one in (folder, *(one for one in folder.parents if "pytest-" in str(one))):
        one.chmod(one.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    _shared.found(folder / "models", group=None)
    return folder / "models"
