from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253 - a test module may be heavy
import pytest
import tensor_files
from hypothesis import given
from hypothesis import strategies as st
from release_models import layers, project, write

from modeldeps.digest import sha256_bytes, sha256_file
from modeldeps.errors import FileChangedError
from modeldeps.manifest import Chunk, File, Manifest, Variant, dump, parse
from modeldeps.progress import Reporter
from modeldeps.publish import _safetensors, build_release
from modeldeps.publish._chunks import OWN, PIECE, WHOLE, digest_file, plan_chunks
from modeldeps.publish._onnx import survey_file

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.publish._chunks import Plan

sizes = st.integers(0, 30 << 20)
GIB = 1 << 30


def _chunks(path: Path) -> tuple[Chunk, ...]:
    tensors = [(one.start, one.length) for one in survey_file(path).weights]
    return digest_file(path, plan_chunks(path.stat().st_size, tensors), Reporter())[1]


def _moved(old: tuple[Chunk, ...], new: tuple[Chunk, ...]) -> int:
    """Return the bytes of the new file that the old one does not have."""
    known = {one.sha256 for one in old}
    return sum(one.length for one in new if one.sha256 not in known)


@given(sizes, st.lists(st.tuples(sizes, sizes), max_size=30), st.integers(0, 100 * GIB))
def test_stretches_cover_the_file_in_order(size: int, tensors: list[tuple[int, int]], total: int) -> None:
    stretches = plan_chunks(size, tensors, total=total).stretches
    bounds = [one.start for one in stretches] + [size]
    assert bounds[0] == 0
    assert [one.end for one in stretches] == bounds[1:]
    assert all(one.end > one.start for one in stretches)
    assert {(one.start, one.end - one.start) for one in stretches if one.is_tensor} <= {*tensors, (0, size)}


@given(
    st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)), max_size=8),
    st.integers(0, 2**32),
)
def test_chunks_cover_the_file_and_have_its_digests(
    tmp_path_factory: pytest.TempPathFactory, tensors: list[tuple[int, int]], seed: int
) -> None:
    size = 1 + max((start + length for start, length in tensors), default=0)
    data = np.random.default_rng(seed).bytes(size)
    path = tensor_files.write(tmp_path_factory.mktemp("chunks") / "file", data)
    digest, chunks = digest_file(path, plan_chunks(size, tensors), Reporter())
    assert digest == sha256_bytes(data)
    ends = [0, *itertools.accumulate(one.length for one in chunks)]
    assert [one.offset for one in chunks] == ends[:-1]
    assert not chunks or ends[-1] == size
    assert all(one.sha256 == sha256_bytes(data[one.offset : one.offset + one.length]) for one in chunks)


def test_no_chunk_is_longer_than_four_mebibytes(tmp_path: Path) -> None:
    data = bytes(9 << 20) + np.random.default_rng(1).bytes(9 << 20)
    path = tensor_files.write(tmp_path / "m", data)
    for cuts in (
        plan_chunks(len(data), [(5, 10 << 20)]),
        plan_chunks(len(data), []),
        plan_chunks(len(data), [], total=1 << 50),
        plan_chunks(len(data), [(5, 10 << 20)], total=1 << 50),
    ):
        _, chunks = digest_file(path, cuts, Reporter())
        assert max(one.length for one in chunks) <= PIECE


def test_a_large_tensor_is_cut_from_its_own_start_so_that_it_may_grow(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).bytes(9 << 20)
    found = []
    for name, tensors in (("old", {"w": rows}), ("new", {"b": b"moved" * 9, "w": rows + b"one more row"})):
        path = tensor_files.write(tmp_path / name, tensor_files.safetensors(tensors))
        start = path.stat().st_size - len(tensors["w"])
        cuts = plan_chunks(path.stat().st_size, [(start, len(tensors["w"]))])
        found.append(digest_file(path, cuts, Reporter())[1])
    assert _moved(*found) < 2 << 20


def test_a_tensor_that_changes_moves_its_own_chunks_and_no_others(tmp_path: Path) -> None:
    model = layers(50_000, 40_000, 2_000_000, 30_000)
    old = _chunks(write(tmp_path / "old.onnx", model))
    model.graph.initializer[1].raw_data = np.random.default_rng(9).bytes(4 * 40_000)
    assert _moved(old, _chunks(write(tmp_path / "new.onnx", model))) == 4 * 40_000


