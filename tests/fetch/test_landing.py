"""A part file that several claims fill in any order, with wrong bytes, kills and power cuts in between."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import file_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from modeldeps.digest import sha256_bytes
from modeldeps.errors import ContradictionError, DigestError
from modeldeps.manifest import Chunk, File
from modeldeps.store import Landing, _extents, _pieces

if TYPE_CHECKING:
    from modeldeps.store import Claim

SIZE = 60_000
DATA = random.Random(3).randbytes(SIZE)  # noqa: S311 - no secret
FLAGS = os.O_RDWR | os.O_CREAT


class Filling(RuleBasedStateMachine):
    """Claims are taken, filled, split, given back; what is proved is what the file should be, always."""

    chunk = 0
    claims: Bundle[Claim] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.grain, _pieces.GRAIN = _pieces.GRAIN, 100
        self.file = file_of(DATA, chunk=self.chunk)
        self.shown = 0
        self.open()

    def open(self) -> None:
        path = self.folder / "part"
        self.landing = Landing(self.file, path, os.open(path, FLAGS), advance=self.advance)
        self.shown = 0
        self.landing.resume()
        self.taken: list[Claim] = []

    def advance(self, count: int) -> None:
        self.shown += count

    def usable(self, claim: Claim) -> bool:
        return claim.landing is self.landing and claim in self.taken

    @rule(target=claims, limit=st.integers(1, 20_000))
    def take(self, limit: int) -> Claim:
        claim = self.landing.take(limit)
        if claim is None:
            return self.landing._claim(SIZE, SIZE)
        self.taken.append(claim)
        return claim

    @rule(target=claims, least=st.integers(1, 5_000))
    def split(self, least: int) -> Claim:
        claim = self.landing.split(least)
        if claim is None:
            return self.landing._claim(SIZE, SIZE)
        self.taken.append(claim)
        return claim

    @rule(
        claim=claims,
        count=st.integers(0, 30_000),
        right=st.sampled_from([True, True, True, False]),
        defers=st.booleans(),
    )
    def write(self, claim: Claim, count: int, *, right: bool, defers: bool) -> None:
        if not self.usable(claim):
            return
        claim.defers = defers
        start = claim.position
        data = DATA[start : start + count]
        if not right:
            data = bytes(byte ^ 0xFF for byte in data)
        claim.source = "http://models.example.com/" if right else "http://liar.example.com/"
        try:
            used = claim.write(data)
        except DigestError:
            return
        assert used <= len(data)
        assert claim.position == start + used
        assert claim.position <= claim.end

    @rule(claim=consumes(claims))
    def release(self, claim: Claim) -> None:
        claim.release()
        if claim in self.taken:
            self.taken.remove(claim)

    @rule()
    def killed(self) -> None:
        for claim in self.taken:
            claim.release()
        self.taken.clear()
        self.landing._rights.claims.clear()
        self.landing.close()
        self.open()

    @rule(start=st.integers(0, SIZE), count=st.integers(1, 9_000))
    def killed_and_bytes_lost_to_a_power_cut(self, start: int, count: int) -> None:
        self.killed()
        self.landing.close()
        with (self.folder / "part").open("r+b") as stream:
            stream.seek(start)
            stream.write(bytes(min(count, SIZE - start)))
        self.open()

    @precondition(lambda self: self.landing.is_full)
    @rule()
    def prove(self) -> None:
        try:
            right = self.landing.prove()
        except DigestError:
            right = False
        if right:
            assert (self.folder / "part").read_bytes() == DATA

    @invariant()
    def progress_is_what_is_written(self) -> None:
        assert self.shown == self.landing.kept

    @invariant()
    def what_was_hashed_is_right(self) -> None:
        data = (self.folder / "part").read_bytes()
        pieces = self.landing._pieces
        for index in range(len(pieces)):
            start, end = pieces.span(index)
            if pieces.is_good(start) and not self.landing._senders.knows(start):
                assert data[start:end] == DATA[start:end]

    def teardown(self) -> None:
        _pieces.GRAIN = self.grain
        for claim in list(self.landing._rights.claims):
            claim.release()
        self.finish()
        self.landing.close()
        shutil.rmtree(self.folder)

    def finish(self) -> None:
        """Whatever happened, right bytes make it whole."""
        for _ in range(20):
            for claim in self.landing.take_all():
                claim.source = "http://models.example.com/"
                try:
                    claim.write(DATA[claim.position : claim.end])
                except DigestError:
                    pytest.fail("right bytes were refused")
                finally:
                    claim.release()
            if self.landing.is_full and self.proved():
                assert (self.folder / "part").read_bytes() == DATA
                return
        pytest.fail("it never became whole")

    def proved(self) -> bool:
        try:
            return self.landing.prove()
        except DigestError as error:
            assert error.source.startswith("http://liar")
            return False


class FillingChunks(Filling):
    """The same with chunks that do not fit the blocks of a disk."""

    chunk = 7_001


class FillingSmallChunks(Filling):
    """The same with chunks of which a block of a disk holds several."""

    chunk = 997


TestFilling = Filling.TestCase
TestFillingChunks = FillingChunks.TestCase
TestFillingSmallChunks = FillingSmallChunks.TestCase
for case in (TestFilling, TestFillingChunks, TestFillingSmallChunks):
    case.settings = settings(max_examples=max(10, settings().max_examples // 3))


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return opened(tmp_path / "part", file_of(DATA, chunk=10_000))


def opened(path: Path, file: File) -> Landing:
    found = Landing(file, path, os.open(path, FLAGS))
    found.resume()
    return found


def fill(landing: Landing, data: bytes = DATA, source: str = "http://models.example.com/") -> None:
    for claim in landing.take_all():
        claim.source = source
        claim.write(data[claim.position : claim.end])
        claim.release()


def test_a_claim_takes_no_more_than_it_has_and_says_so(landing: Landing) -> None:
    claim = landing.take(25_000)
    assert claim is not None
    assert claim.end == 30_000, "a claim ends where a chunk does"
    assert claim.write(DATA) == 30_000
    assert claim.write(DATA) == 0
    assert claim.is_done


def test_two_halves_of_one_chunk_are_proved_together(tmp_path: Path) -> None:
    landing = opened(tmp_path / "part", file_of(DATA, chunk=30_000))
    first = landing.take(30_000)
    assert first is not None
    first.write(DATA[:2_000])
    second = landing.split(1)
    assert second is not None
    assert (first.end, second.position, second.end) == (16_000, 16_000, 30_000)
    second.write(DATA[16_000:30_000])
    assert not landing._pieces.is_good(0)
    assert first.write(DATA[2_000:30_000]) == 14_000
    assert landing._pieces.is_good(0)


def test_the_source_of_a_wrong_chunk_is_named_and_the_chunk_alone_is_missing(landing: Landing) -> None:
    claim = landing.take(60_000)
    assert claim is not None
    claim.source = "http://user:word@liar.example.com/x"
    with pytest.raises(DigestError, match="bytes 20000 to 29999") as caught:
        claim.write(DATA[:20_000] + bytes(40_000))
    assert caught.value.source == "http://liar.example.com/x"
    claim.release()
    assert list(landing._gaps()) == [(20_000, 60_000)]


def test_what_was_copied_here_unproved_and_wrong_is_found_and_nothing_else_is_lost(
    landing: Landing, tmp_path: Path
) -> None:
    donor = tmp_path / "donor"
    donor.write_bytes(DATA[:20_000] + bytes(10_000))
    with donor.open("rb") as stream:
        for index in range(3):
            assert landing.copy(index, stream.fileno(), index * 10_000)
        assert not landing.copy(5, stream.fileno(), 25_000), "the donor ends before"
    assert landing.missing() == (3, 4, 5)
    fill(landing)
    assert landing.is_full
    assert not landing.prove()
    assert list(landing._gaps()) == [(20_000, 30_000)]
    fill(landing)
    assert landing.prove()


def test_chunks_that_don_t_make_up_the_file_are_the_manifest_s_fault(tmp_path: Path) -> None:
    other = file_of(bytes(SIZE), chunk=10_000)
    landing = opened(tmp_path / "part", File("model.onnx", SIZE, sha256_bytes(DATA), other.chunks))
    fill(landing, bytes(SIZE))
    with pytest.raises(ContradictionError):
        landing.prove()
    assert landing.kept == 0


def test_where_holes_can_t_be_told_bytes_come_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_extents, "_HAS_HOLES", False)
    landing = opened(tmp_path / "part", file_of(DATA))
    claim = landing.take(10_000)
    assert claim is not None
    assert landing.take(10_000) is None
    assert landing.split(1) is None
    claim.write(DATA)
    claim.release()
    landing.close()
    assert (tmp_path / "part").stat().st_size == 10_000
    again = opened(tmp_path / "part", file_of(DATA))
    assert again.kept == 10_000
    fill(again)
    assert again.prove()


def test_where_holes_can_t_be_told_chunks_still_come_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_extents, "_HAS_HOLES", False)
    file = file_of(DATA, chunk=10_000)
    landing = opened(tmp_path / "part", file)
    first, second = landing.take(10_000), landing.take(10_000)
    assert first is not None
    assert second is not None
    second.write(DATA[10_000:20_000])
    first.release()
    second.release()
    landing.close()
    again = opened(tmp_path / "part", file)
    assert again._written.covers(10_000, 20_000)
    fill(again)
    assert again.prove()


def test_a_file_system_without_holes_is_seen_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_extents, "_has_hole", lambda *_: False)
    landing = opened(tmp_path / "part", file_of(DATA))
    assert landing.sequential
    assert (tmp_path / "part").stat().st_size == 0


def test_a_handle_is_not_closed_under_somebody_who_writes(landing: Landing) -> None:
    claim = landing.take(10_000)
    assert claim is not None
    landing.close()
    claim.write(DATA[:10_000])
    assert landing.take(10_000) is None
    claim.release()
    assert landing._handle == -1


def test_the_block_of_a_file_system_is_asked_for(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as stream:
        assert _extents.block(stream.fileno()) >= 4096


def test_chunks_of_one_digest_are_each_in_their_place(tmp_path: Path) -> None:
    data = bytes(30_000)
    chunks = tuple(Chunk(at, 10_000, sha256_bytes(data[:10_000])) for at in range(0, 30_000, 10_000))
    landing = opened(tmp_path / "part", File("zeros.bin", 30_000, sha256_bytes(data), chunks))
    fill(landing, data)
    assert landing.prove()


def test_a_block_that_a_kill_left_short_before_another_range_costs_that_block_and_not_the_file(
    tmp_path: Path,
) -> None:
    data = random.Random(8).randbytes(300_000)  # noqa: S311 - no secret
    file, part = file_of(data), tmp_path / "part"
    landing = opened(part, file)
    first, second = landing.take(100_000), landing.take(100_000)
    assert first is not None
    assert second is not None
    assert second.position == first.end == 2 * _pieces.GRAIN
    first.write(data[: first.end - 1_000])
    second.write(data[second.position : second.end])
    for one in (first, second):
        one.release()
    landing.close()
    landing = opened(part, file)
    assert landing.kept > second.end - 10_000
    fill(landing, data)
    assert not landing.prove()
    assert landing.kept > 0.9 * len(data)
    fill(landing, data)
    assert landing.prove()
    landing.close()
