"""What a model takes and gives, and whether given values fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modeldeps._frozen import dataclass
from modeldeps.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    import numpy as np

    class Argument(Protocol):
        """ONNX Runtime's `NodeArg`."""

        name: str
        type: str
        shape: Sequence[int | str | None] | None


DTYPES = {
    "tensor(bool)": "bool",
    "tensor(double)": "float64",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(int8)": "int8",
    "tensor(string)": "string",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(uint8)": "uint8",
}
"""numpy's names of ONNX Runtime's tensor types; others are given as ONNX Runtime wants them."""

_PLAIN = (list, tuple, int, float, bool, str, bytes)


@dataclass(frozen=True)
class Slot:
    """One input or output of an opened session."""

    name: str
    """Its name in the graph."""
    kind: str
    """numpy's name of the element type, or ONNX Runtime's where numpy has none."""
    shape: tuple[int | str | None, ...]
    """A size, a named dimension, or None for an unnamed free one."""
    dtype: np.dtype[Any] | None
    """numpy's element type; None where the value is passed on as it is."""

    @classmethod
    def of(cls, argument: Argument) -> Slot:
        """Make it out of what a session says."""
        import numpy as np

        kind = DTYPES.get(argument.type, argument.type)
        numeric = argument.type in DTYPES and kind != "string"
        shape = tuple(argument.shape or ()) if argument.type.startswith("tensor(") else ()
        return cls(argument.name, kind, shape, np.dtype(kind) if numeric else None)

    def __str__(self) -> str:
        return f"{self.kind} {spell(self.shape)}"


def spell(shape: Sequence[object]) -> str:
    """Return a shape as people read it: `[batch, 8, 8]`; `?` is any size."""
    return f"[{', '.join('?' if one is None else str(one) for one in shape)}]"


def prepare(model: str, slots: Sequence[Slot], given: Mapping[str, object]) -> dict[str, object]:
    """
    Return the values as ONNX Runtime takes them.

    Lists and numbers become arrays of the declared element type where nothing is lost; arrays must
    have it already. Raises InputError.
    """
    by_name = {one.name: one for one in slots}
    if not _complete(slots, given):
        raise _names(model, slots, given)
    return {name: _array(model, by_name[name], value) for name, value in given.items()}


def _array(model: str, slot: Slot, value: object) -> object:
    import numpy as np

    plain = isinstance(value, _PLAIN)
    if slot.dtype is None:
        return np.asarray(value) if plain and slot.kind == "string" else value
    if hasattr(value, "numpy") and hasattr(value, "has_value"):
        return value  # an OrtValue
    try:
        found = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        reason = f"{type(value).__name__}: {str(error).splitlines()[0]}"
        raise InputError.value(model, slot.name, str(slot), reason) from None
    if plain and found.dtype != slot.dtype:
        found = _convert(found, slot.dtype)
    if found.dtype != slot.dtype or not found.dtype.isnative:
        raise _dtype_error(model, slot, found)
    return found


def _convert(found: np.ndarray[Any, Any], wanted: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return numbers written in Python as another type, or unchanged where they would lose meaning."""
    import numpy as np

    ranks = {"b": 0, "i": 1, "u": 1, "f": 2}  # no fractions as integers, no numbers as flags
    if found.size and ranks.get(found.dtype.kind, 3) > ranks.get(wanted.kind, -1):
        return found
    with np.errstate(over="ignore"):
        converted = found.astype(wanted)
        fits = np.array_equal(converted, found) if wanted.kind in "iu" else _as_finite(converted, found)
    return converted if fits else found


def _as_finite(converted: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> bool:
    """Tell whether no number became infinite."""
    import numpy as np

    return found.size == 0 or bool(np.array_equal(np.isinf(converted), np.isinf(found)))


def _dtype_error(model: str, slot: Slot, found: np.ndarray[Any, Any]) -> InputError:
    expected = str(slot)
    hint = None
    if found.dtype.kind in "biuf" and slot.dtype is not None:
        hint = f'{slot.name}.astype("{slot.kind}") converts it'
    return InputError.value(model, slot.name, expected, f"{found.dtype} {spell(found.shape)}", hint=hint)


def _complete(slots: Sequence[Slot], given: Mapping[str, object]) -> bool:
    """Tell whether every input is there, but for optional ones, and nothing else."""
    needed = {one.name for one in slots if not one.kind.startswith("optional(")}
    return needed <= set(given) <= {one.name for one in slots}


def _names(model: str, slots: Sequence[Slot], given: Mapping[str, object]) -> InputError:
    from difflib import get_close_matches  # noqa: PLC0415 - only for an error

    expected = [f"{one.name}: {one}" for one in slots]
    names = [one.name for one in slots]
    wrong = next((one for one in given if one not in names), "")
    close = get_close_matches(wrong, names, n=1)
    error = InputError.name(model, list(given), expected)
    if close:
        error.hint = f"did you mean {close[0]!r}?"
    return error


def explain(model: str, slots: Sequence[Slot], given: Mapping[str, object]) -> InputError | None:
    """Return what is wrong with the inputs, or None where they fit: asked after a run has failed."""
    if not _complete(slots, given):
        return _names(model, slots, given)
    sizes: dict[str, tuple[int, str]] = {}
    for slot in slots:
        shape = getattr(given.get(slot.name), "shape", None)
        if shape is None or "(" in slot.kind:
            continue
        if error := _shape_error(model, slot, tuple(shape), sizes):
            return error
    return None


def _shape_error(
    model: str, slot: Slot, found: tuple[int, ...], sizes: dict[str, tuple[int, str]]
) -> InputError | None:
    """Compare a shape with the declared one, and named dimensions with those of the other inputs."""
    hint = None
    wrong = len(found) != len(slot.shape)
    if wrong and len(found) == len(slot.shape) - 1 and not isinstance(slot.shape[0], int):
        hint = f"{slot.name}[None] adds the first dimension"
    for size, wanted in zip(found, slot.shape, strict=False):
        if isinstance(wanted, int) and size != wanted:
            wrong = True
        elif isinstance(wanted, str):
            before, other = sizes.setdefault(wanted, (size, slot.name))
            if before != size and not wrong:
                expected = f"{wanted} = {before}, as in {other!r}"
                return InputError.value(model, slot.name, expected, f"{wanted} = {size}")
    if not wrong:
        return None
    return InputError.value(model, slot.name, str(slot), f"{slot.kind} {spell(found)}", hint=hint)
