"""The store: the folder that holds the bytes of this machine, and read-only ones that are looked up first."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from modeldeps._frozen import dataclass
from modeldeps.digest import BLOCK
from modeldeps.manifest import File
from modeldeps.store import _trust
from modeldeps.store._layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modeldeps.config import Settings
    from modeldeps.progress import Reporter
    from modeldeps.store._landing import Landing
    from modeldeps.store._usage import Usage


@dataclass(frozen=True)
class Store:
    """One store that is written, with read-only layers before it. Nothing is made before it is needed."""

    root: Path
    """Folder of the store that is written."""
    layers: tuple[Path, ...] = ()
    """Folders of read-only stores, looked up first."""
    elsewhere: bool = False
    """Look for bytes in the caches of other tools before they are fetched."""

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """Return the store that the user set. Raises StoreLayoutError where another layout is there."""
        layers = tuple(one.absolute() for one in settings.stores)
        store = cls(settings.cache.absolute(), layers, settings.adopt)
        for layout in store._layouts():
            layout.check()
        return store

    def _layouts(self) -> tuple[Layout, ...]:
        return (*map(Layout, self.layers), Layout(self.root))

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
        """Return the bytes of a blob that an interrupted run left."""
        try:
            return min(file.size, (self._layout.partial / file.sha256).lstat().st_size)
        except OSError:
            return 0

    def land(self, file: File, fill: Callable[[Landing], None], *, reporter: Reporter | None = None) -> Path:
        """
        Return the blob that `fill` writes into a Landing and proves, or that another process made meanwhile.

        Raises what `fill` raises, StoreFullError and StoreReadOnlyError.
        """
        from modeldeps.store import _land, _room  # noqa: PLC0415

        blob = self.blob(file.sha256)

        def landed() -> bool:
            return _trust.known(blob, file.sha256, file.size, self._stamps)

        with _room.writing(self.root, needed=file.size):
            _land.land(self._layout, file, fill, landed=landed, stamps=self._stamps, reporter=reporter)
        return blob

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

    def materialised(self, files: Sequence[File], *, name: str, version: str, variant: str) -> Path | None:
        """
        Return the folder of a model's files where one is there and right, or None.

        Most often this costs one `stat` a file; a file without seal and stamp is hashed.
        """
        folders = [layout.model(name, version, variant, files) for layout in self._layouts()]
        for tell in (_trust.known, _trust.trusted):
            for folder in folders:
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

    def usage(self) -> Usage:
        """Return what the store that is written holds."""
        from modeldeps.store._usage import measure  # noqa: PLC0415

        return measure(self._layout)


def _copy_in(stream: BinaryIO, landing: Landing, source: str) -> None:
    """Fill a landing from an open file. Raises DigestError."""
    landing.restart()
    file = landing.file
    while block := stream.read(BLOCK):
        if landing.position + len(block) > file.size:
            from modeldeps.errors import DigestError  # noqa: PLC0415

            found = f"of more than {file.size} bytes"
            raise DigestError(source, file.path, expected=file.sha256, found=found)
        landing.write(block, source=source)
    landing.settle()
    landing.prove(source)
