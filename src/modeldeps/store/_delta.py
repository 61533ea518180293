"""Take from the blobs of this machine what a new one shares with them."""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING

from modeldeps.store import _known, _trust
from modeldeps.store._claim import WRITE_BACK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modeldeps.store._landing import Landing
    from modeldeps.store._layout import Layout

_MOST = 32
"""Blobs that are open at once."""
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_READ |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Donation:
    """What blobs of this machine have of a file, while others already bring the rest."""

    def __init__(self, landing: Landing, layouts: Sequence[Layout], stamps: _trust.Stamps) -> None:
        """Look up each chunk of which nothing is there, and hold the places of those that are known."""
        self._landing = landing
        self._layouts = layouts
        self._stamps = stamps
        chunks = {index: landing.file.chunks[index] for index in landing.missing()}
        self._places = _known.look_up([one.chunks for one in layouts], chunks) if chunks else {}
        self._held = {index: landing.hold(index) for index in sorted(self._places)}

    def __bool__(self) -> bool:
        return bool(self._held)

    def give(self, *, is_over: Callable[[], bool]) -> None:
        """Copy chunk by chunk until `is_over`; what can't be had is missing again. Raises OSError."""
        begun = 0
        try:
            with ExitStack() as stack:
                donors = _Donors(self._layouts, self._stamps, stack)
                for index, claim in self._held.items():
                    if is_over():
                        return
                    self._copy(index, donors)
                    claim.release()
                    if claim.end - begun >= WRITE_BACK:
                        self._landing.write_back(begun, claim.end)
                        begun = claim.end
        finally:
            for claim in self._held.values():
                claim.release()

    def _copy(self, index: int, donors: _Donors) -> None:
        for place in self._places[index]:
            handle = donors.open(place.blob)
            if handle is not None and self._landing.copy(index, handle, place.offset):
                return


class _Donors:
    """The blobs that are copied from, each opened once."""

    def __init__(self, layouts: Sequence[Layout], stamps: _trust.Stamps, stack: ExitStack) -> None:
        self._layouts = layouts
        self._stamps = stamps
        self._stack = stack
        self._open: dict[str, int | None] = {}

    def open(self, digest: str) -> int | None:
        """Return the open file of a blob that was proved and not altered since, or None."""
        if digest not in self._open:
            if len(self._open) >= _MOST:
                return None
            found = (self._try(layout, digest) for layout in self._layouts)
            self._open[digest] = next((one for one in found if one is not None), None)
        return self._open[digest]

    def _try(self, layout: Layout, digest: str) -> int | None:
        blob = layout.blob(digest)
        try:
            handle = os.open(blob, _READ)
        except OSError:
            return None
        status = os.fstat(handle)
        right = stat.S_ISREG(status.st_mode) and (
            _trust.is_sealed(status, digest, status.st_size) or self._stamps.known(blob, status, digest)
        )
        if not right:
            os.close(handle)
            return None
        self._stack.callback(os.close, handle)
        return handle
