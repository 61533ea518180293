"""Where the tensors of a safetensors file lie: 8 bytes of length, a JSON header, the data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modeldeps.errors import CorruptModelError

if TYPE_CHECKING:
    from pathlib import Path

MAX_HEADER = 100 << 20
"""Bytes of a header, as the format's own readers limit it."""
MAX_RANK = 64
"""Dimensions of a tensor."""
BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
"""Bits of one element; a type that is not listed is not checked."""


def tensors(path: Path) -> list[tuple[int, int]]:
    """
    Read the start and the length of each tensor, in the order of the file.

    The header is bounded, no name stands twice, and the tensors cover the data without a gap, as the format's
    own readers demand. Raises CorruptModelError and OSError.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        length = int.from_bytes(stream.read(8), "little")
        if not 1 < length <= min(MAX_HEADER, size - 8):
            raise _corrupt(path, f"a header of {length} bytes in {size}")
        text = stream.read(length)
    try:
        places = _places(text)
        _cover(places, size - 8 - length)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise _corrupt(path, f"a header that can't be used: {reason}") from None
    return [(8 + length + start, end - start) for start, end in places]


def _corrupt(path: Path, found: str) -> CorruptModelError:
    return CorruptModelError(path, found, expected="a whole safetensors file")


def _places(text: bytes) -> list[tuple[int, int]]:
    """Return begin and end of each tensor in the data, sorted. Raises ValueError, RecursionError."""
    header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    if not isinstance(header, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - whatever is wrong with a file is one error
    return sorted(_place(name, one) for name, one in header.items() if name != "__metadata__")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _place(name: str, entry: Any) -> tuple[int, int]:  # noqa: ANN401 - whatever JSON holds
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [start, end]}:
            numbers = [*shape, start, end]
        case _:
            raise ValueError(f"tensor {name[:80]!a} lacks dtype, shape or data_offsets")
    if len(shape) > MAX_RANK or not all(type(one) is int and 0 <= one < 1 << 63 for one in numbers):
        raise ValueError(f"tensor {name[:80]!a} has a shape or offsets that are no sizes")
    count = BITS.get(dtype)
    for one in shape if count else ():
        count *= one
    if start > end or (count is not None and count != 8 * (end - start)):
        raise ValueError(f"tensor {name[:80]!a} has {end - start} bytes, not those of its shape and type")
    return start, end


def _cover(places: list[tuple[int, int]], size: int) -> None:
    """Raise ValueError where tensors overlap, leave a gap, or do not end where the file does."""
    at = 0
    for start, end in places:
        if start != at:
            raise ValueError(f"expected a tensor at byte {at} of the data, found one at {start}")
        at = end
    if at != size:
        raise ValueError(f"its tensors have {at} bytes, the file holds {size}")
