"""What an ONNX file says: its interface, what it needs of a runtime, and where its weights lie."""

from __future__ import annotations

import mmap
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modeldeps.errors import BuildToolError, CorruptModelError
from modeldeps.manifest import Tensor, _checks
from modeldeps.publish._session import open_session
from modeldeps.publish._wire import Survey, Weights, survey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from onnx import ModelProto, TypeProto, ValueInfoProto
    from onnx.checker import ValidationError

_DTYPES = {"FLOAT": "float32", "DOUBLE": "float64"}
"""Where numpy's name of an element type is not ONNX's in lower case."""

BUILT_IN = frozenset(
    {
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.preview",
        "ai.onnx.preview.training",
        "ai.onnx.training",
        "com.microsoft",
    }
)
"""Domains whose operators ONNX Runtime has."""

GRAPH = 7
"""Field number of the graph in a ModelProto."""


@dataclass(frozen=True)
class OnnxFile:
    """What was read from one ONNX file."""

    inputs: tuple[Tensor, ...]
    """Without those that only give a weight its default."""
    outputs: tuple[Tensor, ...]
    ir_version: int
    opsets: Mapping[str, int]
    """By domain; ONNX's own is `ai.onnx`."""
    operators: frozenset[tuple[str, str]]
    """Domain and type of every node."""
    custom: tuple[str, ...] = ()
    """Domains of operators that are neither ONNX's, nor ONNX Runtime's, nor functions of the file."""
    precision: str = ""
    """`fp32`, `fp16`, …: what most bytes of its weights are; empty where there are none."""


def read_onnx(path: Path) -> OnnxFile:
    """
    Read a file's interface and stamps.

    Raises CorruptModelError where it is no whole ONNX file, BuildToolError without the onnx package, OSError.
    """
    found = survey_file(path)
    model = _load(path)
    _known(path, model)
    _check(path)
    try:
        return _described(model, found)
    except UnicodeDecodeError as error:
        raise CorruptModelError(path, f"bytes that are not protobuf: {error}") from None


def _described(model: ModelProto, found: Survey) -> OnnxFile:
    """Collect what a checked model says. Raises UnicodeDecodeError for a name that is no text."""
    weights = {one.name for one in model.graph.initializer}
    weights |= {one.values.name for one in model.graph.sparse_initializer}
    opsets = sorted((_text(one.domain), one.version) for one in model.opset_import)
    return OnnxFile(
        inputs=tuple(_tensor(one) for one in model.graph.input if one.name not in weights),
        outputs=tuple(_tensor(one) for one in model.graph.output),
        ir_version=model.ir_version,
        opsets={domain or "ai.onnx": version for domain, version in opsets},
        operators=frozenset(found.operators),
        custom=_custom(model, found),
        precision=_precision(found.weights),
    )


def _text(value: str | bytes) -> str:
    """Return a text of a message; protobuf gives bytes where they are not UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8")


def _custom(model: ModelProto, found: Survey) -> tuple[str, ...]:
    own = {(one.domain, one.name) for one in model.functions}
    domains = {one[0] for one in found.operators - own}
    return tuple(
        sorted(one for one in domains if one not in BUILT_IN and not one.startswith("com.microsoft."))
    )


def survey_file(path: Path) -> Survey:
    """
    Walk an ONNX file without opening it as one; no further package is needed.

    Raises CorruptModelError and OSError.
    """
    with path.open("rb") as stream:
        if stream.seek(0, 2) == 0:
            raise CorruptModelError(path, "an empty file")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            found = _walk(mapped)
    if isinstance(found, str):
        raise CorruptModelError(path, f"bytes that are not protobuf: {found}")
    if GRAPH not in found.messages:
        raise CorruptModelError(path, "a file without a graph")
    _sizes_fit(path, found.weights)
    return found


def _walk(mapped: mmap.mmap) -> Survey | str:
    """Walk a mapped file, or say why it can't be; an error that left here would hold the mapping open."""
    try:
        return survey(memoryview(mapped))
    except ValueError as error:
        return str(error)


def external_files(path: Path, found: Survey) -> Mapping[str, Sequence[Weights]]:
    """
    Return the tensors of each external file, by its path relative to the ONNX file's folder.

    Raises CorruptModelError for a place outside that folder, and for a file that is absent or too short.
    """
    files: dict[str, list[Weights]] = {}
    for one in found.weights:
        if one.location:
            files.setdefault(posixpath.normpath(one.location), []).append(one)
    for location, tensors in files.items():
        _external_is_there(path, location, tensors)
    return files


