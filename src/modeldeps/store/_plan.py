"""Decide what a store can do without. Nothing is looked at here, and nothing is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.store._needs import DAY, Judged, Needs, Rules
from modeldeps.store._roots import Dead, Unsure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modeldeps.store._contents import Blob, Contents, Folder, Loose
    from modeldeps.store._damaged import Damaged

LEFTOVER = 7 * DAY
"""Seconds after which what an interrupted run left is not gone on with."""
UNUSED = "nothing is known to need it"
"""Why goes what no note names."""


@dataclass(frozen=True)
class Going:
    """One thing that a store can do without."""

    kind: str
    """`model`, `blob`, `part`, `lock`, `scratch`, `stamp`, `note`, `empty` or `trash`."""
    path: Path
    """Where it lies; for a blob only its digest."""
    size: int
    """Bytes that are free when it is gone."""
    changed: float
    """Time of its last change, in seconds since 1970."""
    why: str
    """Why it goes."""
    last: Judged | None = None
    """The last use that is known of it."""


@dataclass(frozen=True)
class Plan:
    """What a store can do without."""

    going: tuple[Going, ...]
    """What goes, in the order in which it must: models before their blobs."""
    unsure: tuple[Judged, ...] = ()
    """Uses that can't be looked at, and that count."""
    blobs: int = 0
    """Blobs in all."""
    needed: int = 0
    """Bytes of blobs that something needs."""
    waiting: int = 0
    """Bytes of blobs that nothing needs, and that are kept for a while."""
    lost: tuple[Damaged, ...] = ()
    """Notes that can't be read, because of which all models and blobs stay."""

    @property
    def freed(self) -> int:
        """Bytes that are free when all of it is gone."""
        return sum(one.size for one in self.going)


def plan(blobs: Iterable[Blob], found: Contents, stays: Needs, rules: Rules) -> Plan:
    """Return what a store can do without, by what lies in it and by what is needed."""
    folders = [one for one in found.folders if _folder_goes(one, stays, rules)]
    links = Counter(inode for one in folders for inode in one.links)
    gone: list[Going] = []
    count = needed = waiting = 0
    # there may be a million: what is the same for all of them is looked up before
    staying, last_of, oldest = stays.blobs, stays.last_of_blob.get, rules.now - rules.keep
    if stays.lost:
        oldest = float("-inf")
    for count, (digest, size, changed, names, inode, _) in enumerate(blobs, 1):  # noqa: B007 - the last number counts them
        if digest in staying:
            needed += size
        elif changed > oldest or ((last := last_of(digest)) and last.note.used > oldest):
            waiting += size
        else:
            held = names > 1 + links[inode]
            gone.append(Going("blob", Path(digest), 0 if held else size, changed, _why(last), last))
    going = (*_models(folders, stays), *gone, *_rest(found, stays, rules))
    return Plan(going, tuple(stays.unsure), count, needed, waiting, tuple(stays.lost))


def _folder_goes(folder: Folder, stays: Needs, rules: Rules) -> bool:
    if folder.key in stays.models or folder.path.name in stays.folders or stays.lost:
        return False
    last = stays.last_of_model.get(folder.key)
    return rules.now - max(folder.changed, last.note.used if last else 0) >= rules.keep


def _models(folders: Iterable[Folder], stays: Needs) -> Iterator[Going]:
    for one in folders:
        last = stays.last_of_model.get(one.key)
        yield Going("model", one.path, one.copies, one.changed, _why(last), last)


def _why(last: Judged | None) -> str:
    if last is None:
        return UNUSED
    if isinstance(last.state, Unsure):
        return f"{last.state.reason}, and it was not used for long"
    return last.state.reason if isinstance(last.state, Dead) else UNUSED


def _rest(found: Contents, stays: Needs, rules: Rules) -> Iterator[Going]:
    """Yield what is neither blob nor model."""
    yield from _old("part", found.parts, rules, LEFTOVER, "the fetch was interrupted")
    yield from _old("lock", found.locks, rules, DAY, "its process is gone")
    yield from _old("scratch", found.scratch, rules, LEFTOVER, "its process is gone")
    yield from _old("stamp", found.stamps, rules, LEFTOVER, "its blob is gone")
    yield from _old("trash", found.trash, rules, float("-inf"), "an earlier run did not end")
    named = {pair for name, version, _ in stays.models for pair in (("models", name), (name, version))}
    empty = [one for one in found.empty if one.path.parts[-2:] not in named]
    yield from _old("empty", empty, rules, LEFTOVER, "it is empty")
    for one in stays.over:
        yield Going("note", one.note.file, 0, one.note.used, _why(one), one)


def _old(kind: str, found: Iterable[Loose], rules: Rules, age: float, why: str) -> Iterator[Going]:
    for one in found:
        if rules.now - one.changed >= age:
            yield Going(kind, one.path, one.size, one.changed, why)
