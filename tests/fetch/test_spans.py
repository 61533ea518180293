"""Sets of byte ranges, compared with sets of bytes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from modeldeps.store._spans import Spans

SIZE = 40
RANGES = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda pair: (min(pair), max(pair)))
CHANGES = st.lists(st.tuples(st.booleans(), RANGES), max_size=30)


def build(changes: list[tuple[bool, tuple[int, int]]]) -> tuple[Spans, set[int]]:
    spans, plain = Spans(), set[int]()
    for joins, (start, end) in changes:
        if joins:
            spans.add(start, end)
            plain |= set(range(start, end))
        else:
            spans.remove(start, end)
            plain -= set(range(start, end))
    return spans, plain


@given(CHANGES)
def test_ranges_are_joined_cut_and_kept_apart_as_sets_are(
    changes: list[tuple[bool, tuple[int, int]]],
) -> None:
    spans, plain = build(changes)
    assert {byte for start, end in spans for byte in range(start, end)} == plain
    assert spans.total == len(plain)
    listed = list(spans)
    assert all(start < end for start, end in listed)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(listed))


@given(CHANGES, RANGES)
def test_what_is_there_and_what_lacks_make_up_the_range(
    changes: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]
) -> None:
    spans, plain = build(changes)
    start, end = asked
    wanted = set(range(start, end))
    parts, gaps = list(spans.parts(start, end)), list(spans.gaps(start, end))
    assert {byte for a, b in parts for byte in range(a, b)} == plain & wanted
    assert {byte for a, b in gaps for byte in range(a, b)} == wanted - plain
    assert spans.covers(start, end) == (wanted <= plain)
    assert set(range(start, spans.run(start))) <= plain
    assert spans.run(start) not in plain
