from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253 - a test module may be heavy
import pytest
from onnx import TensorProto, helper  # noqa: TID253 - likewise
from release_models import project, savez, scaled, write

from modeldeps.errors import ExampleError, GoldenOutputError
from modeldeps.manifest import Tolerance
from modeldeps.publish import Release, build_release
from modeldeps.publish._npz import npz_bytes

if TYPE_CHECKING:
    from pathlib import Path

X = np.ones((2, 3), np.float32)
EXAMPLE = 'examples = [{ name = "e", inputs = "in.npz" }]'
GIVEN = 'examples = [{ name = "e", inputs = "in.npz", outputs = "out.npz" }]'
TWO = 'variants = [{ name = "a", entry = "model.onnx" }, { name = "b", entry = "b.onnx" }]'


def _build(tmp_path: Path, table: str, variants: str | None = None) -> Release:
    folder = project(tmp_path / "p", table, variants=variants)
    write(folder / "model.onnx", scaled(2.0))
    return build_release(folder, tmp_path / "dist")


def _outputs(release: Release) -> dict[str, np.ndarray]:
    digest = release.manifest.examples[0].outputs.sha256
    [path] = [one for one in release.blobs if one.name == digest]
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def test_golden_outputs_are_computed_where_only_inputs_are_given(tmp_path: Path) -> None:
    savez(tmp_path / "p" / "in.npz", x=X)
    release = _build(tmp_path, EXAMPLE)
    assert release.manifest.examples[0].outputs.path == "e.outputs.npz"
    np.testing.assert_array_equal(_outputs(release)["y"], 2 * X)


def test_computed_outputs_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    savez(tmp_path / "p" / "in.npz", x=X)
    first = _build(tmp_path, EXAMPLE).wheel.read_bytes()
    assert _build(tmp_path, EXAMPLE).wheel.read_bytes() == first


def test_given_outputs_that_are_right_are_taken(tmp_path: Path) -> None:
    savez(tmp_path / "p" / "in.npz", x=X)
    savez(tmp_path / "p" / "out.npz", y=2 * X)
    example = _build(tmp_path, GIVEN).manifest.examples[0]
    assert example.outputs.path == "out.npz"
    assert example.tolerances == {"y": Tolerance(rtol=1e-3, atol=1e-5)}


def test_given_outputs_that_are_stale_are_refused(tmp_path: Path) -> None:
    savez(tmp_path / "p" / "in.npz", x=X)
    savez(tmp_path / "p" / "out.npz", y=2.5 * X)
    with pytest.raises(GoldenOutputError, match=r"6 of 6 values are off, the largest by 0\.5"):
        _build(tmp_path, GIVEN)


def test_a_variant_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    savez(tmp_path / "p" / "in.npz", x=X)
    write(tmp_path / "p" / "b.onnx", scaled(2.1))
    with pytest.raises(GoldenOutputError, match=r"overrides\.b\.y"):
        _build(tmp_path, EXAMPLE, TWO)


def test_a_variant_may_be_allowed_to_differ_more(tmp_path: Path) -> None:
    savez(tmp_path / "p" / "in.npz", x=X)
    write(tmp_path / "p" / "b.onnx", scaled(2.1))
    loose = EXAMPLE.replace('in.npz"', 'in.npz", overrides = { b = { y = { atol = 0.2 } } }')
    [example] = _build(tmp_path, loose, TWO).manifest.examples
    assert example.overrides == {"b": {"y": Tolerance(atol=0.2)}}


def test_only_the_largest_value_must_agree_where_top_1_is_asked_for(tmp_path: Path) -> None:
    savez(tmp_path / "p" / "in.npz", x=np.array([[1, 2, 3]], np.float32))
    savez(tmp_path / "p" / "out.npz", y=np.array([[0, 0, 9]], np.float32))
    _build(tmp_path, GIVEN.replace('out.npz"', 'out.npz", tolerances = { y = { top_1 = true } }'))
    savez(tmp_path / "p" / "out.npz", y=np.array([[9, 0, 0]], np.float32))
    with pytest.raises(GoldenOutputError, match="another largest value in 1 places"):
        _build(tmp_path, GIVEN.replace('out.npz"', 'out.npz", tolerances = { y = { top_1 = true } }'))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"z": X}, "no input 'x' in the file"),
        ({"x": X.astype(np.float64)}, "expected float32, found float64"),
        ({"x": np.ones((2, 4), np.float32)}, r"expected shape \['n', 3\], found \[2, 4\]"),
        ({"x": np.ones(3, np.float32)}, r"found \[3\]"),
    ],
)
def test_inputs_that_do_not_fit_the_interface_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], reason: str
) -> None:
    savez(tmp_path / "p" / "in.npz", **arrays)
    with pytest.raises(ExampleError, match=reason):
        _build(tmp_path, EXAMPLE)


def test_inputs_that_are_no_npz_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "in.npz").write_bytes(b"not an archive")
    with pytest.raises(ExampleError, match="can't be read"):
        _build(tmp_path, EXAMPLE)


@pytest.mark.parametrize("start", [0, 6, 8])
def test_inputs_in_a_damaged_npz_are_refused(tmp_path: Path, start: int) -> None:
    """Cut in the middle, marked as encrypted, packed by a method that nobody knows (PKZIP APPNOTE 4.3)."""
    whole = npz_bytes({"x": X})
    place = whole.index(b"PK\x01\x02") + start + 2
    damaged = whole[: len(whole) // 2] if start == 0 else whole[:place] + b"\x63" + whole[place + 1 :]
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "in.npz").write_bytes(damaged)
    with pytest.raises(ExampleError, match=r"in\.npz can't be read"):
        _build(tmp_path, EXAMPLE)


def test_a_bare_array_instead_of_an_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with (tmp_path / "p" / "in.npz").open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(ExampleError, match="is no npz file"):
        _build(tmp_path, EXAMPLE)


def test_outputs_that_are_texts_are_kept_without_a_pickle(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.STRING, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.STRING, ["n"])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    folder = project(tmp_path / "p", EXAMPLE)
    write(
        folder / "model.onnx",
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
    )
    savez(folder / "in.npz", x=np.array(["a", "bc"]))
    release = build_release(folder, tmp_path / "dist")
    assert _outputs(release)["y"].tolist() == ["a", "bc"]


def test_outputs_that_are_no_tensors_are_refused(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("SequenceConstruct", ["x"], ["y"])], "g", [x], [y])
    folder = project(tmp_path / "p", EXAMPLE)
    write(
        folder / "model.onnx",
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
    )
    savez(folder / "in.npz", x=np.ones(2, np.float32))
    with pytest.raises(ExampleError, match="'y' is no tensor"):
        build_release(folder, tmp_path / "dist")


def test_a_variant_for_another_device_is_not_run_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    savez(tmp_path / "p" / "in.npz", x=X)
    broken = scaled()
    broken.graph.node[0].domain = "no.such"
    broken.opset_import.append(helper.make_opsetid("no.such", 1))
    write(tmp_path / "p" / "b.onnx", broken)
    meant = TWO.replace('"b.onnx"', '"b.onnx", providers = ["cuda"]')
    assert len(_build(tmp_path, EXAMPLE, meant).manifest.variants) == 2
    with pytest.raises(ExampleError, match="does not run on the CPU here"):
        _build(tmp_path, EXAMPLE, TWO)


def test_a_number_without_dimensions_stays_one() -> None:
    with np.load(io.BytesIO(npz_bytes({"n": np.asarray(3, np.int64)}))) as archive:
        assert archive["n"].shape == ()
