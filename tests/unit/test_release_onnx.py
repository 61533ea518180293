from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np  # noqa: TID253 - a test module may be heavy
import onnx  # noqa: TID253 - likewise
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper  # noqa: TID253 - likewise
from release_models import layers, scaled, write

from modeldeps.errors import CorruptModelError
from modeldeps.publish._onnx import external_files, read_onnx, survey_file
from modeldeps.publish._wire import survey


def test_the_interface_has_names_types_and_named_dimensions(tmp_path: Path) -> None:
    found = read_onnx(write(tmp_path / "m.onnx", scaled()))
    assert [(one.name, one.dtype, one.shape) for one in found.inputs] == [("x", "float32", ("n", 3))]
    assert [(one.name, one.dtype, one.shape) for one in found.outputs] == [("y", "float32", ("n", 3))]
    assert (found.ir_version, found.opsets) == (8, {"ai.onnx": 17})
    assert found.operators == {("", "Mul")}


def test_a_weight_that_is_listed_as_an_input_is_no_input(tmp_path: Path) -> None:
    model = scaled(ir_version=3, opset=9)
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [3]))
    assert [one.name for one in read_onnx(write(tmp_path / "m.onnx", model)).inputs] == ["x"]


def test_a_tensor_without_a_shape_says_so(tmp_path: Path) -> None:
    model = scaled()
    model.graph.input[0].type.tensor_type.ClearField("shape")
    [tensor] = read_onnx(write(tmp_path / "m.onnx", model)).inputs
    assert tensor.shape == ()
    assert tensor.extra == {"any_shape": True}


def test_an_unnamed_dimension_is_none(tmp_path: Path) -> None:
    model = scaled()
    model.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    assert read_onnx(write(tmp_path / "m.onnx", model)).inputs[0].shape == (None, 3)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (TensorProto.DOUBLE, "float64"),
        (TensorProto.BFLOAT16, "bfloat16"),
        (TensorProto.STRING, "string"),
        (TensorProto.INT4, "int4"),
    ],
)
def test_element_types_have_numpys_names(tmp_path: Path, number: int, name: str) -> None:
    x, y = (helper.make_tensor_value_info(one, number, ["n"]) for one in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    assert read_onnx(write(tmp_path / "m.onnx", model)).inputs[0].dtype == name


def test_an_output_that_is_a_sequence_says_so(tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    y = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("SequenceConstruct", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert read_onnx(write(tmp_path / "m.onnx", model)).outputs[0].dtype == "sequence"


def test_operators_of_an_unknown_domain_are_named_but_not_functions_of_the_file(tmp_path: Path) -> None:
    model = scaled()
    model.graph.node.append(helper.make_node("Mine", ["x"], ["z"], domain="my.ops"))
    model.graph.node.append(helper.make_node("Twice", ["x"], ["t"], domain="local"))
    twice = helper.make_function(
        "local",
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 17)],
    )
    model.functions.append(twice)
    model.opset_import.extend([helper.make_opsetid("my.ops", 1), helper.make_opsetid("local", 1)])
    found = read_onnx(write(tmp_path / "m.onnx", model))
    assert found.custom == ("my.ops",)
    assert ("", "Add") in found.operators


def test_tensors_are_found_where_their_bytes_lie(tmp_path: Path) -> None:
    model = layers(100, 7)
    path = write(tmp_path / "m.onnx", model)
    data = path.read_bytes()
    found = survey_file(path).weights
    assert [one.name for one in found] == ["w0", "w1"]
    for one, tensor in zip(found, model.graph.initializer, strict=True):
        assert data[one.start : one.start + one.length] == tensor.raw_data


def test_tensors_inside_branches_and_attributes_are_found(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.arange(5, dtype=np.float32), "inner")
    branch = helper.make_graph(
        [helper.make_node("Identity", ["inner"], ["o"])],
        "b",
        [],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, [5])],
        [weight],
    )
    constant = helper.make_node(
        "Constant", [], ["k"], value=numpy_helper.from_array(np.ones(6, np.float32), "const")
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph(
        [constant, node],
        "g",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [5])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found = survey_file(write(tmp_path / "m.onnx", model))
    assert sorted(one.name for one in found.weights) == ["const", "inner", "inner"]
    assert ("", "Identity") in found.operators


def test_an_empty_file_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"")
    with pytest.raises(CorruptModelError, match="an empty file"):
        read_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_corrupt(tmp_path: Path, share: float) -> None:
    path = write(tmp_path / "m.onnx", layers(1000, 1000))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CorruptModelError, match="can't be read as a model"):
        read_onnx(path)


def test_a_web_page_instead_of_a_model_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("<!DOCTYPE html><html>Not found</html>")
    with pytest.raises(CorruptModelError, match="expected"):
        read_onnx(tmp_path / "m.onnx")


def test_a_pointer_of_git_lfs_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(CorruptModelError):
        read_onnx(tmp_path / "m.onnx")


