"""Golden examples: compute outputs where only inputs are given, check every variant against them."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from modeldeps.errors import BuildToolError, ExampleError, GoldenOutputError
from modeldeps.manifest import Tensor, Tolerance
from modeldeps.publish._npz import npz_bytes
from modeldeps.publish._session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from modeldeps.progress import Reporter
    from modeldeps.publish._project import ExamplePlan, VariantPlan

Arrays: TypeAlias = "Mapping[str, NDArray[Any]]"

SAVEZ = "numpy.savez(FILE, NAME=array)"
UNREADABLE = (
    *(EOFError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What numpy and zipfile raise about a file that is no npz, or a damaged one."""
CLOSE = Tolerance(rtol=1e-3, atol=1e-5)
"""What a float output may differ by where the publisher does not say."""
EXACT = Tolerance(rtol=0.0, atol=0.0)
"""Likewise for every other output."""


@dataclass(frozen=True)
class Golden:
    """A checked example."""

    tolerances: Mapping[str, Tolerance]
    """By output; every output has one."""
    computed: bytes | None
    """The outputs as an npz, where they were computed here."""


def check_example(
    plan: ExamplePlan,
    folder: Path,
    *,
    variants: Sequence[VariantPlan],
    interface: tuple[Sequence[Tensor], Sequence[Tensor]],
    reporter: Reporter,
) -> Golden:
    """
    Run each ONNX variant on an example, in the publisher's order; the first gives missing outputs.

    Raises ExampleError, GoldenOutputError, and BuildToolError where outputs must be computed and
    onnxruntime is not installed.
    """
    inputs, outputs = interface
    feed = _read(plan, folder / plan.inputs)
    _fits(plan, feed, inputs, "input")
    golden = _read(plan, folder / plan.outputs) if plan.outputs else None
    if golden is not None and outputs:
        _fits(plan, golden, outputs, "output")
    computed = None
    for variant, found in _runs(plan, folder, variants, feed=feed, reporter=reporter, needed=golden is None):
        if golden is None:
            golden, computed = found, npz_bytes(found)
        _agree(plan, variant.name, golden, found)
    if golden is None:
        raise ExampleError(plan.name, "no outputs, and no ONNX variant that could compute them")
    tolerances = {name: plan.tolerances.get(name) or _default(golden[name]) for name in sorted(golden)}
    return Golden(tolerances, computed)


def _read(plan: ExamplePlan, path: Path) -> Arrays:
    """Read an npz without running what is in it. Raises ExampleError."""
    try:
        import numpy as np
    except ImportError:
        raise BuildToolError("numpy", "to read the golden examples") from None
    try:
        with path.open("rb") as stream:  # numpy leaves a damaged file open
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ExampleError(plan.name, f"{path.name} is no npz file", hint=SAVEZ)
            return {name: archive[name] for name in archive.files}
    except UNREADABLE as error:
        reason = f"{path.name} can't be read: {(str(error).splitlines() or [type(error).__name__])[0]}"
        raise ExampleError(plan.name, reason, hint=SAVEZ) from None


def _fits(plan: ExamplePlan, arrays: Arrays, tensors: Sequence[Tensor], kind: str) -> None:
    """Compare names, element types and shapes with the interface, and say everything that differs."""
    wanted = {one.name: one for one in tensors}
    wrong = [f"no {kind} {name!r} in the file" for name in wanted if name not in arrays]
    wrong += [f"{name!r} is no {kind} of the model" for name in arrays if name not in wanted]
    for name, array in arrays.items():
        if name in wanted and (reason := _misfit(array, wanted[name])):
            wrong.append(f"{kind} {name!r}: {reason}")
    if wrong:
        expected = ", ".join(f"{one.name} {one.dtype} {list(one.shape)}" for one in tensors)
        raise ExampleError(plan.name, "\n".join(wrong), hint=f"the {kind}s of the model are {expected}")


def _misfit(array: NDArray[Any], tensor: Tensor) -> str | None:
    found = "string" if array.dtype.kind in "US" else array.dtype.name
    if found != tensor.dtype:
        return f"expected {tensor.dtype}, found {found}"
    if tensor.extra.get("any_shape"):
        return None
    if len(array.shape) != len(tensor.shape) or any(
        isinstance(size, int) and size != there
        for size, there in zip(tensor.shape, array.shape, strict=False)
    ):
        return f"expected shape {list(tensor.shape)}, found {list(array.shape)}"
    return None


