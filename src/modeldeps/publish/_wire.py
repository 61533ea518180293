"""Walk the protobuf wire format, to learn where in an ONNX file its tensors lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types (protobuf's encoding guide); groups, 3 and 4, stand in no ONNX file."""

MAX_DEPTH = 60
"""Messages inside messages; protobuf's own readers stop at 100."""

CHILDREN: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "training": {1: "graph", 2: "graph"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "function": {7: "node"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: "tensor", 2: "tensor"},
    }
)
"""Field numbers that hold messages with tensors or nodes below them (onnx.proto3)."""

BITS: Mapping[int, int] = MappingProxyType(
    {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128,
     16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}
)  # fmt: skip
"""Bits of one element, by TensorProto.DataType; texts (8) have no fixed size."""

_TYPED_DATA = frozenset({4, 5, 7, 9, 10, 11})
"""Fields of a TensorProto that hold its elements in one stretch of bytes."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    kind: int
    """Its wire type."""
    value: int
    """The number of a varint field, else 0."""
    start: int
    end: int
    """Where the content of a field of bytes lies."""


@dataclass(frozen=True)
class Weights:
    """One tensor of an ONNX file that has elements."""

    name: str
    """Its name, where it has one."""
    start: int
    """Where its elements begin, in bytes from the start of the file that holds them."""
    length: int
    """Bytes of its elements."""
    location: str = ""
    """The external file that holds them, relative to the ONNX file; empty for the ONNX file itself."""
    kind: int = 0
    """Type of its elements, a TensorProto.DataType."""
    expected: int | None = None
    """Bytes that its shape and type ask for, where raw bytes hold it and the type has a fixed size."""


@dataclass
class Survey:
    """What a walk through an ONNX file found."""

    weights: list[Weights] = field(default_factory=list)
    """Tensors with elements, in the order of the file."""
    operators: set[tuple[str, str]] = field(default_factory=set)
    """Domain and type of every node."""
    messages: set[int] = field(default_factory=set)
    """Numbers of the top-level fields."""


def survey(data: bytes | memoryview) -> Survey:
    """Walk a ModelProto. Raises ValueError where the bytes are not one."""
    found = Survey()
    view = memoryview(data)
    found.messages.update(one.number for one in fields(view, 0, len(view)))
    _walk(view, Field(0, BYTES, 0, 0, len(view)), "model", found, MAX_DEPTH)
    return found


def fields(view: memoryview, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message that lies between two places. Raises ValueError."""
    at = start
    while at < end:
        tag, at = _varint(view, at, end)
        number, kind = tag >> 3, tag & 7
        value, begin = 0, at
        if kind == VARINT:
            value, at = _varint(view, at, end)
        elif kind == BYTES:
            length, begin = _varint(view, at, end)
            at = begin + length
        elif kind in (FIXED32, FIXED64):
            at += 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind} at byte {begin}")
        if number == 0 or at > end:
            raise ValueError(f"field {number} at byte {begin} reaches beyond its message")
        yield Field(number, kind, value, begin, at)


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:  # noqa: PLR2004 - ten bytes hold 64 bits
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            return value, at
        shift += 7
    raise ValueError(f"a number at byte {at} does not end")


def _walk(view: memoryview, message: Field, kind: str, found: Survey, depth: int) -> None:
    if depth == 0:
        raise ValueError("messages are nested too deeply")
    if kind == "tensor":
        found.weights += _weights(view, message)
        return
    texts: dict[int, str] = {}
    for one in fields(view, message.start, message.end):
        if below := CHILDREN[kind].get(one.number):
            _walk(view, one, below, found, depth - 1)
        elif kind == "node" and one.number in (4, 7):
            texts[one.number] = _text(view, one)
    if kind == "node":
        found.operators.add((texts.get(7, ""), texts.get(4, "")))


def _text(view: memoryview, one: Field) -> str:
    return bytes(view[one.start : one.end]).decode("utf-8")


def _weights(view: memoryview, message: Field) -> list[Weights]:
    """Return where the elements of a TensorProto lie: nothing for one without elements, or of texts."""
    dims: list[int] = []
    name, kind, external, place = "", 0, {}, None
    for one in fields(view, message.start, message.end):
        if one.number == 1:
            dims += _packed(view, one) if one.kind == BYTES else [one.value]
        elif one.number == 2:  # noqa: PLR2004 - data_type
            kind = one.value
        elif one.number == 8:  # noqa: PLR2004 - name
            name = _text(view, one)
        elif one.number == 13:  # noqa: PLR2004 - external_data
            entry = {part.number: _text(view, part) for part in fields(view, one.start, one.end)}
            external[entry.get(1, "")] = entry.get(2, "")
        elif one.number in _TYPED_DATA and one.end > one.start:
            place = one
    size = _size(dims, kind)
    if external:
        return [_external(name, kind, external, size)]
    if place is None:
        return []
    expected = size if place.number == 9 else None  # noqa: PLR2004 - raw_data
    return [Weights(name, place.start, place.end - place.start, kind=kind, expected=expected)]


def _packed(view: memoryview, one: Field) -> list[int]:
    values, at = [], one.start
    while at < one.end:
        value, at = _varint(view, at, one.end)
        values.append(value)
    return values


def _size(dims: list[int], kind: int) -> int | None:
    """Return the bytes of a tensor, or None where its type has no fixed size."""
    count = BITS.get(kind, 0)
    for one in dims:
        count *= one
    return (count + 7) // 8 if kind in BITS else None


def _external(name: str, kind: int, entries: Mapping[str, str], size: int | None) -> Weights:
    """Read where external data lie (onnx's ExternalData.md)."""
    if "location" not in entries:
        raise ValueError(f"tensor {name!r} has external data without a location")
    numbers = {key: entries.get(key, "0") for key in ("offset", "length")}
    if not all(text.isascii() and text.isdigit() and len(text) < 20 for text in numbers.values()):  # noqa: PLR2004 - 64 bits
        raise ValueError(f"tensor {name!r} has an offset or a length that is no number")
    length = int(numbers["length"]) or size or 0
    expected = size if "length" in entries else None
    return Weights(name, int(numbers["offset"]), length, entries["location"], kind, expected)
