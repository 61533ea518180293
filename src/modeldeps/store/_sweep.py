"""Move away what a store can do without, look again at what is used, and delete it."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.digest import is_sha256
from modeldeps.files import make_folder
from modeldeps.store import _lock
from modeldeps.store._damaged import Damaged, is_damaged
from modeldeps.store._needs import Judged, Needs, Rules, needs
from modeldeps.store._roots import gate, judge
from modeldeps.store._trust import user
from modeldeps.store._uses import note_files, read_note

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from modeldeps.store._layout import Layout
    from modeldeps.store._plan import Going
    from modeldeps.store._uses import Note

STEP = 500
"""Things that are moved while the gate is closed."""
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY})
_DIGEST = 64


@dataclass(frozen=True)
class Kept:
    """Something that was to go and could not."""

    going: Going
    """What."""
    reason: str
    """Why not."""
    failed: bool
    """The system failed; not so where this user may not, or where a program has it open."""


class Sweep:
    """One run that frees space."""

    def __init__(self, layout: Layout, trash: Path, notes: Collection[Note | Damaged], rules: Rules) -> None:
        self.gone: list[Going] = []
        """What went."""
        self.kept: list[Kept] = []
        """What could not."""
        self._layout = layout
        self._trash = trash
        self._noted = {one.file: one.used for one in notes}
        self._rules = rules
        self._moved: list[tuple[Going, Path]] = []

    def run(self, going: Sequence[Going], stays: Needs) -> None:
        """Free all of it but what `stays` names. Raises OSError where there can be no trash."""
        make_folder(self._trash)
        with gate(self._layout):
            for one in going:
                if one.kind == "note" and one.last and one.last.note.user == user():
                    self._free(one, self._end)
        things = [one for one in going if one.kind in ("model", "blob")]
        for first in range(0, len(things), STEP):
            with gate(self._layout):
                self._move(things[first : first + STEP])
        self._empty_trash()
        for one in going:
            self._tidy(one, stays)
        for place in _entries(self._layout.trash):
            with suppress(OSError):  # what could neither be deleted nor put back is for the next run
                place.rmdir()

    def _end(self, file: Path) -> None:
        """
        Forget a use that has ended, before its blobs move. Raises OSError.

        It is taken away first and judged again then: a model that was installed anew in between is
        either seen here, or its load finds no note, writes one, and looks again.
        """
        aside = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
        file.rename(aside)
        found = read_note(aside)
        if found is None or not Judged(found, judge(found.use)).counts(self._rules):
            _unlink(aside)
        else:
            aside.replace(file)
            self._noted.pop(file, None)  # so that it counts as new
            raise FileNotFoundError  # it is none that has ended

    def _new_needs(self) -> Needs:
        """Return what is needed by uses that were noted since the plan was made."""
        fresh, lost = [], []
        for file in note_files(self._layout):
            with suppress(OSError):
                status = file.lstat()
                if self._noted.get(file) == status.st_mtime:
                    continue
                if found := read_note(file):
                    fresh.append(Judged(found, judge(found.use)))
                elif is_damaged(file):
                    lost.append(Damaged(file, status.st_mtime, status.st_uid))
        return needs(fresh, self._rules, lost=lost)

    def _move(self, step: Sequence[Going]) -> None:
        """Move to the trash what is still as the plan found it, and still not needed."""
        fresh = self._new_needs()
        for one in step:
            source = self._source(one)
            name = one.path.name if one.kind == "blob" else f"{len(self._moved)}-{one.path.name}"
            if not _is_needed(one, fresh) and _is_unaltered(source, one.changed):
                target = self._trash / name
                if self._attempt(one, lambda: source.rename(target)):  # noqa: B023 - called at once
                    self._moved.append((one, target))

    def _empty_trash(self) -> None:
        """Delete what was moved; what was noted meanwhile, where the gate kept nobody out, goes back."""
        fresh = self._new_needs()
        for one, place in self._moved:
            if not _is_needed(one, fresh) and self._attempt(one, lambda: _remove(place)):  # noqa: B023 - called at once
                self.gone.append(one)
            else:
                self._attempt(one, lambda: _put_back(place, self._source(one)))  # noqa: B023 - likewise

    def _tidy(self, one: Going, stays: Needs) -> None:
        """Free one of the things that nobody could be using."""
        match one.kind:
            case "part":
                self._free(one, lambda path: _unlock(self._layout.lock(path.name[:_DIGEST]), path))
            case "lock":
                self._free(one, _unlock)
            case "empty":
                with gate(self._layout):
                    fresh = self._new_needs()
                    if not fresh.models and not fresh.lost:
                        self._free(one, Path.rmdir)
            case "trash" if one.path.name in stays.blobs or (stays.lost and is_sha256(one.path.name)):
                self._attempt(one, lambda: _put_back(one.path, self._layout.blob(one.path.name)))
            case "scratch" | "stamp" | "trash":
                self._free(one, _remove)

    def _free(self, one: Going, action: Callable[[Path], object]) -> None:
        if self._attempt(one, lambda: action(one.path)):
            self.gone.append(one)

    def _attempt(self, one: Going, action: Callable[[], object]) -> bool:
        """Tell whether an action succeeded; what vanished meanwhile is nobody's failure."""
        try:
            action()
        except FileNotFoundError:
            return False
        except OSError as error:
            forbidden = error.errno in _FORBIDDEN
            self.kept.append(Kept(one, (error.strerror or type(error).__name__).lower(), not forbidden))
            return False
        return True

    def _source(self, one: Going) -> Path:
        return self._layout.blob(one.path.name) if one.kind == "blob" else one.path


def _is_needed(one: Going, fresh: Needs) -> bool:
    if fresh.lost:
        return True
    if one.kind == "blob":
        return one.path.name in fresh.blobs
    return (one.path.parent.parent.name, one.path.parent.name, one.path.name) in fresh.models


def _is_unaltered(path: Path, changed: float) -> bool:
    """Tell whether something still has the time of change that the plan saw; a new link moves it."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return changed in (status.st_ctime, status.st_mtime)


def _put_back(place: Path, source: Path) -> None:
    """Return something from the trash, unless there is one again. Raises OSError."""
    if os.path.lexists(source):
        _remove(place)
    else:
        make_folder(source.parent)
        place.rename(source)


def _unlock(lock_file: Path, part: Path | None = None) -> None:
    """Remove a lock file, and the part file that it guards, unless a process holds it. Raises OSError."""
    lock = _lock.acquire(lock_file)
    if lock is None:
        raise FileNotFoundError  # somebody is at it: it is no leftover
    try:
        if part is not None:
            _remove(part)
    finally:
        lock.release()
    if os.name == "nt":
        _unlink(lock_file)


def _remove(path: Path) -> None:
    """Delete a file, or a folder with all that is in it; links are not followed. Raises OSError."""
    if not stat.S_ISDIR(path.lstat().st_mode):
        _unlink(path)
        return
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            _unlink(Path(folder, name))
        for name in folders:
            below = Path(folder, name)
            (_unlink if below.is_symlink() else Path.rmdir)(below)
    path.rmdir()


def _unlink(path: Path) -> None:
    """Delete a file, a read-only one on Windows too. Raises OSError."""
    try:
        path.unlink()
    except PermissionError:
        if os.name != "nt":
            raise
        path.chmod(stat.S_IWRITE)
        path.unlink()


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