def _runs(  # noqa: PLR0913 - two of them are only for the words of an error
    plan: ExamplePlan,
    folder: Path,
    variants: Sequence[VariantPlan],
    *,
    feed: Arrays,
    reporter: Reporter,
    needed: bool,
) -> Iterator[tuple[VariantPlan, Arrays]]:
    """Yield what each ONNX variant computes on the CPU."""
    wanted = [one for one in variants if one.format == "onnx"]
    if wanted and find_spec("onnxruntime") is None:
        if needed:
            raise BuildToolError("onnxruntime", "to compute golden outputs")
        reporter.note("onnxruntime isn't installed: golden outputs were not checked")
        return
    for variant in wanted:
        found = _attempt(plan, folder / variant.entry, feed)
        if not isinstance(found, str):
            yield variant, found
            needed = False
            continue
        reason = f"variant {variant.name!r} does not run on the CPU here: {found}"
        if needed or not variant.providers or "cpu" in variant.providers:
            raise ExampleError(plan.name, reason)
        reporter.note(f"{reason}; its golden outputs were not checked")


def _attempt(plan: ExamplePlan, path: Path, feed: Arrays) -> Arrays | str:
    """Return what a file computes, or why it does not. Raises ExampleError for outputs that no npz holds."""
    try:
        found = _run(path, feed)
    except Exception as error:  # noqa: BLE001 - onnxruntime has no common class of errors
        return (str(error).splitlines() or [type(error).__name__])[0][:300]
    return {name: _as_array(plan, name, value) for name, value in found.items()}


def _run(path: Path, feed: Arrays) -> Mapping[str, Any]:
    session = open_session(path)
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feed)), strict=True))


def _as_array(plan: ExamplePlan, name: str, value: Any) -> NDArray[Any]:  # noqa: ANN401 - of any kind
    import numpy as np

    if not isinstance(value, np.ndarray):
        raise ExampleError(plan.name, f"output {name!r} is no tensor, and examples hold only tensors")
    return value.astype(np.str_) if value.dtype == object else value


def _default(array: NDArray[Any]) -> Tolerance:
    return CLOSE if array.dtype.kind == "f" else EXACT


def _agree(plan: ExamplePlan, variant: str, golden: Arrays, found: Arrays) -> None:
    """Compare every golden output with what a variant computed. Raises GoldenOutputError."""
    for name, expected in golden.items():
        given = plan.overrides.get(variant, {}).get(name) or plan.tolerances.get(name)
        tolerance = given or _default(expected)
        if name not in found:
            continue  # the interface was compared before
        if reason := difference(expected, found[name], tolerance):
            raise GoldenOutputError(plan.name, variant, name, allowed=spell(tolerance), found=reason)


def difference(expected: NDArray[Any], found: NDArray[Any], tolerance: Tolerance) -> str | None:
    """Say by how much an output is off, or None where it is within its tolerance."""
    import numpy as np

    if expected.shape != found.shape:
        return f"shape {list(found.shape)} for {list(expected.shape)}"
    if expected.dtype.kind in "USO" or found.dtype.kind in "USO":
        wrong = int((expected.astype(str) != found.astype(str)).sum())
        return f"{wrong} of {expected.size} texts differ" if wrong else None
    if tolerance.top_1:
        wrong = int((expected.argmax(axis=-1) != found.argmax(axis=-1)).sum()) if expected.size else 0
        return f"another largest value in {wrong} places" if wrong else None
    close = np.isclose(
        found, expected, rtol=tolerance.rtol or 0.0, atol=tolerance.atol or 0.0, equal_nan=True
    )
    if close.all():
        return None
    apart = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    return f"{int((~close).sum())} of {close.size} values are off, the largest by {np.nanmax(apart):.3g}"


def spell(tolerance: Tolerance) -> str:
    """Return a tolerance in words."""
    if tolerance.top_1:
        return "the largest value in the same places"
    return f"rtol {tolerance.rtol or 0.0:g}, atol {tolerance.atol or 0.0:g}"
