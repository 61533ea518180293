"""
Print which of some ONNX files the installed ONNX Runtime opens, as JSON; run in another environment.

    python runtime_probe.py FILE…
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main(paths: list[str]) -> None:
    """Open each file."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    found = {}
    for path in paths:
        found[path] = _error(onnxruntime, path)
    sys.stdout.write(json.dumps({"version": onnxruntime.__version__, "errors": found}))


def _error(onnxruntime: Any, path: str) -> str:
    """Open a file on the CPU, and return what went wrong."""
    try:
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime has no common class of errors
        return str(error)
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
