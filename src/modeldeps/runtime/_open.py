"""Open a variant's entry file as a session of ONNX Runtime."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.errors import OpenError
from modeldeps.runtime._facts import Fails
from modeldeps.runtime._machine import PROVIDERS
from modeldeps.runtime._options import provider_options, session_options

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from onnxruntime import InferenceSession

    from modeldeps.runtime._installed import Runtime


_BROKEN = r": (NO_SUCHFILE|NO_MODEL|INVALID_PROTOBUF|INVALID_GRAPH) :"
"""Failures of the file, whatever the provider."""
_RELEASED = (
    "these are the bytes that were released; tell the publisher, and ask for another release meanwhile"
)
"""What helps where a proved file can't be opened."""
_FAILURE = r"\b(CUDA|CUDNN|CUBLAS|CUFFT) failure -?\d+: [^;]*"


@dataclass(frozen=True)
class Entry:
    """What is opened."""

    model: str
    """The release, as errors name it."""
    variant: str
    """The variant's name."""
    file: Path
    """The entry file in its materialised folder."""
    size: int
    """Bytes of the variant."""


def open_session(entry: Entry, provider: str, runtime: Runtime, options: object) -> InferenceSession | Fails:
    """
    Return a session, or why the provider does not work here after all.

    Raises OpenError where the file can't be opened by any provider, and OptionError.
    """
    onnxruntime = import_onnxruntime(entry)
    chosen = session_options(onnxruntime, options, size=entry.size)
    if provider == "cuda" and (fact := _prepare_cuda(onnxruntime, runtime)):
        return fact
    full = PROVIDERS[provider]
    providers = [(full, provider_options(options))]
    try:
        session = onnxruntime.InferenceSession(
            os.fspath(entry.file), chosen, providers=providers, enable_fallback=0
        )
    except Exception as error:
        reason = _line(error)
        if provider == "cpu" or re.search(_BROKEN, reason):
            hint = _newer(reason) or (_RELEASED if re.search(_BROKEN, reason) else None)
            raise OpenError(entry.model, entry.variant, entry.file, reason, hint=hint) from error
        return Fails(f"ONNX Runtime refused: {reason}")
    first = session.get_providers()[0]
    return session if first == full else Fails(f"ONNX Runtime took {first} without saying why")


def _prepare_cuda(onnxruntime: ModuleType, runtime: Runtime) -> Fails | None:
    from modeldeps.runtime._cuda import prepare  # noqa: PLC0415 - only builds with CUDA come here

    return prepare(onnxruntime, runtime)


def import_onnxruntime(entry: Entry) -> ModuleType:
    """
    Import onnxruntime with its telemetry off, unless the user set `ORT_DISABLE_TELEMETRY`.

    It writes a device id below the home folder when it is imported. Raises OpenError.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        reason = f"onnxruntime can't be imported: {_line(error)}"
        raise OpenError(entry.model, entry.variant, entry.file, reason) from error
    module: ModuleType = onnxruntime
    return module


def _line(error: BaseException) -> str:
    """Return the first line of what ONNX Runtime said, or what it says of CUDA in the midst of it."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    found = re.search(_FAILURE, line)
    return found[0].strip() if found else line


def _newer(reason: str) -> str | None:
    """Return a hint where the file asks for more than this ONNX Runtime knows."""
    marks = ("Unsupported model IR version", "ONNX Runtime only *guarantees* support", "is not a registered")
    return "pip install --upgrade onnxruntime" if any(one in reason for one in marks) else None
