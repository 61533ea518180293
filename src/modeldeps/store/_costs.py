"""What each environment and each model costs in a store, what is shared, and what is freed if it goes."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modeldeps.store._damaged import known
from modeldeps.store._needs import Judged, Rules
from modeldeps.store._place import machine
from modeldeps.store._roots import Dead, judge
from modeldeps.store._trust import user

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

    from modeldeps.store._layout import Layout


@dataclass(frozen=True)
class Cost:
    """What the blobs of one environment, or of one model, take."""

    uses: tuple[Judged, ...]
    """Its uses, the last one first."""
    size: int
    """Bytes of its blobs that are in the store, or in that of another user who shares it."""
    shared: int
    """Bytes of those that others need too."""
    away: int = 0
    """Bytes of those that nobody else needs and that another user's store has: this user can't free them."""
    lent: Mapping[Path, int] = field(default_factory=dict)
    """Bytes of its blobs by the store of another user that has them."""

    @property
    def alone(self) -> int:
        """Bytes that nobody else needs: they can be freed if it goes."""
        return self.size - self.shared - self.away


@dataclass(frozen=True)
class Costs:
    """What a store's content is for."""

    environments: tuple[Cost, ...]
    """By environment, project or pin; the largest first."""
    models: tuple[Cost, ...]
    """By variant of a model; the largest first."""
    borrowed: Mapping[Path, int] = field(default_factory=dict)
    """Bytes that this user's uses need, by the store of another user that has them."""


def weigh(layout: Layout, rules: Rules, peers: Sequence[Layout] = ()) -> Costs:
    """Return what each environment and each model costs; what this store lacks, other users' may have."""
    judged = [Judged(one, judge(one.use)) for one in known(layout)[0]]
    digests = {digest for one in judged for digest in one.note.use.blobs}
    sizes: dict[str, int] = {}
    lenders: dict[str, Path] = {}
    for store in (layout, *peers):
        for digest in digests.difference(sizes):
            if (size := _size(store, digest)) is not None:
                sizes[digest] = size
                if store is not layout:
                    lenders[digest] = store.root
    return costs(judged, sizes, rules, lenders)


def costs(
    judged: Sequence[Judged], sizes: Mapping[str, int], rules: Rules, lenders: Mapping[str, Path]
) -> Costs:
    """Return what each environment and each model costs, given the blobs that are there and their lenders."""
    own = [one.note.use.blobs for one in judged if one.note.user == user() and one.counts(rules)]
    return Costs(
        _group([(_environment(one), one) for one in judged], sizes, rules, lenders),
        _group([(one.note.use.model, one) for one in judged], sizes, rules, lenders),
        _lent({digest for blobs in own for digest in blobs}, sizes, lenders),
    )


def _lent(digests: Iterable[str], sizes: Mapping[str, int], lenders: Mapping[str, Path]) -> dict[Path, int]:
    """Return how many bytes of some blobs each of the other users' stores has."""
    found: dict[Path, int] = {}
    for digest in digests:
        if digest in lenders:
            found[lenders[digest]] = found.get(lenders[digest], 0) + sizes[digest]
    return found


def _environment(one: Judged) -> Hashable:
    use = one.note.use
    return use.kind, use.place, use.machine, isinstance(one.state, Dead)


def _group(
    keys: Sequence[tuple[Hashable, Judged]],
    sizes: Mapping[str, int],
    rules: Rules,
    lenders: Mapping[str, Path],
) -> tuple[Cost, ...]:
    """Put uses of one key together; what only uses that have ended share is not shared."""
    owners: dict[str, set[Hashable]] = {}
    groups: dict[Hashable, list[Judged]] = {}
    for key, one in keys:
        groups.setdefault(key, []).append(one)
        if one.counts(rules):
            for digest in one.note.use.blobs:
                owners.setdefault(digest, set()).add(key)
    found = []
    for key, uses in groups.items():
        digests = {digest for one in uses for digest in one.note.use.blobs if digest in sizes}
        common = {digest for digest in digests if owners.get(digest, set()) - {key}}
        shared, size = (sum(map(sizes.__getitem__, some)) for some in (common, digests))
        away = sum(sizes[digest] for digest in digests - common if digest in lenders)
        order = sorted(uses, key=lambda one: -one.note.used)
        found.append(Cost(tuple(order), size, shared, away, _lent(digests, sizes, lenders)))
    return tuple(
        sorted(found, key=lambda one: (-one.size, one.uses[0].note.use.place, one.uses[0].note.use.model))
    )


def is_here(one: Judged) -> bool:
    """Tell whether a use was noted on this machine and in this container."""
    return one.note.use.machine == machine()


def _size(layout: Layout, digest: str) -> int | None:
    try:
        return os.lstat(layout.blob(digest)).st_size
    except OSError:
        return None
