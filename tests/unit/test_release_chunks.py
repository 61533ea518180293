from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_models import layers, write

from modeldeps.digest import sha256_bytes, sha256_file
from modeldeps.errors import FileChangedError
from modeldeps.progress import Reporter
from modeldeps.publish._chunks import PIECE, SMALL, cut, digest_file
from modeldeps.publish._onnx import survey_file

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.manifest import Chunk

sizes = st.integers(0, 30 << 20)


def _chunks(path: Path) -> tuple[Chunk, ...]:
    tensors = [(one.start, one.length) for one in survey_file(path).weights]
    return digest_file(path, cut(path.stat().st_size, tensors), Reporter())[1]


@given(sizes, st.lists(st.tuples(sizes, sizes), max_size=30))
def test_chunks_cover_the_file_in_pieces_of_at_most_four_mebibytes(
    size: int, tensors: list[tuple[int, int]]
) -> None:
    ends = cut(size, tensors)
    starts = [0, *ends][: len(ends)]
    assert all(0 < end - start <= PIECE for start, end in zip(starts, ends, strict=True))
    assert (ends[-1] if ends else 0) == size


@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=60))
def test_there_are_not_more_chunks_than_useful(lengths: list[int]) -> None:
    at, tensors = 100, []
    for length in lengths:
        tensors.append((at, length))
        at += length + 40
    ends = cut(at, tensors)
    large = sum(length >= SMALL for length in lengths)
    assert len(ends) <= at // SMALL + 1 + 2 * large


def test_a_tensor_keeps_its_chunks_when_others_before_it_change(tmp_path: Path) -> None:
    old = _chunks(write(tmp_path / "old.onnx", layers(50_000, 40_000, 2_000_000)))
    changed = layers(50_001, 40_000, 2_000_000, seed=1)
    same = layers(50_000, 40_000, 2_000_000).graph.initializer[2]
    changed.graph.initializer[2].CopyFrom(same)
    new = _chunks(write(tmp_path / "new.onnx", changed))
    shared = {one.sha256 for one in old} & {one.sha256 for one in new}
    kept = sum(one.length for one in new if one.sha256 in shared)
    assert kept >= 8_000_000
    assert kept < sum(one.length for one in new)


def test_a_tensor_keeps_its_digest_when_only_its_name_changes(tmp_path: Path) -> None:
    model = layers(40_000, 50_000)
    old = _chunks(write(tmp_path / "old.onnx", model))
    for tensor in model.graph.initializer:
        tensor.name += "_renamed"
    new = _chunks(write(tmp_path / "new.onnx", model))
    shared = {one.sha256 for one in old} & {one.sha256 for one in new}
    assert {one.length for one in new if one.sha256 in shared} >= {4 * 40_000, 4 * 50_000}


def test_small_tensors_are_joined(tmp_path: Path) -> None:
    chunks = _chunks(write(tmp_path / "m.onnx", layers(*[1000] * 100)))
    assert all(one.length >= SMALL for one in chunks[:-1])


def test_a_small_file_has_no_chunks_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", layers(10, 10))
    assert _chunks(path) == ()


def test_an_empty_file_has_its_digest(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert digest_file(tmp_path / "empty", cut(0, []), Reporter()) == (sha256_bytes(b""), ())


def test_digests_are_those_of_the_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", layers(2_000_000, 100_000))
    data = path.read_bytes()
    digest, chunks = digest_file(path, cut(len(data), []), Reporter())
    assert digest == sha256_file(path)
    assert len(chunks) == 3
    for one in chunks:
        assert one.sha256 == sha256_bytes(data[one.offset : one.offset + one.length])


@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_changes_while_it_is_read_is_reported(tmp_path: Path, change: int) -> None:
    (tmp_path / "f").write_bytes(b"x" * 100)
    with pytest.raises(FileChangedError, match="changed while it was read"):
        digest_file(tmp_path / "f", [100 + change], Reporter())