@given(st.lists(st.integers(2_000, 60_000), min_size=4, max_size=20), st.integers(0, 2**32))
def test_a_tensor_moves_little_more_than_itself(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    tensors = {f"t{index}": random.bytes(length) for index, length in enumerate(lengths)}
    changed = f"t{seed % len(lengths)}"
    folder, found = tmp_path_factory.mktemp("tensors"), []
    for content in (tensors, {**tensors, changed: random.bytes(len(tensors[changed]))}):
        path = tensor_files.write(folder / "m.safetensors", tensor_files.safetensors(content))
        cuts = plan_chunks(path.stat().st_size, _safetensors.tensors(path))
        digest, chunks = digest_file(path, cuts, Reporter())
        found.append(chunks or (Chunk(0, path.stat().st_size, digest),))
    length = len(tensors[changed])
    if length >= OWN[0][1] and len(found[1]) > 1:
        assert _moved(*found) == length
    else:
        assert _moved(*found) <= length + 4 * (32 << 10)


def test_a_tensor_keeps_its_digest_when_only_its_name_changes(tmp_path: Path) -> None:
    model = layers(40_000, 50_000)
    old = _chunks(write(tmp_path / "old.onnx", model))
    for tensor in model.graph.initializer:
        tensor.name += "_renamed"
    new = _chunks(write(tmp_path / "new.onnx", model))
    shared = {one.sha256 for one in old} & {one.sha256 for one in new}
    assert {one.length for one in new if one.sha256 in shared} >= {4 * 40_000, 4 * 50_000}


def test_weights_keep_their_chunks_in_a_file_of_another_format(tmp_path: Path) -> None:
    model = layers(40_000, 50_000)
    weights = [one.raw_data for one in model.graph.initializer]
    folder = project(tmp_path / "p", 'files = ["m.tflite", "m.safetensors", "m.gguf"]')
    write(folder / "model.onnx", model)
    tensor_files.write(folder / "m.tflite", tensor_files.tflite(*weights))
    named = {"a": weights[0], "b": weights[1]}
    tensor_files.write(folder / "m.safetensors", tensor_files.safetensors(named))
    tensor_files.write(folder / "m.gguf", tensor_files.gguf(named))
    manifest = build_release(folder, tmp_path / "dist").manifest
    wanted = {sha256_bytes(one) for one in weights}
    for file in (*manifest.variants[0].files, *manifest.files):
        assert wanted <= {one.sha256 for one in file.chunks}, file.path


@pytest.mark.parametrize(
    "sizes_of_layers", [[1_350_000] * 10, [60_000] * 220, [5_000] * 500 + [1_000_000] * 11]
)
def test_a_changed_last_layer_of_a_54_mb_model_moves_64_kb_at_most(
    tmp_path: Path, sizes_of_layers: list[int]
) -> None:
    model = layers(*sizes_of_layers, 5_000, 10)
    old = _chunks(write(tmp_path / "old.onnx", model))
    for tensor, seed in zip(model.graph.initializer[-2:], (1, 2), strict=True):
        tensor.raw_data = np.random.default_rng(seed).bytes(len(tensor.raw_data))
    new = _chunks(write(tmp_path / "new.onnx", model))
    assert sum(one.length for one in new) > 50_000_000
    assert _moved(old, new) <= 64_000


def test_a_small_file_has_no_chunks_of_its_own(tmp_path: Path) -> None:
    path = tensor_files.write(tmp_path / "m", np.random.default_rng(1).bytes(WHOLE))
    assert digest_file(path, plan_chunks(WHOLE, [(9, 30_000)]), Reporter())[1] == ()


def test_an_empty_file_has_its_digest(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert digest_file(tmp_path / "empty", plan_chunks(0, []), Reporter()) == (sha256_bytes(b""), ())


def test_digests_are_those_of_the_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", layers(2_000_000, 100_000))
    data = path.read_bytes()
    digest, chunks = digest_file(path, plan_chunks(len(data), [(99, 5 << 20)]), Reporter())
    assert digest == sha256_file(path)
    for one in chunks:
        assert one.sha256 == sha256_bytes(data[one.offset : one.offset + one.length])


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("tensors", [[], [(10, 50_000)]])
def test_a_file_that_changes_while_it_is_read_is_reported(
    tmp_path: Path, change: int, size: int, tensors: list[tuple[int, int]]
) -> None:
    (tmp_path / "f").write_bytes(b"x" * size)
    with pytest.raises(FileChangedError, match="changed while it was read"):
        digest_file(tmp_path / "f", plan_chunks(size + change, tensors), Reporter())


def _most(cuts: Plan) -> int:
    """Return how many chunks there can be, whatever the content."""
    shortest = [PIECE if one.is_tensor else cuts.average // 4 for one in cuts.stretches]
    return sum(
        -(-(one.end - one.start) // least) for one, least in zip(cuts.stretches, shortest, strict=True)
    )


@pytest.mark.parametrize("size", [limit + step for limit, _ in OWN for step in (-1, 0, 1)] + [10 * 10**9])
def test_a_manifest_is_never_too_large_for_its_readers(size: int) -> None:
    """The worst that a file can be: every chunk as short as allowed, every tensor as small as counts."""
    least = next((value for limit, value in OWN if size <= limit), PIECE)
    dense = [(at, least) for at in range(0, size - least, least + 1)]
    assert max(_most(plan_chunks(size, [])), _most(plan_chunks(size, dense))) <= 131_073


@pytest.mark.parametrize(("total", "mebibytes"), [(10 * 10**9, 8), (150 * 10**9, 12)])
def test_a_manifest_of_a_large_release_is_read_again(total: int, mebibytes: int) -> None:
    """Shards of 5 GB that are cut by content, with chunks as long as they are on average."""
    average = plan_chunks(5 * 10**9, [], total=total).average
    files = []
    for shard in range(total // (5 * 10**9)):
        chunks = tuple(
            Chunk(at, average, "0" * 64) for at in range(0, 5 * 10**9 // average * average, average)
        )
        files.append(File(f"shard-{shard}", sum(one.length for one in chunks), f"{shard:064x}", chunks))
    manifest = Manifest(
        "m", "1.0.0", "A model", "MIT", (Variant("v", "bin", "shard-0", tuple(files)),), ("v",)
    )
    data = dump(manifest)
    assert len(data) <= mebibytes << 20
    assert parse(data) == manifest
