"""
Free what a store can do without, while others fetch and load.

Things are moved to the trash in small steps, each at the gate and after a new look at what is used;
what is used by then goes back; then the trash is emptied. A kill at any moment leaves nothing
half: the next run empties the trash.
"""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from modeldeps.errors import StoreBusyError
from modeldeps.files import make_folder
from modeldeps.store import _known, _lock
from modeldeps.store._contents import blobs, contents
from modeldeps.store._damaged import known
from modeldeps.store._needs import Judged, Rules, needs
from modeldeps.store._plan import Going, Plan, plan
from modeldeps.store._roots import judge
from modeldeps.store._sweep import Kept, Sweep

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from modeldeps.store._damaged import Damaged
    from modeldeps.store._layout import Layout
    from modeldeps.store._uses import Note

UNPROVEN = 3600.0
"""Seconds for which everything new stays where locks can't be relied on."""


@dataclass(frozen=True)
class Swept:
    """What a run did."""

    plan: Plan
    """What was to go."""
    gone: tuple[Going, ...] = ()
    """What went."""
    kept: tuple[Kept, ...] = ()
    """What could not go."""

    @property
    def freed(self) -> int:
        """Bytes that are free now."""
        return sum(one.size for one in self.gone)


@dataclass(frozen=True)
class Seen:
    """Who uses what, as one user saw it at one moment; it serves for all stores that share their notes."""

    judged: tuple[Judged, ...]
    """What notes say, and whether their uses go on."""
    lost: tuple[Damaged, ...]
    """Notes that can't be read."""


def look(layout: Layout) -> Seen:
    """Return who uses what."""
    found, lost = known(layout)
    return Seen(tuple(Judged(one, judge(one.use)) for one in found), tuple(lost))


def survey(
    layout: Layout,
    layers: Sequence[Layout],
    rules: Rules,
    also: Collection[str] = (),
    seen: Seen | None = None,
) -> Plan:
    """Return what a store can do without; `also` stays whatever notes say, as `needs` takes it."""
    seen = seen or look(layout)
    stays = needs(seen.judged, rules, also, lost=seen.lost)
    return plan(blobs(layout), contents(layout, layers), stays, rules)


def collect(
    layout: Layout,
    layers: Sequence[Layout],
    rules: Rules,
    also: Collection[str] = (),
    seen: Seen | None = None,
) -> Swept:
    """Free what a store can do without. Raises StoreBusyError, and OSError where nothing can be moved."""
    if not layout.check():
        return Swept(Plan(()))
    with _alone(layout) as proven:
        for_sure = rules if proven else replace(rules, keep=max(rules.keep, UNPROVEN))
        seen = seen or look(layout)
        stays = needs(seen.judged, for_sure, also, lost=seen.lost)
        going = plan(blobs(layout), contents(layout, layers), stays, for_sure)
        noted: list[Note | Damaged] = [*(one.note for one in seen.judged), *seen.lost]
        sweep = Sweep(layout, layout.trash / secrets.token_hex(8), noted, for_sure)
        sweep.run(going.going, stays)
        if any(one.kind == "blob" for one in sweep.gone):
            _known.compact(layout.chunks, lru_cache(lambda digest: os.path.lexists(layout.blob(digest))))
    return Swept(going, tuple(sweep.gone), tuple(sweep.kept))


@contextmanager
def _alone(layout: Layout) -> Iterator[bool]:
    """Keep other runs out; yield whether locks do keep others out here. Raises StoreBusyError and OSError."""
    for folder in (layout.trash, layout.roots):
        make_folder(folder)
    path = layout.trash / "gc.lock"
    try:
        lock = _lock.acquire(path)
    except OSError:
        yield False  # no locks on this file system
        return
    if lock is None:
        raise StoreBusyError(layout.root, holder=str(_lock.holder(path) or "unknown"))
    try:
        yield lock.proven
    finally:
        lock.release()
