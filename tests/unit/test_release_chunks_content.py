from __future__ import annotations

import subprocess
import sys

import numpy as np  # noqa: TID253 - a test module may be heavy
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modeldeps.digest import sha256_bytes
from modeldeps.publish import _content
from modeldeps.publish._content import Bounds

AVERAGES = [1 << shift for shift in range(10, 22)]
seeds = st.integers(0, 2**32)


def _random(seed: int, length: int) -> bytes:
    return np.random.default_rng(seed).bytes(length)


def _chunks(data: bytes, average: int) -> list[bytes]:
    ends = _content.ends(data, average)
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _plain_ends(data: bytes, average: int) -> list[int]:
    """Cut as `ends` does where numpy is not installed."""
    bounds = Bounds.around(average)
    find, found, at = _content.finder(data, bounds), [], 0
    while len(data) - at > bounds.least:
        at = find(at)
        found.append(at)
    return found if at == len(data) else [*found, len(data)]


@given(st.binary(max_size=9000), st.sampled_from([1024, 2048]))
@example(bytes(20_000), 1024)
@example(b"", 1024)
def test_cuts_of_any_bytes_are_the_same_without_numpy(data: bytes, average: int) -> None:
    assert _content.ends(data, average) == _plain_ends(data, average)


@given(seeds, st.integers(0, 300_000), st.sampled_from(AVERAGES), st.integers(1, 256))
def test_cuts_of_long_bytes_are_the_same_without_numpy(
    seed: int, length: int, average: int, values: int
) -> None:
    data = bytes(byte % values for byte in _random(seed, length))
    assert _content.ends(data, average) == _plain_ends(data, average)


@given(seeds, st.integers(0, 300_000), st.sampled_from(AVERAGES))
def test_chunks_cover_the_bytes_within_their_bounds(seed: int, length: int, average: int) -> None:
    data, bounds = _random(seed, length), Bounds.around(average)
    chunks = _chunks(data, average)
    assert b"".join(chunks) == data
    assert all(len(one) <= bounds.most for one in chunks)
    assert all(len(one) >= bounds.least for one in chunks[:-1])
    assert all(chunks)


@given(seeds, st.integers(0, 1_000_000), st.binary(min_size=1, max_size=5000))
def test_an_insertion_moves_only_the_chunks_around_it(seed: int, place: int, inserted: bytes) -> None:
    data = _random(seed, 1_000_000)
    known = set(_chunks(data, 16 << 10))
    changed = data[:place] + inserted + data[place:]
    moved = [one for one in _chunks(changed, 16 << 10) if one not in known]
    assert len(moved) <= 20


def test_chunks_are_about_as_long_as_asked_for() -> None:
    data = _random(1, 8 << 20)
    for average in (8 << 10, 16 << 10, 64 << 10):
        mean = len(data) / len(_content.ends(data, average))
        assert 1.05 < mean / average < 1.25


@given(seeds, st.integers(1, 200_000), st.integers(0, 200_000))
def test_what_follows_moves_no_cut_but_the_last(seed: int, length: int, more: int) -> None:
    data = _random(seed, length + more)
    settled = _content.ends(data[:length], 4096)[:-1]
    assert _content.ends(data, 4096)[: len(settled)] == settled


@pytest.mark.parametrize("byte", range(256))
def test_a_run_of_one_byte_has_chunks_of_one_length(byte: int) -> None:
    assert len({*_chunks(bytes([byte]) * 65_536, 4096)}) == 1


def test_cuts_never_change_from_one_version_to_the_next() -> None:
    """What was published shares nothing with a release that is cut in another way."""
    numbers = b"".join(number.to_bytes(4, "big") for number in _content.gear())
    assert sha256_bytes(numbers) == "7709b4fb2524986ae16dee9fbef4624e5bdf3403e100adf25d10b7636ff523c1"
    data = b"".join(sha256_bytes(b"%d" % index).encode() for index in range(4000))
    assert _content.ends(data, 16 << 10) == [
        16432,
        27971,
        44707,
        69023,
        85500,
        106887,
        123295,
        132193,
        144876,
        163444,
        181271,
        196311,
        225866,
        240758,
        256000,
    ]


PROGRAM = """
import sys
sys.modules["numpy"] = None
from modeldeps.publish import _content
data = bytes(index * index % 251 for index in range(100_000))
print(_content.ends(data, 8192))
"""


def test_bytes_are_cut_where_numpy_is_not_installed() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)
    data = bytes(index * index % 251 for index in range(100_000))
    assert ran.stdout.strip() == str(_content.ends(data, 8192))
