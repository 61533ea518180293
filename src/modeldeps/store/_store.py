"""The store: the folder that holds the bytes of this machine, and read-only ones that are looked up first."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.manifest import File
from modeldeps.store import _trust
from modeldeps.store._keeping import Keeping
from modeldeps.store._layout import Layout, model_key, places

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from modeldeps.config import Settings
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.progress import Reporter
    from modeldeps.store._delta import Donation
    from modeldeps.store._land import Berth, Busy, Watch
    from modeldeps.store._landing import Landing

_LONG = 80
"""Characters of a store's folder from which on its files may get longer than Windows takes unasked: 260."""
_DAY = 86_400.0
"""Seconds between two moments at which a last use is written down."""


@dataclass(frozen=True)
class Store(Keeping):
    """One store that is written, with read-only layers before it. Nothing is made before it is needed."""

    root: Path
    """Folder of the store that is written."""
    layers: tuple[Path, ...] = ()
    """Folders of read-only stores, looked up first."""
    elsewhere: bool = False
    """Look for bytes in the caches of other tools before they are fetched."""
    peers: tuple[Path, ...] = ()
    """Folders of the other users' stores, where several users share one; looked up last."""

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Return the store that the user set. Raises StoreLayoutError where another layout is there."""
        root, *peers = places(_absolute(settings.cache), own=True)
        layers = (place for one in settings.stores for place in places(_absolute(one), own=False))
        return cls(root, tuple(layers), settings.adopt, tuple(peers))

    @classmethod
    def make(cls, folder: Path, *, shared: bool = False, group: str | None = None) -> Store:
        """
        Make a store in a new or empty folder: for this user, or for several, or for those of a group.

        Raises NotAStoreError, SharingError, StoreLayoutError, StoreFullError and StoreReadOnlyError.
        """
        from modeldeps.store import _room, _shared  # noqa: PLC0415

        with _room.writing(folder):
            if shared:
                _shared.found(folder, group=group)
            else:
                Layout(folder).prepare()
        root, *peers = places(folder, own=True)
        return cls(root, peers=tuple(peers))

    def _layouts(self) -> tuple[Layout, ...]:
        return self._all_layouts

    @cached_property
    def _all_layouts(self) -> tuple[Layout, ...]:
        made = (Layout(one) for one in (*self.layers, self.root, *self.peers))
        return tuple(self._layout if one.root == self.root else one for one in made)

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.root)

    @property
    def _stamps(self) -> _trust.Stamps:
        return _stamps(self.root, _trust.user())

    def blob(self, digest: str) -> Path:
        """Return where a blob lies or would lie in the store that is written."""
        return self._layout.blob(digest)

    def find(self, file: File) -> Path | None:
        """Return a blob that may be trusted, from the first layer that has one, or None."""
        relative = f"{os.sep}blobs{os.sep}sha256{os.sep}{file.sha256[:2]}{os.sep}{file.sha256}"
        for layout in self._having(relative):
            blob = layout.blob(file.sha256)
            if _trust.trusted(blob, file.sha256, file.size, self._stamps):
                return blob
        return None

    def _having(self, relative: str) -> Iterator[Layout]:
        """Yield the stores where something lies in a place, whatever it is; there may be very many stores."""
        for root in (*self.layers, self.root, *self.peers):
            try:
                os.lstat(str(root) + relative)  # no Path, and nothing more than this, for those that lack it
            except OSError:
                continue
            yield Layout(root)

    def is_writable(self) -> bool:
        """Tell whether something can be made in the store that is written."""
        from modeldeps.store import _room  # noqa: PLC0415 - as everywhere here: load() needs none of it

        return _room.is_writable(self.root)

    def free(self) -> int | None:
        """Return the bytes that still fit into the store that is written, or None if unknown."""
        from modeldeps.store import _room  # noqa: PLC0415

        return _room.free(self.root)

    def check_room(self, needed: int) -> None:
        """Raise StoreFullError where the disk has less room than that many bytes."""
        from modeldeps.store import _room  # noqa: PLC0415

        _room.check_room(self.root, needed)

    def begun(self, file: File) -> int:
        """Return about how many bytes of a blob an interrupted run left."""
        from modeldeps.store._land import present  # noqa: PLC0415

        try:
            return min(file.size, present(self._layout.partial / file.sha256))
        except OSError:
            return 0

    def watch(self, file: File, reporter: Reporter) -> Watch:
        """Return what looks on while another process lands a blob."""
        from modeldeps.store._land import Watch  # noqa: PLC0415

        stores = (self.root, *self.peers)
        parts = [Layout(one).partial / file.sha256 for one in stores]
        return Watch(parts, self._layout.lock(file.sha256), reporter)

    def berth(
        self,
        file: File,
        *,
        advance: Callable[[int], None] | None = None,
        alone: bool = False,
        prepared: bool = False,
    ) -> Berth | Busy | None:
        """
        Return the right to land a blob, who has it, or None where it is there by now.

        `advance` hears of bytes that are there, or no longer; `alone` waits for nobody; `prepared` saves
        another look at the layout. Raises StoreFullError, StoreReadOnlyError and StoreFailedError.
        """
        from modeldeps.store import _land  # noqa: PLC0415

        named = file.sha256, file.size, self._stamps

        def landed() -> bool:
            places = [(one.root, one.blob(file.sha256)) for one in self._layouts()]
            known = any(_trust.known(blob, *named) for _, blob in places)
            return known or any(_trust.trusted(blob, *named) for root, blob in places if root in self.peers)

        with self.writing(file.size):
            if not prepared or not self._layout.partial.is_dir():
                self._layout.prepare()
            return _land.claim(self._layout, file, landed=landed, advance=advance, alone=alone)

    def writing(self, needed: int = 0) -> AbstractContextManager[None]:
        """Turn what the disk says within a with block into a StoreError."""
        from modeldeps.store import _room  # noqa: PLC0415

        return _room.writing(self.root, needed=needed)

    def donation(self, landing: Landing) -> Donation:
        """Return what blobs of this machine have of a file, to be given within `writing`."""
        from modeldeps.store._delta import Donation  # noqa: PLC0415

        return Donation(landing, self._layouts(), self._stamps)

    def publish(self, berths: Collection[Berth]) -> set[Path]:
        """
        Give proved bytes their names; return the folders to `flush` before anybody is told.

        Those of several files are on disk sooner together: the first flush writes down what the file
        system has to say of all of them. Raises StoreFullError, StoreReadOnlyError and StoreFailedError.
        """
        with self.writing(sum(one.landing.file.size for one in berths)):
            for one in berths:
                one.landing.seal()
            for one in berths:
                one.landing.sink()
            return {folder for one in berths for folder in one.publish(self._stamps)}

    def flush(self, folders: Iterable[Path]) -> None:
        """Bring the names in some folders to disk. Raises what `publish` does."""
        from modeldeps.files import flush_folder  # noqa: PLC0415

        with self.writing():
            for folder in folders:
                flush_folder(folder)

    def settle(self, blobs: Iterable[Path]) -> None:
        """Bring to disk the names of blobs that other processes just made. Raises what `publish` does."""
        from modeldeps.store import _ebb  # noqa: PLC0415

        with self.writing():
            _ebb.settle(self.root, blobs)

    def land(self, file: File, fill: Callable[[Landing], None], *, reporter: Reporter | None = None) -> Path:
        """
        Return the blob that `fill` writes into a Landing and proves, or that another process made meanwhile.

        Raises what `fill` raises, StoreFullError, StoreReadOnlyError and StoreFailedError.
        """
        from modeldeps.progress import Reporter  # noqa: PLC0415
        from modeldeps.store import _land  # noqa: PLC0415

        with self.writing(file.size):
            watch = self.watch(file, reporter or Reporter())
            berth = _land.land(lambda alone: self.berth(file, alone=alone), fill, watch)
        if berth is not None:
            try:
                self.flush(self.publish([berth]))
            finally:
                berth.leave()
        return self.find(file) or self.blob(file.sha256)

    def adopt(self, path: Path, digest: str, size: int) -> Path:
        """Take a copy of a local file as a blob. Raises DigestError where it is not that one, and OSError."""
        file = File(path.name, size, digest)
        from modeldeps.store import _land  # noqa: PLC0415

        if found := self.find(file):
            return found
        with path.open("rb") as stream:
            return self.land(file, lambda landing: _land.copy_in(stream, landing, str(path)))

    def adopt_known(self, file: File) -> Path | None:
        """
        Return a blob made out of a file that another tool keeps under its digest, or None.

        Nothing is looked at unless the store looks `elsewhere`. None too while another process is at
        this blob. Raises StoreFullError and StoreReadOnlyError.
        """
        return self._adopt(file, None) if self.elsewhere else None

    def adopt_carried(self, file: File, folder: Path) -> Path | None:
        """
        Return a blob made out of what a package carries in a folder, `sha256/ab/DIGEST`, or None.

        None too while another process is at this blob. Raises StoreFullError and StoreReadOnlyError.
        """
        return self._adopt(file, folder)

    def _adopt(self, file: File, carried: Path | None) -> Path | None:
        from modeldeps.store import _adopt, _room  # noqa: PLC0415 - likewise

        with _room.writing(self.root, needed=file.size):
            return _adopt.adopt_known(self._layout, file, stamps=self._stamps, carried=carried)

    def materialised(self, files: Sequence[File], *, name: str, version: str, variant: str) -> Path | None:
        """
        Return the folder of a model's files where one is there and right, or None.

        Most often this costs one `stat` a file; a file without seal and stamp is hashed.
        """
        relative = f"{name}{os.sep}{version}{os.sep}{model_key(variant, files)}"
        found = []
        for layout in self._having(f"{os.sep}models{os.sep}{relative}"):
            folder = layout.models / relative
            if all(_trust.known(folder / one.path, one.sha256, one.size, self._stamps) for one in files):
                return folder
            found.append(folder)
        for folder in found:
            if all(_trust.trusted(folder / one.path, one.sha256, one.size, self._stamps) for one in files):
                return folder
        return None

    def materialise(self, files: Sequence[File], *, name: str, version: str, variant: str) -> Path:
        """
        Return a folder that holds a model's files under their own names, made or mended where needed.

        Raises BlobMissingError where the store lacks one, StoreFullError and StoreReadOnlyError.
        """
        if found := self.materialised(files, name=name, version=version, variant=variant):
            return found
        from modeldeps.store import _materialise, _room  # noqa: PLC0415

        folder = self._layout.model(name, version, variant, files)
        with _room.writing(self.root, needed=sum(file.size for file in files)):
            self._layout.prepare()
            _materialise.build(folder, files, self.find, self._stamps)
        return folder

    def is_noted(self, folder: Path, by: Path) -> bool:
        """
        Tell whether it was noted that the pointer package at `by` uses a materialised model.

        True too where nothing can be noted: in a read-only store, and for a model of another layer. This
        costs one `stat`; once a day it writes down the moment.
        """
        layout = self._layout
        if not str(folder).startswith(f"{layout.common}{os.sep}"):
            return True
        file = layout.note(_trust.user(), os.path.abspath(by), folder.name)  # noqa: PTH100 - load()'s hot path
        try:
            status = os.stat(file)  # noqa: PTH116 - likewise
        except OSError:
            places = (os.path.dirname(file), layout.roots, self.root)  # noqa: PTH120 - likewise
            return not any(os.access(one, os.W_OK) for one in places)
        if not -_DAY < time.time() - status.st_mtime < _DAY:
            with suppress(OSError):
                os.utime(file)
        return status.st_uid == _trust.user()

    def note_use(self, manifest: Manifest, variant: Variant, *, by: Path) -> None:
        """
        Note that a variant is used, before its bytes are looked for: what is in use is not freed.

        `by` is the `.dist-info` folder of a pointer package, or the pyproject.toml of a project for
        which an installer fetches ahead. Where nothing can be noted nothing happens.
        """
        named = {"name": manifest.name, "version": manifest.version, "variant": variant.name}
        found = self.materialised(manifest.payload(variant), **named)
        if found is not None and self._layout.common not in found.parents:
            return  # another layer serves it
        from modeldeps.errors import StoreError  # noqa: PLC0415
        from modeldeps.store import _roots  # noqa: PLC0415

        with suppress(OSError, StoreError):
            _roots.note(self._layout, _roots.by(by, _roots.use_of(self._layout, manifest, variant)))


@lru_cache(maxsize=8)
def _stamps(root: Path, user: int) -> _trust.Stamps:
    return _trust.Stamps(Layout(root).stamps(user))


def _absolute(folder: Path) -> Path:
    """Return an absolute path; on Windows in the form for long ones, where files in it may get long."""
    if os.name != "nt" or len(str(folder.absolute())) < _LONG:
        return folder.absolute()
    from modeldeps.files import long_path  # noqa: PLC0415 - Windows alone asks

    return type(folder)(long_path(str(folder.absolute())))
