"""The floors that are written into wheels, held against really installed versions of ONNX Runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import runtime_probe
from onnx import TensorProto, helper  # noqa: TID253 - a test module may be heavy
from release_models import write

from modeldeps.publish._floor import CONTRIBUTED, TABLE, runtime_floor

MISSING = "is not a registered function/op"
"""What ONNX Runtime says about an operator that it does not know."""


def _stamped(folder: Path, ir_version: int, opset: int, ml: int) -> Path:
    """Write a model of one node with the stamps of a row."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)
    return write(folder / f"stamps-{ir_version}-{opset}-{ml}.onnx", model)


def _contributed(folder: Path, name: str) -> Path:
    """Write a model of one node with an operator of ONNX Runtime; it need not be a valid one."""
    x, y = (helper.make_tensor_value_info(one, TensorProto.FLOAT, ["n"]) for one in "xy")
    graph = helper.make_graph(
        [helper.make_node(name, ["x"] * 3, ["y"], domain="com.microsoft")], "g", [x], [y]
    )
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid("com.microsoft", 1)]
    return write(
        folder / f"operator-{name}.onnx", helper.make_model(graph, opset_imports=opsets, ir_version=7)
    )


def _hold_against(python: str, folder: Path) -> tuple[int, int]:
    """Open models of every row and some operators, compare with the floors, return the version."""
    rows = {str(_stamped(folder, *row[1:])): row.runtime for row in TABLE}
    rows |= {
        str(_stamped(folder, row.ir_version, row.opset, row.ml)): runtime_floor(
            row.ir_version, {"ai.onnx": row.opset, "ai.onnx.ml": row.ml}
        )
        for row in TABLE
    }
    rows |= {
        str(_contributed(folder, name)): CONTRIBUTED[name]
        for name in ("MatMulNBits", "MoE", "QMoE", "PagedAttention")
    }
    words = [python, str(Path(runtime_probe.__file__)), *rows]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder).stdout)
    major, minor = (int(part) for part in found["version"].split(".")[:2])
    for path, floor in rows.items():
        error = found["errors"][path]
        opened = MISSING not in error if "operator-" in path else not error
        assert opened == (floor <= (major, minor)), f"{path} with {found['version']}: {error or 'opened'}"
    return major, minor


def test_the_installed_runtime_opens_what_its_version_promises(tmp_path: Path) -> None:
    assert _hold_against(sys.executable, tmp_path) >= (1, 20)


@pytest.mark.installers
@pytest.mark.parametrize("version", ["1.16", "1.17", "1.20", "1.21"])
def test_old_runtimes_open_what_their_version_promises(tmp_path: Path, version: str) -> None:
    numbers = tuple(int(part) for part in version.split("."))
    if numbers < (1, 17) and sys.version_info >= (3, 12):
        pytest.skip("onnxruntime 1.16 has no wheels for this Python")
    if numbers < (1, 20) and sys.version_info >= (3, 13):
        pytest.skip("onnxruntime before 1.20 has no wheels for this Python")
    environment = tmp_path / "venv"
    uv = [sys.executable, "-m", "uv"]
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    numpy = "numpy<2" if numbers < (1, 19) else "numpy"
    for words in (
        [*uv, "venv", "--quiet", "--python", sys.executable, str(environment)],
        [*uv, "pip", "install", "--quiet", "--python", str(python), f"onnxruntime=={version}.*", numpy],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert _hold_against(str(python), tmp_path) == numbers
