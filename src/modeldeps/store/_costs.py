"""What each environment and each model costs in a store, what is shared, and what is freed if it goes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.store._damaged import known
from modeldeps.store._needs import Judged, Rules
from modeldeps.store._place import machine
from modeldeps.store._roots import Dead, judge

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from modeldeps.store._layout import Layout


@dataclass(frozen=True)
class Cost:
    """What the blobs of one environment, or of one model, take."""

    uses: tuple[Judged, ...]
    """Its uses, the last one first."""
    size: int
    """Bytes of its blobs that are in the store."""
    shared: int
    """Bytes of those that others need too."""

    @property
    def alone(self) -> int:
        """Bytes that nobody else needs: they can be freed if it goes."""
        return self.size - self.shared


@dataclass(frozen=True)
class Costs:
    """What a store's content is for."""

    environments: tuple[Cost, ...]
    """By environment, project or pin; the largest first."""
    models: tuple[Cost, ...]
    """By variant of a model; the largest first."""


def weigh(layout: Layout, rules: Rules) -> Costs:
    """Return what each environment and each model costs."""
    judged = [Judged(one, judge(one.use)) for one in known(layout)[0]]
    digests = {digest for one in judged for digest in one.note.use.blobs}
    sizes = {digest: size for digest in digests if (size := _size(layout, digest)) is not None}
    return costs(judged, sizes, rules)


def costs(judged: Sequence[Judged], sizes: Mapping[str, int], rules: Rules) -> Costs:
    """Return what each environment and each model costs, given the blobs that are there."""
    return Costs(
        _group([(_environment(one), one) for one in judged], sizes, rules),
        _group([(one.note.use.model, one) for one in judged], sizes, rules),
    )


def _environment(one: Judged) -> Hashable:
    use = one.note.use
    return use.kind, use.place, use.machine, isinstance(one.state, Dead)


def _group(
    keys: Sequence[tuple[Hashable, Judged]], sizes: Mapping[str, int], rules: Rules
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
        shared = sum(sizes[digest] for digest in digests if owners.get(digest, set()) - {key})
        order = sorted(uses, key=lambda one: -one.note.used)
        found.append(Cost(tuple(order), sum(map(sizes.__getitem__, digests)), shared))
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
