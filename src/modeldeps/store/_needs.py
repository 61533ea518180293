"""What uses say about blobs and materialised models: what stays, and who had what goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modeldeps.store._roots import Alive, State, Unsure
from modeldeps.store._uses import PIN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from modeldeps.store._damaged import Damaged
    from modeldeps.store._uses import Note, Use

DAY = 86_400.0
"""Seconds."""
KEEP_DAYS = 30
"""Days for which what was used or landed is kept though nothing needs it."""
UNSURE_DAYS = 90
"""Days since its last use for which a use counts that can't be looked at."""

Model = tuple[str, str, str]
"""Name, version and folder of a materialised model."""


@dataclass(frozen=True)
class Rules:
    """How long what is kept."""

    now: float
    """This moment, in seconds since 1970."""
    keep: float = KEEP_DAYS * DAY
    """Seconds for which what was used or landed stays though nothing needs it."""
    unsure: float = UNSURE_DAYS * DAY
    """Seconds since its last use for which a use counts that can't be looked at."""


@dataclass(frozen=True)
class Judged:
    """A note with what was seen of its use."""

    note: Note
    """The note."""
    state: State
    """Whether the use goes on."""

    def counts(self, rules: Rules) -> bool:
        """Tell whether the blobs of this use stay; a pin stays until it is known that its project is gone."""
        if isinstance(self.state, Unsure):
            return self.note.use.kind == PIN or rules.now - self.note.used < rules.unsure
        return isinstance(self.state, Alive)


@dataclass
class Needs:
    """What uses say about blobs and materialised models."""

    blobs: set[str] = field(default_factory=set)
    """Digests of blobs that stay."""
    folders: frozenset[str] = frozenset()
    """Names of folders of materialised models that stay, whatever the model."""
    lost: list[Damaged] = field(default_factory=list)
    """Notes that can't be read and that count: as long as there is one, all that there is may be needed."""
    models: set[Model] = field(default_factory=set)
    """Materialised models that stay."""
    last_of_blob: dict[str, Judged] = field(default_factory=dict)
    """By digest, the last of the uses that have ended."""
    last_of_model: dict[Model, Judged] = field(default_factory=dict)
    """By model, likewise."""
    unsure: list[Judged] = field(default_factory=list)
    """Uses that count although nobody can tell."""
    over: list[Judged] = field(default_factory=list)
    """Uses that have ended, and whose blobs are not kept any longer."""

    def keep(self, use: Use) -> None:
        """Keep what a use needs."""
        self.blobs.update(use.blobs)
        self.models.add(model_of(use))

    def end(self, one: Judged) -> None:
        """Remember a use that has ended, if it is the last one of its blobs or of its model."""
        use = one.note.use
        for digest in use.blobs:
            self.last_of_blob[digest] = _later(one, self.last_of_blob.get(digest))
        self.last_of_model[model_of(use)] = _later(one, self.last_of_model.get(model_of(use)))


def needs(
    judged: Iterable[Judged], rules: Rules, also: Collection[str] = (), *, lost: Iterable[Damaged] = ()
) -> Needs:
    """
    Return what stays because of uses, and whether that is all, by the notes that can't be read.

    `also` are digests of blobs and names of models' folders that stay whatever notes say.
    """
    counting = [one for one in lost if rules.now - one.used < rules.unsure]
    found = Needs(blobs=set(also), folders=frozenset(also), lost=counting)
    for one in judged:
        if one.counts(rules):
            found.keep(one.note.use)
            found.unsure += [one] if isinstance(one.state, Unsure) else []
        else:
            found.end(one)
            found.over += [one] if rules.now - one.note.used >= rules.keep else []
    return found


def model_of(use: Use) -> Model:
    """Return the materialised model of a use."""
    return use.name, use.version, use.folder


def _later(one: Judged, other: Judged | None) -> Judged:
    return one if other is None or one.note.used > other.note.used else other
