from __future__ import annotations

import struct
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tensor_files
from hypothesis import given
from hypothesis import strategies as st

from modeldeps.errors import CorruptModelError
from modeldeps.publish import _gguf, _safetensors, _tflite

if TYPE_CHECKING:
    from collections.abc import Callable

TENSORS = {"a": b"first", "b": b"", "c": b"the third"}
ALIGNED = {"a": b"x" * 32, "b": b"y" * 7, "c": b"z" * 100}


def _contents(path: Path, places: list[tuple[int, int]]) -> list[bytes]:
    data = path.read_bytes()
    return [data[start : start + length] for start, length in places]


def _header(**tensor: object) -> dict[str, object]:
    return {"w": {"dtype": "U8", "shape": [12], "data_offsets": [0, 12], **tensor}}


def test_tensors_of_a_safetensors_file_are_found(tmp_path: Path) -> None:
    path = tensor_files.write(tmp_path / "m.safetensors", tensor_files.safetensors(TENSORS, origin="here"))
    assert _contents(path, _safetensors.tensors(path)) == list(TENSORS.values())


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ([], "it is no object"),
        ({"w": 1}, "lacks dtype"),
        ({"w": {}}, "lacks dtype"),
        (_header(data_offsets=[0, 99], shape=[99]), "the file holds 12"),
        (_header(data_offsets=[-9, 2]), "no sizes"),
        (_header(data_offsets=[0.0, 12.0]), "no sizes"),
        (_header(data_offsets=[False, 12]), "no sizes"),
        (_header(data_offsets=[0, 2**64]), "no sizes"),
        (_header(shape=[11]), "not those of its shape"),
        (_header(shape=[3], dtype="F64"), "not those of its shape"),
        (_header(shape=[1] * 65), "no sizes"),
        (_header(data_offsets=[4, 12], shape=[8]), "expected a tensor at byte 0"),
        ({**_header(), "v": _header(data_offsets=[6, 18])["w"]}, "expected a tensor at byte 12"),
        (_header(data_offsets=[0, 8], shape=[8]), "its tensors have 8 bytes"),
        ({}, "its tensors have 0 bytes"),
        (b'{"w":', "can't be used"),
        (b"\xff\xfe", "can't be used"),
        (b'{"w": 1, "w": 1}', "a name stands twice"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_safetensors_file_with_a_broken_header_is_corrupt(
    tmp_path: Path, header: object, reason: str
) -> None:
    path = tensor_files.write(tmp_path / "m.safetensors", tensor_files.framed(header, bytes(12)))
    with pytest.raises(CorruptModelError, match="a whole safetensors file") as caught:
        _safetensors.tensors(path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"\1", b"<html>not found</html>", (1 << 40).to_bytes(8, "little") + b"{}", bytes(100)]
)
def test_a_file_that_is_no_safetensors_file_is_corrupt(tmp_path: Path, data: bytes) -> None:
    path = tensor_files.write(tmp_path / "m.safetensors", data)
    with pytest.raises(CorruptModelError, match="a header of"):
        _safetensors.tensors(path)


def test_an_element_type_that_is_not_known_yet_is_taken(tmp_path: Path) -> None:
    header = _header(dtype="F1_NEW", shape=[5])
    path = tensor_files.write(tmp_path / "m.safetensors", tensor_files.framed(header, bytes(12)))
    [(_, length)] = _safetensors.tensors(path)
    assert length == 12


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("alignment", [32, 64])
def test_tensors_of_a_gguf_file_are_found(tmp_path: Path, order: str, alignment: int) -> None:
    def number(value: int, kind: str = "I") -> bytes:
        return struct.pack(order + kind, value)

    texts = number(8) + number(2, "Q") + tensor_files.gguf_text("a", order) * 2
    keys = [
        tensor_files.gguf_key("general.alignment", 4, number(alignment), order),
        tensor_files.gguf_key("name", 8, tensor_files.gguf_text("tiny", order), order),
        tensor_files.gguf_key("tokens", 9, texts, order),
        tensor_files.gguf_key("scores", 9, number(6) + number(3, "Q") + bytes(12), order),
        tensor_files.gguf_key("nested", 9, number(9) + number(1, "Q") + texts, order),
        tensor_files.gguf_key("flag", 7, b"\1", order),
    ]
    data = tensor_files.gguf(ALIGNED, keys=keys, alignment=alignment, order=order)
    path = tensor_files.write(tmp_path / "m.gguf", data)
    assert _contents(path, _gguf.tensors(path)) == list(ALIGNED.values())


def test_a_gguf_file_with_nothing_but_a_vocabulary_has_no_tensors(tmp_path: Path) -> None:
    path = tensor_files.write(tmp_path / "m.gguf", tensor_files.gguf({}, keys=[_key(0, b"\1")]))
    assert _gguf.tensors(path) == []


def test_a_tensor_of_an_unknown_type_reaches_to_the_next(tmp_path: Path) -> None:
    data = bytearray(tensor_files.gguf({"a": b"x" * 40, "b": b"y" * 8}))
    row = data.index(b"a") + 1
    struct.pack_into("<I", data, row + 4 + 8, 999)
    path = tensor_files.write(tmp_path / "m.gguf", bytes(data))
    assert _contents(path, _gguf.tensors(path)) == [b"x" * 40 + bytes(24), b"y" * 8]


def _key(kind: int, value: bytes) -> bytes:
    return tensor_files.gguf_key("key", kind, value)