def test_a_weight_with_too_few_bytes_is_corrupt(tmp_path: Path) -> None:
    model = scaled()
    model.graph.initializer[0].raw_data = b"\0" * 8
    with pytest.raises(CorruptModelError, match="12 bytes, as its shape and type say"):
        read_onnx(write(tmp_path / "m.onnx", model))


def test_a_graph_that_uses_a_value_nobody_makes_is_corrupt(tmp_path: Path) -> None:
    model = scaled()
    model.graph.node[0].input[1] = "absent"
    with pytest.raises(CorruptModelError, match="absent"):
        read_onnx(write(tmp_path / "m.onnx", model))


def _external(tmp_path: Path) -> Path:
    path = tmp_path / "m.onnx"
    onnx.save_model(
        layers(500, 300),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="m.data",
        size_threshold=0,
    )
    return path


def test_external_data_are_found_with_their_tensors(tmp_path: Path) -> None:
    path = _external(tmp_path)
    [(location, tensors)] = external_files(path, survey_file(path)).items()
    assert location == "m.data"
    assert [one.length for one in tensors] == [2000, 1200]


def test_external_data_that_are_absent_are_named(tmp_path: Path) -> None:
    path = _external(tmp_path)
    (tmp_path / "m.data").unlink()
    with pytest.raises(CorruptModelError, match=r"no file m\.data"):
        external_files(path, survey_file(path))


def test_external_data_that_are_too_short_are_corrupt(tmp_path: Path) -> None:
    path = _external(tmp_path)
    (tmp_path / "m.data").write_bytes(b"\0" * 100)
    with pytest.raises(CorruptModelError, match="100 bytes"):
        external_files(path, survey_file(path))


@pytest.mark.parametrize("place", ["../outside", "/etc/passwd", "C:\\data", "a/../../b"])
def test_external_data_outside_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    path = _external(tmp_path)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        next(one for one in tensor.external_data if one.key == "location").value = place
    write(path, model)
    with pytest.raises(CorruptModelError, match="inside the folder of the model"):
        external_files(path, survey_file(path))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_walk_fail_in_another_way(data: bytes) -> None:
    try:
        survey(data)
    except ValueError:
        return


@given(st.integers(0, 2**31), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_model_makes_the_walk_fail_in_another_way(place: int, damage: bytes) -> None:
    data = bytearray(scaled().SerializeToString())
    at = place % len(data)
    data[at : at + len(damage)] = damage
    try:
        survey(bytes(data))
    except ValueError:
        return


def test_messages_nested_without_end_are_refused() -> None:
    graph = b""
    for _ in range(200):
        attribute = b"\x32" + _length(graph) + graph
        node = b"\x2a" + _length(attribute) + attribute
        graph = b"\x0a" + _length(node) + node
    with pytest.raises(ValueError, match="nested too deeply"):
        survey(b"\x3a" + _length(graph) + graph)


def _length(data: bytes) -> bytes:
    number, out = len(data), b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def test_a_negative_size_is_a_free_dimension(tmp_path: Path) -> None:
    model = scaled()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = " "
    found = read_onnx(write(tmp_path / "m.onnx", model))
    assert (found.inputs[0].shape, found.outputs[0].shape) == ((None, 3), (None, 3))


def test_a_file_that_is_newer_than_the_onnx_package_names_the_upgrade(tmp_path: Path) -> None:
    for changed in (scaled(ir_version=onnx.IR_VERSION + 1), scaled(opset=onnx.defs.onnx_opset_version() + 1)):
        with pytest.raises(CorruptModelError, match="pip install --upgrade onnx"):
            read_onnx(write(tmp_path / "m.onnx", changed))


@given(st.integers(0, 2**31), st.binary(min_size=1, max_size=4))
def test_no_damage_to_a_model_raises_another_error(place: int, damage: bytes) -> None:
    data = bytearray(scaled().SerializeToString())
    at = place % len(data)
    data[at : at + len(damage)] = damage
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        path.write_bytes(data)
        try:
            external_files(path, survey_file(path))
            read_onnx(path)
        except CorruptModelError:
            return


def test_broken_text_in_a_file_is_shown_escaped(tmp_path: Path) -> None:
    data = scaled().SerializeToString()
    assert data.count(b"\x0a\x01x") >= 2
    path = tmp_path / "m.onnx"
    path.write_bytes(data.replace(b"\x0a\x01x", b"\x0a\x01\xff", 1))
    with pytest.raises(CorruptModelError, match=r"protobuf|xff|refuses"):
        read_onnx(path)


def test_the_name_of_a_dimension_that_is_no_text_is_corrupt(tmp_path: Path) -> None:
    data = scaled().SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(data.replace(b"\x12\x01n", b"\x12\x01\xff"))
    with pytest.raises(CorruptModelError, match="not protobuf"):
        read_onnx(path)
