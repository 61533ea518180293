"""One file of a run: where it may be had, how far it is, and why a source was left."""

from __future__ import annotations

import enum
import time
from typing import TYPE_CHECKING

from modeldeps._frozen import field, record
from modeldeps.errors import (
    BrokenTransferError,
    DigestError,
    RefusedError,
    SourceError,
    UnreachableError,
    redact,
)
from modeldeps.fetch._retry import Patience

if TYPE_CHECKING:
    from modeldeps.errors import ModelDepsError
    from modeldeps.fetch._host import Host
    from modeldeps.manifest import File
    from modeldeps.store import Berth


MOVING = 1.0
"""Seconds without a byte after which a connection is not sure to bring more."""


class State(enum.Enum):
    """How far a file is."""

    NEW = enum.auto()
    """Nobody has looked at what an earlier run left."""
    LOOKING = enum.auto()
    """Somebody looks."""
    READY = enum.auto()
    """Bytes may come."""
    COMING = enum.auto()
    """All that lacks is being brought over one connection, after or before other small files."""
    FULL = enum.auto()
    """All bytes are there; they are being proved and published."""
    DONE = enum.auto()
    """The blob is in the store."""


@record
class Source:
    """Who answers for what a URL brings: a channel with all that it serves, else the URL alone."""

    banned: bool = False
    """It served wrong bytes: it is asked no more."""


@record
class Place:
    """One URL of a file."""

    url: str
    """Where it is asked for, credentials included."""
    host: Host
    """The machine that serves it, with all that others ask of it."""
    source: Source
    """Who is blamed for what it brings."""
    patience: Patience = field(default_factory=Patience)
    """How often it failed."""
    failed: SourceError | None = None
    """Why it is asked no more for this file."""
    round: int = 0
    """Failures that were counted; requests that began before the last one fail for the same cause."""
    served: int = 0
    """Bytes that its source had served, this file's or others', when it failed last."""
    moved: dict[object, float] = field(default_factory=dict)
    """When bytes that were missing came last, by who waits for them, on the monotonic clock."""

    def __repr__(self) -> str:
        """Show no secret of the URL."""
        return f"Place({redact(self.url)!r}, failed={self.failed!r})"

    def is_moving(self) -> bool:
        """Tell whether it brings bytes now."""
        since = time.monotonic() - MOVING
        return any(moment > since for moment in tuple(self.moved.values()))

    def served_what(self, error: DigestError) -> bool:
        """Tell whether an error is about bytes that came from here."""
        return DigestError(self.url, "", expected="", found="").source == error.source

    def why_not(self) -> SourceError | None:
        """Return why this place can't be asked, or None where it can."""
        if self.failed is None and self.source.banned:
            self.failed = RefusedError(self.url, "it served wrong bytes earlier (not asked again)")
        if self.failed is None and self.host.dead is not None:
            self.failed = BrokenTransferError(self.url, f"{self.host.dead.reason} (not asked again)")
        return self.failed


@record
class Task:
    """One file that is to land."""

    file: File
    """What the manifest says."""
    model: str
    """What is named in errors."""
    places: list[Place]
    """Where it may be had, in the order in which it is asked for."""
    state: State = State.NEW
    """How far it is."""
    berth: Berth | None = None
    """Its part file, while this process has the right to it."""
    is_ours: bool = False
    """This run gave the blob its name, and brought that to disk."""
    travelled: int = 0
    """Bytes that came, lost ones counted too."""
    wrong: DigestError | None = None
    """The first source that served other bytes."""
    is_small: bool = False
    """It is asked for together with others: it is short, and nothing of it is here."""
    together: bool = False
    """It was asked for together with others last."""
    alone: bool = False
    """Something else came for it once, maybe another one's bytes: it is asked for alone from now on."""
    _last: Place | None = None

    def place(self) -> Place | None:
        """Return where it is to be asked for now, or None where nobody is left."""
        last = self._last
        if last is None or last.host.is_doubtful or last.why_not() is not None:
            fit = [one for one in self.places if one.why_not() is None]
            self._last = min(fit, key=lambda one: one.host.is_doubtful, default=None)
        return self._last

    def has_other(self, place: Place) -> bool:
        """Tell whether there is another place that is not known to be slow."""
        return any(one is not place and one.why_not() is None and not one.host.slow for one in self.places)

    def name(self) -> str:
        """Return what people call it."""
        return f"{self.file.path} of {self.model}" if self.model else self.file.path

    def error(self) -> ModelDepsError:
        """Return what is to be raised when no place is left."""
        if self.wrong is not None:
            return self.wrong.of(self.model)
        failures = [error for one in self.places if (error := one.why_not()) is not None]
        return UnreachableError(self.name(), failures)
