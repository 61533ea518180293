"""The store: the folder that holds the bytes of this machine, and read-only ones that are looked up first."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from modeldeps._frozen import dataclass
from modeldeps.digest import BLOCK
from modeldeps.manifest import File
from modeldeps.store import _trust
from modeldeps.store._layout import Layout, model_key, places

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from modeldeps.config import Settings
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.progress import Reporter
    from modeldeps.store._costs import Costs
    from modeldeps.store._gather import Adoption
    from modeldeps.store._gc import Swept
    from modeldeps.store._land import Berth, Busy, Watch
    from modeldeps.store._landing import Landing
    from modeldeps.store._needs import Rules
    from modeldeps.store._plan import Plan
    from modeldeps.store._usage import Usage
    from modeldeps.store._uses import Note, Use
    from modeldeps.store._verify import Expected, Verified

_LONG = 80
"""Characters of a store's folder from which on its files may get longer than Windows takes unasked: 260."""
_DAY = 86_400.0
"""Seconds between two moments at which a last use is written down."""


@dataclass(frozen=True)
class Store:
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

    def walls(self) -> list[str]:
        """Return in words what keeps other users from a store that is meant to be shared."""
        from modeldeps.store import _shared  # noqa: PLC0415

        return _shared.walls(self._layout.common)

    def _layouts(self) -> tuple[Layout, ...]:
        return tuple(map(Layout, (*self.layers, self.root, *self.peers)))

    @property
    def _layout(self) -> Layout:
        return Layout(self.root)

    @property
    def _stamps(self) -> _trust.Stamps:
        return _trust.Stamps(self._layout.stamps(_trust.user()))

    def blob(self, digest: str) -> Path:
        """Return where a blob lies or would lie in the store that is written."""
        return self._layout.blob(digest)

    def find(self, file: File) -> Path | None:
        """Return a blob that may be trusted, from the first layer that has one, or None."""
        for layout in self._layouts():
            blob = layout.blob(file.sha256)
            if _trust.trusted(blob, file.sha256, file.size, self._stamps):
                return blob
        return None

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
        return Watch([Layout(one).partial / file.sha256 for one in stores], reporter)

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
            if any(_trust.known(one.blob(file.sha256), *named) for one in self._layouts()):
                return True
            return any(_trust.trusted(Layout(one).blob(file.sha256), *named) for one in self.peers)

        with self.writing(file.size):
            if not prepared or not self._layout.partial.is_dir():
                self._layout.prepare()
            return _land.claim(self._layout, file, landed=landed, advance=advance, alone=alone)

    def writing(self, needed: int = 0) -> AbstractContextManager[None]:
        """Turn what the disk says within a with block into a StoreError."""
        from modeldeps.store import _room  # noqa: PLC0415

        return _room.writing(self.root, needed=needed)

    def copy_known(self, landing: Landing) -> None:
        """Take the chunks that blobs of this machine have. Raises what `writing` does."""
        from modeldeps.store._delta import copy_known  # noqa: PLC0415

        with self.writing(landing.file.size):
            copy_known(landing, self._layouts(), self._stamps)

    def publish(self, berths: Collection[Berth]) -> set[Path]:
        """
        Give proved bytes their names; return the folders to `flush` before anybody is told.

        Raises StoreFullError, StoreReadOnlyError and StoreFailedError.
        """
        with self.writing(sum(one.landing.file.size for one in berths)):
            return {one.publish(self._stamps) for one in berths}

    def flush(self, folders: Iterable[Path]) -> None:
        """Bring the names in some folders to disk. Raises what `publish` does."""
        from modeldeps.files import flush_folder  # noqa: PLC0415

        with self.writing():
            for folder in folders:
                flush_folder(folder)

    def land(self, file: File, fill: Callable[[Landing], None], *, reporter: Reporter | None = None) -> Path:
        """
        Return the blob that `fill` writes into a Landing and proves, or that another process made meanwhile.

        Raises what `fill` raises, StoreFullError, StoreReadOnlyError and StoreFailedError.
        """
        from modeldeps.progress import Reporter  # noqa: PLC0415
        from modeldeps.store import _land  # noqa: PLC0415

        watch = self.watch(file, reporter or Reporter())
        with self.writing(file.size):
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
        if found := self.find(file):
            return found
        with path.open("rb") as stream:
            return self.land(file, lambda landing: _copy_in(stream, landing, str(path)))

    def adopt_known(self, file: File) -> Path | None:
        """
        Return a blob made out of a file that another tool keeps under its digest, or None.

        Nothing is looked at unless the store looks `elsewhere`. None too while another process is at
        this blob. Raises StoreFullError and StoreReadOnlyError.
        """
        if not self.elsewhere:
            return None
        from modeldeps.store import _adopt, _room  # noqa: PLC0415

        with _room.writing(self.root, needed=file.size):
            return _adopt.adopt_known(self._layout, file, stamps=self._stamps)

    def gather(
        self,
        places: Iterable[Path],
        wanted: Iterable[File] | None,
        *,
        reporter: Reporter,
        share: bool = True,
        dry_run: bool = False,
    ) -> Adoption:
        """
        Make blobs of the wanted files, or of all, that lie below these places; with `dry_run` only look.

        Without `share` nothing becomes a hard link. Raises StoreFullError and StoreReadOnlyError.
        """
        from modeldeps.store import _gather, _room  # noqa: PLC0415

        gatherer = _gather.Gatherer(
            self._layout,
            self._stamps,
            lambda file: self.find(file) is not None,
            reporter,
            share=share,
            dry_run=dry_run,
        )
        with _room.writing(self.root):
            return gatherer.gather(places, wanted)

    def notes(self) -> Iterator[Note]:
        """Yield the notes of who uses what."""
        from modeldeps.store import _uses  # noqa: PLC0415

        return _uses.notes(self._layout)

    def has_folder(self, files: Sequence[File], *, name: str, version: str, variant: str) -> bool:
        """Tell whether a model was materialised, here or in a read-only store, right or not."""
        return any(one.model(name, version, variant, files).is_dir() for one in self._layouts())

    def verify(self, models: Sequence[Expected], *, reporter: Reporter, only: bool = False) -> Verified:
        """
        Hash all that this store and the read-only ones hold, or only these models; nobody uses what is wrong.

        `models` are known releases; they tell what copies in folders of models should be.
        """
        from modeldeps.store import _verify  # noqa: PLC0415

        stores = [(one, one.root == self.root) for one in self._layouts()]
        return _verify.Verifier(stores, models, self._stamps, reporter, only=only).verify()

    def restore(self, file: File, copies: Iterable[Path]) -> bool:
        """
        Make a wrong or missing blob anew out of a copy that is here, if one of them, or of a layer, is right.

        Where none is, what is right of the old blob is laid ready for a fetch. Raises what `writing` does.
        """
        from modeldeps.store import _mend  # noqa: PLC0415

        elsewhere = [one.blob(file.sha256) for one in self._layouts() if one.root != self.root]
        with self.writing(file.size):
            if _mend.restore(self._layout, file, [*copies, *elsewhere], stamps=self._stamps):
                return True
            _mend.seed(self._layout, file)
            return False

    def relink(self, paths: Iterable[Path], file: File) -> None:
        """Let files of models be the right blob again. Raises BlobMissingError and what `writing` does."""
        from modeldeps.store import _mend  # noqa: PLC0415

        with self.writing(file.size):
            _mend.relink(paths, file, self.find, stamps=self._stamps)

    def materialised(self, files: Sequence[File], *, name: str, version: str, variant: str) -> Path | None:
        """
        Return the folder of a model's files where one is there and right, or None.

        Most often this costs one `stat` a file; a file without seal and stamp is hashed.
        """
        relative = f"{name}{os.sep}{version}{os.sep}{model_key(variant, files)}"
        for tell in (_trust.known, _trust.trusted):
            for layout in self._layouts():
                folder = layout.models / relative
                if all(tell(folder / one.path, one.sha256, one.size, self._stamps) for one in files):
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

    def use_of(self, manifest: Manifest, variant: Variant) -> Use | None:
        """Return the use of a variant by nobody yet; None where its bytes are not here."""
        from modeldeps.store import _roots  # noqa: PLC0415

        here = all(self.find(file) for file in manifest.payload(variant))
        return _roots.use_of(self._layout, manifest, variant) if here else None

    def pin(self, use: Use) -> None:
        """Write a note. Raises StoreFullError and StoreReadOnlyError."""
        from modeldeps.store import _roots  # noqa: PLC0415

        with self.writing():
            _roots.note(self._layout, use)

    def own_notes(self) -> Iterator[Note]:
        """Yield the notes that this user wrote."""
        return (one for one in self.notes() if one.user == _trust.user())

    def unpin(self, note: Note) -> None:
        """Delete a note. Raises StoreReadOnlyError."""
        with self.writing():
            note.file.unlink(missing_ok=True)

    def survey(self, rules: Rules, also: Collection[str] = ()) -> Plan:
        """Return what the store that is written can do without; `also` are digests of blobs that stay."""
        from modeldeps.store import _gc  # noqa: PLC0415

        return _gc.survey(self._layout, self._others, rules, also)

    def collect(self, rules: Rules, also: Collection[str] = ()) -> Swept:
        """Free what the store can do without. Raises StoreBusyError and StoreReadOnlyError."""
        from modeldeps.store import _gc  # noqa: PLC0415

        with self.writing():
            return _gc.collect(self._layout, self._others, rules, also)

    @property
    def _others(self) -> tuple[Layout, ...]:
        return tuple(map(Layout, (*self.layers, *self.peers)))

    def costs(self, rules: Rules) -> Costs:
        """Return what each environment and each model costs in the store that is written."""
        from modeldeps.store._costs import weigh  # noqa: PLC0415

        return weigh(self._layout, rules)

    def usage(self) -> Usage:
        """Return what the store that is written holds."""
        from modeldeps.store._usage import measure  # noqa: PLC0415

        return measure(self._layout)


def _copy_in(stream: BinaryIO, landing: Landing, source: str) -> None:
    """Fill a landing from an open file. Raises DigestError."""
    landing.restart()
    file = landing.file
    claims = landing.take_all()
    try:
        for claim in claims:
            claim.source = source
            while not claim.is_done and (block := stream.read(BLOCK)):
                claim.write(block)
    finally:
        for claim in claims:
            claim.release()
    if not landing.is_full or stream.read(1):
        landing.restart()
        from modeldeps.errors import DigestError  # noqa: PLC0415

        raise DigestError(source, file.path, expected=file.sha256, found=f"of other than {file.size} bytes")
    landing.prove()


def _absolute(folder: Path) -> Path:
    """Return an absolute path; on Windows in the form for long ones, where files in it may get long."""
    if os.name != "nt" or len(str(folder.absolute())) < _LONG:
        return folder.absolute()
    from modeldeps.files import long_path  # noqa: PLC0415 - Windows alone asks

    return type(folder)(long_path(str(folder.absolute())))
