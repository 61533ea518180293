"""Open an ONNX file with ONNX Runtime while a release is made."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def open_session(path: Path) -> Any:  # noqa: ANN401 - onnxruntime has no types
    """
    Open a file on the CPU, with one thread, so that sums are added in one order.

    Raises ImportError where onnxruntime is not installed, and whatever it raises about the file.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
