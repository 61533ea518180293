"""What is done with all that a store holds: gather, verify, mend, note, free, measure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modeldeps.store import _trust
from modeldeps.store._layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from modeldeps.manifest import File, Manifest, Variant
    from modeldeps.progress import Reporter
    from modeldeps.store._costs import Costs
    from modeldeps.store._gather import Adoption
    from modeldeps.store._gc import Seen, Swept
    from modeldeps.store._needs import Rules
    from modeldeps.store._plan import Plan
    from modeldeps.store._store import Store
    from modeldeps.store._usage import Usage
    from modeldeps.store._uses import Note, Use
    from modeldeps.store._verify import Expected, Verified


class Keeping:
    """The part of a store that no load() and no fetch needs; each method imports what does the work."""

    if TYPE_CHECKING:
        root: Path
        layers: tuple[Path, ...]
        peers: tuple[Path, ...]
        find: Callable[[File], Path | None]
        writing: Callable[..., AbstractContextManager[None]]
        _layouts: Callable[[], tuple[Layout, ...]]

        @property
        def _layout(self) -> Layout: ...

        @property
        def _stamps(self) -> _trust.Stamps: ...

    def walls(self) -> list[str]:
        """Return in words what keeps other users from a store that is meant to be shared."""
        from modeldeps.store import _shared  # noqa: PLC0415

        return _shared.walls(self._layout.common)

    def check_place(self) -> None:
        """
        Look whether the store that is written is, or can be, in its place; nothing is made.

        Raises NotAStoreError where something else lies there, and StoreReadOnlyError where nobody may look.
        """
        from modeldeps.store._prepare import check_place  # noqa: PLC0415

        check_place(self._layout)

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
        folders = (one.model(name, version, variant, files) for one in self._layouts())
        return any(map(os.path.isdir, folders))  # False, not an error, where one may not be looked at

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

    def members(self) -> tuple[Store, ...]:
        """Return the store of each user of a shared one, this user's first; none where it is not shared."""
        if self._layout.common == self.root:
            return ()
        from modeldeps.store._store import Store  # noqa: PLC0415 - which is this, and more

        every = (self.root, *self.peers)
        return tuple(
            Store(one, self.layers, peers=tuple(peer for peer in every if peer != one))
            for one in every
            if os.path.isdir(one)  # noqa: PTH112 - False, not an error, where it may not be looked at
        )

    def as_owner(self) -> AbstractContextManager[None]:
        """Give root the rights of the store's owner, and no others, for a with block. Raises OSError."""
        from modeldeps.store import _gc, _members, _room  # noqa: F401, PLC0415 - what the block needs too

        return _members.as_owner(self.root)

    def look(self) -> Seen:
        """Return who uses what."""
        from modeldeps.store import _gc  # noqa: PLC0415

        return _gc.look(self._layout)

    def survey(self, rules: Rules, also: Collection[str] = (), seen: Seen | None = None) -> Plan:
        """Return what the store that is written can do without; blobs and folders named in `also` stay."""
        from modeldeps.store import _gc  # noqa: PLC0415

        return _gc.survey(self._layout, self._others, rules, also, seen)

    def collect(self, rules: Rules, also: Collection[str] = (), seen: Seen | None = None) -> Swept:
        """Free what the store can do without. Raises StoreBusyError and StoreReadOnlyError."""
        from modeldeps.store import _gc  # noqa: PLC0415

        with self.writing():
            return _gc.collect(self._layout, self._others, rules, also, seen)

    @property
    def _others(self) -> tuple[Layout, ...]:
        return tuple(map(Layout, (*self.layers, *self.peers)))

    def costs(self, rules: Rules) -> Costs:
        """Return what each environment and each model costs in the stores of all users who share this one."""
        from modeldeps.store._costs import weigh  # noqa: PLC0415

        return weigh(self._layout, rules, tuple(map(Layout, self.peers)))

    def usage(self) -> Usage:
        """Return what the store that is written holds."""
        from modeldeps.store._usage import measure  # noqa: PLC0415

        return measure(self._layout)
