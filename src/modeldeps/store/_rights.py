"""Who may write which part of a file that comes in; touched under the turn of its landing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.store._spans import Spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.store._claim import Claim


class Rights:
    """The claims on one part file that were not given back yet."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        """Those that threads fill, in the order in which they were taken."""
        self._held = Spans()
        """What is being copied here; there may be very many chunks of it, so that it is no list of claims."""

    @property
    def are_over(self) -> bool:
        """Nobody writes, or proves what he wrote."""
        return not self._held.total and all(one.is_over for one in self.claims)

    @property
    def are_used(self) -> bool:
        """Somebody writes, or proves what he wrote, at this moment."""
        return self._held.total > 0 or any(one.writing for one in self.claims)

    @property
    def longest(self) -> Claim | None:
        """The claim of which most may be given to somebody else."""
        return max(self.claims, key=lambda one: one.end - one.reserved, default=None)

    def gaps(self, written: Spans, size: int) -> Iterator[tuple[int, int]]:
        """Yield what nobody has or writes; no more is looked at than is asked for: there may be many gaps."""
        busy = Spans((one.position, one.end) for one in self.claims)
        for gap in written.gaps(0, size):
            for free in self._held.gaps(*gap):
                yield from busy.gaps(*free)

    def add(self, claim: Claim) -> Claim:
        """Count a claim."""
        if claim.held:
            self._held.add(claim.position, claim.end)
        else:
            self.claims.append(claim)
        return claim

    def remove(self, claim: Claim) -> None:
        """Count a claim no longer. Safe to call twice."""
        claim.writing = False
        if claim.held:
            self._held.remove(claim.position, claim.end)
        elif claim in self.claims:
            self.claims.remove(claim)