def _rows(*numbers: int) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, *numbers)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"GG", "ends beyond"),
        (b"<html>not found</html>", "does not begin with GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "GGUF version 1"),
        (_rows(0, 1 << 60), "ends beyond"),
        (_rows(1 << 60, 0), "ends beyond"),
        (tensor_files.gguf({}, keys=[_key(77, b"")]), "a value of type 77"),
        (tensor_files.gguf({}, keys=[_key(9, struct.pack("<IQ", 0, 1 << 62))]), "ends beyond"),
        (tensor_files.gguf({}, keys=[_key(9, struct.pack("<IQ", 8, 1 << 62))]), "more than"),
        (tensor_files.gguf({}, keys=[_key(9, struct.pack("<IQ", 9, 1) * 6)]), "a value of type 9"),
        (tensor_files.gguf({}, keys=[_key(8, struct.pack("<Q", 1 << 63))]), "ends beyond"),
        (
            tensor_files.gguf({}, keys=[tensor_files.gguf_key("general.alignment", 4, bytes(4))]),
            "an alignment that is no number",
        ),
        (
            tensor_files.gguf({}, keys=[tensor_files.gguf_key("general.alignment", 8, bytes(8))]),
            "an alignment that is no number",
        ),
        (_rows(1, 0) + tensor_files.gguf_text("w") + struct.pack("<I", 9), "9 dimensions"),
        (
            _rows(1, 0) + tensor_files.gguf_text("w") + struct.pack("<IQIQ", 1, 33, 2, 0) + bytes(99),
            "33 elements in blocks of 32",
        ),
        (
            _rows(1, 0) + tensor_files.gguf_text("w") + struct.pack("<IQIQ", 1, 9, 24, 8) + bytes(99),
            "no multiple of 32",
        ),
        (tensor_files.gguf(ALIGNED)[:-1], "beyond its end"),
    ],
)
def test_a_broken_gguf_file_is_corrupt(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tensor_files.write(tmp_path / "m.gguf", data)
    with pytest.raises(CorruptModelError, match="a whole GGUF file") as caught:
        _gguf.tensors(path)
    assert reason in str(caught.value)


def test_tensors_of_a_gguf_file_that_overlap_are_corrupt(tmp_path: Path) -> None:
    data = bytearray(tensor_files.gguf(ALIGNED))
    row = data.index(b"b", 24) + 1
    struct.pack_into("<Q", data, row + 4 + 8 + 4, 0)
    path = tensor_files.write(tmp_path / "m.gguf", bytes(data))
    with pytest.raises(CorruptModelError, match="beyond its end"):
        _gguf.tensors(path)


def test_a_hostile_gguf_file_is_refused_before_long(tmp_path: Path) -> None:
    texts = struct.pack("<IQ", 8, _gguf.MAX_ENTRIES + 1) + bytes(8 * 1000)
    path = tensor_files.write(tmp_path / "m.gguf", tensor_files.gguf({}, keys=[_key(9, texts)]))
    before = time.process_time()
    with pytest.raises(CorruptModelError, match="more than"):
        _gguf.tensors(path)
    assert time.process_time() - before < 10


def test_buffers_of_a_tensorflow_lite_file_are_found(tmp_path: Path) -> None:
    buffers = [b"weights", b"", b"more weights"]
    path = tensor_files.write(tmp_path / "m.tflite", tensor_files.tflite(*buffers))
    assert _contents(path, _tflite.tensors(path)) == buffers


@pytest.mark.parametrize("data", [b"", b"\0" * 8, b"<html>not found</html>", b"\xff" * 4 + b"TFL3"])
def test_a_tensorflow_lite_file_that_cant_be_walked_has_no_bounds(tmp_path: Path, data: bytes) -> None:
    assert _tflite.tensors(tensor_files.write(tmp_path / "m.tflite", data)) == []


def test_a_tensorflow_lite_file_with_more_buffers_than_bytes_has_no_bounds(tmp_path: Path) -> None:
    data = bytearray(tensor_files.tflite(b"weights"))
    struct.pack_into("<I", data, 32, 1 << 31)
    assert _tflite.tensors(tensor_files.write(tmp_path / "m.tflite", bytes(data))) == []


FORMATS = {
    "m.safetensors": (_safetensors.tensors, tensor_files.safetensors(TENSORS)),
    "m.gguf": (_gguf.tensors, tensor_files.gguf(ALIGNED, keys=[_key(8, tensor_files.gguf_text("x"))])),
    "m.tflite": (_tflite.tensors, tensor_files.tflite(b"weights", b"", b"more weights")),
}


def _fails_as_it_may(name: str, read: Callable[[Path], list[tuple[int, int]]], data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = tensor_files.write(Path(folder) / name, data)
        try:
            places = read(path)
        except CorruptModelError:
            return
        assert all(start >= 0 and length >= 0 and start + length <= len(data) for start, length in places)


@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 2**31), st.binary(min_size=1, max_size=8))
def test_no_damage_makes_a_walk_leave_the_file_or_fail_in_another_way(
    name: str, place: int, damage: bytes
) -> None:
    read, whole = FORMATS[name]
    at = place % len(whole)
    _fails_as_it_may(name, read, whole[:at] + damage + whole[at + len(damage) :])


@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 2**31))
def test_no_truncation_makes_a_walk_leave_the_file_or_fail_in_another_way(name: str, place: int) -> None:
    read, whole = FORMATS[name]
    _fails_as_it_may(name, read, whole[: place % len(whole)])
