"""The interface of a release: what its ONNX files say, with what the publisher adds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modeldeps.errors import Problem, ProjectError
from modeldeps.manifest import Tensor
from modeldeps.publish._project import TABLE, ModelProject, TensorNotes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modeldeps.publish._onnx import OnnxFile

Tensors = tuple[Tensor, ...]


def agreed_interface(project: ModelProject, opened: Mapping[str, OnnxFile]) -> tuple[Tensors, Tensors]:
    """
    Return inputs and outputs, in the order of the first variant's file.

    Raises ProjectError where variants differ, or where the table contradicts the files.
    """
    problems: list[Problem] = []
    first = next((name for name in project.default if name in opened), None)
    reference = opened[first] if first else None
    if reference is not None:
        for index, variant in enumerate(project.variants):
            if variant.name in opened:
                key = f"{TABLE}.variants[{index}]"
                problems += _differences(key, str(first), reference, opened[variant.name])
    inputs = _described(f"{TABLE}.inputs", reference.inputs if reference else (), project.inputs, problems)
    outputs = _described(
        f"{TABLE}.outputs", reference.outputs if reference else (), project.outputs, problems
    )
    if problems:
        raise ProjectError(project.file, problems)
    return inputs, outputs


def _differences(key: str, first: str, reference: OnnxFile, other: OnnxFile) -> list[Problem]:
    """Say where another variant has another interface."""
    found = []
    for kind, ours, theirs in (
        ("inputs", reference.inputs, other.inputs),
        ("outputs", reference.outputs, other.outputs),
    ):
        if len(ours) != len(theirs) or not all(map(_same, _by_name(ours), _by_name(theirs))):
            message = f"expected the {kind} of variant {first!r} ({_spell(ours)}), found {_spell(theirs)}"
            found.append(Problem(key, message))
    return found


def _by_name(tensors: Sequence[Tensor]) -> list[Tensor]:
    return sorted(tensors, key=lambda one: one.name)


def _same(ours: Tensor, theirs: Tensor) -> bool:
    """Tell whether two tensors take the same arrays; names of dimensions don't matter."""
    return (ours.name, ours.dtype, _sizes(ours.shape)) == (theirs.name, theirs.dtype, _sizes(theirs.shape))


def _sizes(shape: Sequence[int | str | None]) -> list[int | None]:
    return [one if isinstance(one, int) else None for one in shape]


def _spell(tensors: Sequence[Tensor]) -> str:
    return ", ".join(f"{one.name} {one.dtype} {list(one.shape)}" for one in tensors) or "none"


def _described(
    key: str, tensors: Tensors, notes: Mapping[str, TensorNotes], problems: list[Problem]
) -> Tensors:
    """Add what the publisher wrote; a model whose file says nothing gets its tensors from the table."""
    if not tensors:
        return tuple(_from_table(key, name, one, problems) for name, one in notes.items())
    known = {one.name for one in tensors}
    for name in notes:
        if name not in known:
            there = ", ".join(sorted(known))
            problems.append(Problem(f"{key}.{name}", f"is not in the model's file; there are {there}"))
    return tuple(_noted(key, one, notes.get(one.name, TensorNotes()), problems) for one in tensors)


def _from_table(key: str, name: str, notes: TensorNotes, problems: list[Problem]) -> Tensor:
    if not notes.dtype:
        problems.append(Problem(f"{key}.{name}.dtype", "is missing, and the model's file can't tell it"))
    return Tensor(name, notes.dtype, notes.shape or (), notes.description, notes.unit)


def _noted(key: str, tensor: Tensor, notes: TensorNotes, problems: list[Problem]) -> Tensor:
    if notes.dtype and notes.dtype != tensor.dtype:
        message = f"expected {tensor.dtype!r} as the model's file says, found {notes.dtype!r}"
        problems.append(Problem(f"{key}.{tensor.name}.dtype", message))
    shape, extra = tensor.shape, tensor.extra
    if notes.shape is not None:
        if not extra and not _fits(notes.shape, tensor.shape):
            message = f"expected {list(tensor.shape)} as the model's file says, found {list(notes.shape)}"
            problems.append(Problem(f"{key}.{tensor.name}.shape", message))
        shape, extra = notes.shape, {}
    return replace(tensor, shape=shape, description=notes.description, unit=notes.unit, extra=extra)


def _fits(asked: Sequence[int | str | None], found: Sequence[int | str | None]) -> bool:
    """Tell whether a shape only renames the free dimensions of another."""
    return _sizes(asked) == _sizes(found)