def _external_is_there(path: Path, location: str, tensors: Sequence[Weights]) -> None:
    expected = "external data inside the folder of the model"
    if reason := _checks.path(location):
        raise CorruptModelError(path, f"external data at {location!r}: {reason}", expected=expected)
    file = path.parent / location
    if not file.is_file():
        raise CorruptModelError(path, f"no file {location}", expected=expected)
    end = max(one.start + one.length for one in tensors)
    size = file.stat().st_size
    if end > size:
        raise CorruptModelError(file, f"{size} bytes", expected=f"{end} bytes, as {path.name} says")


PRECISIONS = {1: "fp32", 2: "int8", 3: "int8", 10: "fp16", 11: "fp64", 16: "bf16", 21: "int4", 22: "int4"}
"""By TensorProto.DataType."""


def _precision(weights: Sequence[Weights]) -> str:
    """Return the precision that most bytes have."""
    sizes: dict[str, int] = {}
    for one in weights:
        if one.kind in PRECISIONS:
            name = PRECISIONS[one.kind]
            sizes[name] = sizes.get(name, 0) + one.length
    return max(sizes, key=lambda name: sizes[name], default="")


def _sizes_fit(path: Path, weights: Sequence[Weights]) -> None:
    """Refuse a tensor with more or fewer bytes than its shape asks for."""
    for one in weights:
        if one.expected is not None and one.expected != one.length:
            found = f"tensor {one.name!r} with {one.length} bytes"
            raise CorruptModelError(path, found, expected=f"{one.expected} bytes, as its shape and type say")


def _load(path: Path) -> ModelProto:
    try:
        import onnx
    except ImportError:
        raise BuildToolError("onnx", "to read the interface of an ONNX file") from None
    try:
        return onnx.load(str(path), load_external_data=False)
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # protobuf's own, which has no types to import
            raise
        raise CorruptModelError(path, f"bytes that are not protobuf: {error}") from None


def _check(path: Path) -> None:
    """
    Let onnx check the structure of the graph.

    It refuses some files that ONNX Runtime opens, such as those with an input of unknown rank: taken too.
    """
    from onnx.checker import ValidationError, check_model

    try:
        check_model(str(path))
    except (ValidationError, UnicodeDecodeError) as error:
        if not _opens(path):
            raise CorruptModelError(path, _first_line(error)) from None


def _first_line(error: ValidationError | UnicodeDecodeError) -> str:
    """Return what onnx says; where it quotes broken text, that is UnicodeDecodeError or nothing."""
    words = (
        error.object.decode(errors="backslashreplace")
        if isinstance(error, UnicodeDecodeError)
        else str(error)
    )
    return next(iter(words.splitlines()), "a graph that the checker of onnx refuses")


def _known(path: Path, model: ModelProto) -> None:
    """Refuse a file that is newer than the onnx package here, which could not check it."""
    import onnx

    opset = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)
    for name, found, known in (
        ("IR version", model.ir_version, onnx.IR_VERSION),
        ("opset", opset, onnx.defs.onnx_opset_version()),
    ):
        if found > known:
            expected = f"{name} {known} at most, which onnx {onnx.__version__} knows"
            raise CorruptModelError(
                path, f"{name} {found}", expected=expected, hint="pip install --upgrade onnx"
            )


def _opens(path: Path) -> bool:
    try:
        open_session(path)
    except Exception:  # noqa: BLE001 - onnxruntime has no common class of errors, and may not be installed
        return False
    return True


def _tensor(value: ValueInfoProto) -> Tensor:
    """Return one input or output; what is no tensor has its kind as its dtype, and no shape."""
    name, kind = _text(value.name), value.type.WhichOneof("value") or ""
    if kind not in ("tensor_type", "sparse_tensor_type"):
        return Tensor(name, kind.removesuffix("_type") or "unknown", extra={"any_shape": True})
    found: Any = getattr(value.type, kind)
    if not found.HasField("shape"):
        return Tensor(name, _dtype(found.elem_type), extra={"any_shape": True})
    return Tensor(name, _dtype(found.elem_type), _shape(found))


def _shape(found: TypeProto.Tensor) -> tuple[int | str | None, ...]:
    return tuple(_dimension(one) for one in found.shape.dim)


def _dimension(one: Any) -> int | str | None:  # noqa: ANN401 - a TensorShapeProto.Dimension
    """Return a size or a name; a negative size and a name that can't be shown are free and unnamed."""
    if one.WhichOneof("value") == "dim_value":
        return one.dim_value if one.dim_value >= 0 else None
    name = _text(one.dim_param)
    return name if name and _checks.filled_line(name) is None else None


def _dtype(number: int) -> str:
    """Return numpy's name of an element type, or ml_dtypes' name where numpy has none."""
    from onnx import TensorProto

    if number not in TensorProto.DataType.values():
        return "unknown"
    name: str = TensorProto.DataType.Name(number)
    return _DTYPES.get(name, name.lower())
