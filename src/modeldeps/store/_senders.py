"""Who sent the bytes of a part file that no digest proved yet, so that a liar can be named."""

from __future__ import annotations

from modeldeps.store._spans import Spans

_SEVERAL = ""
"""Stands for more than one source."""


class Senders:
    """The sources of each chunk, by its offset; of the whole file, by 0, where there are no chunks."""

    def __init__(self, old: Spans | None = None) -> None:
        self._sources: dict[int, str] = {}
        """By the offset of a chunk; there may be many, so that no set is made for each."""
        self._old = Spans(old or ())
        """What an earlier run left: nobody knows from whom."""

    def sent(self, offset: int, source: str) -> None:
        """Note that a source sent bytes of the chunk that begins here."""
        if self._sources.setdefault(offset, source) != source:
            self._sources[offset] = _SEVERAL

    def only(self, start: int, end: int) -> str | None:
        """Return who sent all of a chunk, None where it was several, or an earlier run; forget it."""
        source = self._sources.pop(start, _SEVERAL)
        was_old = any(True for _ in self._old.parts(start, end))
        self._old.remove(start, end)
        return None if source == _SEVERAL or was_old else source

    def knows(self, offset: int) -> bool:
        """Tell whether bytes of the chunk that begins here came and were not hashed yet."""
        return offset in self._sources
