"""Environments for tests: folders with a pointer package of a small release, and a channel beside them."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.environment import find
from modeldeps.progress import Reporter
from modeldeps.store import Rules, Store
from modeldeps.sync import ensure

if TYPE_CHECKING:
    from pathlib import Path

    from releases import Release

    from modeldeps.environment import Pointer

DAY = 86_400.0


@dataclass(frozen=True)
class Environment:
    """A folder with installed packages, which uses a store."""

    site: Path
    store: Store
    channel: Path

    def install(self, release: Release) -> Environment:
        """Install a release's pointer package; its blobs are put into the channel, if they are not there."""
        if not (self.channel / release.filename).exists():
            release.build(self.channel)
        with zipfile.ZipFile(self.channel / release.filename) as wheel:
            wheel.extractall(self.site)
        return self

    def uninstall(self, name: str = "digits") -> None:
        """Remove a pointer package."""
        shutil.rmtree(self.pointer(name).location)

    def pointer(self, name: str = "digits") -> Pointer:
        """Return the pointer package of a model."""
        found = find(name, [str(self.site)])
        assert found is not None
        return found

    def use(self, name: str = "digits") -> Path:
        """Note the use of a model and make sure of its bytes, as `modeldeps sync` does; return its folder."""
        pointer = self.pointer(name)
        manifest = pointer.manifest()
        (variant,) = manifest.variants
        self.store.note_use(manifest, variant, by=pointer.location)
        return ensure(
            manifest,
            variant,
            store=self.store,
            channels=[self.channel.as_uri() + "/"],
            reporter=Reporter(),
            offline=False,
        ).path


def venv(store: Store, folder: Path, channel: Path) -> Environment:
    """Return a virtual environment, as far as its files tell."""
    site = folder / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    return Environment(site, store, channel)


def at_once() -> Rules:
    """Return rules that keep nothing for a while."""
    return Rules(time.time() + 1, keep=0)


def later(days: float) -> Rules:
    """Return the rules as they are after so many days."""
    return Rules(time.time() + days * DAY)


def blobs(store: Store) -> set[bytes]:
    """Return the bytes of all blobs."""
    return {one.read_bytes() for one in store.root.glob("blobs/sha256/*/*")}


def age(path: Path, days: float) -> None:
    """Make a file or folder look as if it had been written long ago; its time of change stays."""
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))
