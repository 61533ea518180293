"""Refuse files that run code in whoever opens them, and say what to convert them to."""

from __future__ import annotations

import pickletools
import re
import zipfile
import zlib
from typing import TYPE_CHECKING

from modeldeps.errors import RefusedFormatError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 4096
"""Bytes that tell a format."""
MAX_OLD = 1 << 20
"""Bytes of a file that is read as a pickle of the protocols 0 and 1, which have no mark at their start."""
MAX_CONFIG = 16 << 20
"""Bytes of a Keras configuration that are searched."""

TORCH = (
    'torch.onnx.export(model, (example,), "model.onnx", dynamo=True), or '
    'safetensors.torch.save_file(model.state_dict(), "model.safetensors")'
)
SKLEARN = 'skl2onnx.to_onnx(model, X[:1]).SerializeToString(), written to "model.onnx"'
KERAS = 'model.export("model.onnx", format="onnx"), after replacing Lambda layers by layers with names'

BY_ENDING = {
    ".pt": ("a PyTorch file, which holds a pickle", TORCH),
    ".pth": ("a PyTorch file, which holds a pickle", TORCH),
    ".ckpt": ("a checkpoint, which holds a pickle", TORCH),
    ".pkl": ("a pickle", SKLEARN),
    ".pickle": ("a pickle", SKLEARN),
    ".joblib": ("a joblib file, which holds a pickle", SKLEARN),
    ".dill": ("a pickle", SKLEARN),
    ".cloudpickle": ("a pickle", SKLEARN),
}
"""What a file's name tells: the kind of file, and the conversion that works."""

_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_LAMBDA = re.compile(rb'"class_name":\s*"Lambda"')


def refuse_code(path: Path) -> None:
    """
    Look at a file's name and first bytes.

    Raises RefusedFormatError for pickles and what is made of them (PyTorch, joblib, numpy arrays of
    objects), and for Keras models with Lambda layers. Raises OSError.
    """
    if known := BY_ENDING.get(path.suffix.lower()):
        raise RefusedFormatError(path, *known)
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    if _PICKLE.match(head) or _is_old_pickle(path):
        raise RefusedFormatError(path, "a pickle", TORCH if path.suffix == ".bin" else SKLEARN)
    if head.startswith(b"\x93NUMPY") and b"'descr': '|O'" in head:
        raise RefusedFormatError(
            path, "a numpy array of objects, which is a pickle", "save an array of numbers"
        )
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        with path.open("rb") as stream:
            _refuse_lambda(path, stream.read(MAX_CONFIG))
    if head.startswith(b"PK\x03\x04"):
        _refuse_archive(path)


def _is_old_pickle(path: Path) -> bool:
    """Tell whether a small file decodes as a pickle from its first byte to its last; nothing of it is run."""
    if not 1 < path.stat().st_size <= MAX_OLD:
        return False
    data = path.read_bytes()
    try:
        *_, last = pickletools.genops(data)
    except Exception:  # noqa: BLE001 - pickletools raises whatever the bytes lead to
        return False
    return last[0].name == "STOP" and last[2] == len(data) - 1


def _refuse_archive(path: Path) -> None:
    """Look into a zip archive: PyTorch's has `…/data.pkl`, numpy's `.npy` files, Keras's a `config.json`."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith((".pkl", ".pickle")):
                    raise RefusedFormatError(path, f"an archive with the pickle {name!r}", TORCH)
                if name == "config.json" or name.endswith(".npy"):
                    with archive.open(name) as member:
                        content = member.read(MAX_CONFIG if name == "config.json" else HEAD)
                    _refuse_lambda(path, content)
                    if b"'descr': '|O'" in content[:HEAD]:
                        raise RefusedFormatError(path, "numpy arrays of objects", "save arrays of numbers")
    except (EOFError, NotImplementedError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error):
        return  # damaged, encrypted or packed in an odd way: not an archive that a model's reader would open


def _refuse_lambda(path: Path, content: bytes) -> None:
    if _LAMBDA.search(content):
        raise RefusedFormatError(path, "a Keras model with a Lambda layer, which holds Python code", KERAS)
