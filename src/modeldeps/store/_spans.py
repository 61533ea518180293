"""A set of byte ranges, kept sorted and joined."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Spans:
    """Byte ranges (start, end), the end exclusive; no two of them touch."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0
        """Bytes of all ranges."""
        for start, end in spans:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._ends, strict=True)))

    def add(self, start: int, end: int) -> None:
        """Join a range to the set; an empty one changes nothing."""
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
            self.total -= self._sum(first, last)
        self.total += end - start
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def remove(self, start: int, end: int) -> None:
        """Take a range out of the set; what of it is not there does not matter."""
        if start >= end:
            return
        first = bisect_right(self._ends, start)
        last = bisect_left(self._starts, end)
        if first >= last:
            return
        head, tail = self._starts[first], self._ends[last - 1]
        self.total -= self._sum(first, last) - max(0, start - head) - max(0, tail - end)
        self._starts[first:last] = [*([head] if head < start else []), *([end] if tail > end else [])]
        self._ends[first:last] = [*([start] if head < start else []), *([tail] if tail > end else [])]

    def _sum(self, first: int, last: int) -> int:
        """Return the bytes of some of the ranges, by their numbers."""
        return sum(self._ends[first:last]) - sum(self._starts[first:last])

    def covers(self, start: int, end: int) -> bool:
        """Tell whether all of a range is in the set."""
        return start >= end or self.run(start) >= end

    def run(self, at: int) -> int:
        """Return the end of the range that holds the byte at a place, or the place where none does."""
        index = bisect_right(self._starts, at) - 1
        return max(at, self._ends[index]) if index >= 0 else at

    def gaps(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges between two places that are not in the set, in order."""
        while (start := self.run(start)) < end:
            index = bisect_left(self._starts, start)
            stop = min(end, self._starts[index]) if index < len(self._starts) else end
            yield start, stop
            start = stop

    def parts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield what of the range between two places is in the set, in order."""
        for gap, stop in self.gaps(start, end):
            if start < gap:
                yield start, gap
            start = stop
        if start < end:
            yield start, end
