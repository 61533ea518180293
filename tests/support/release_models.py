"""ONNX files and model projects in the making, for the tests of releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253 - a test module may be heavy
import onnx  # noqa: TID253 - likewise
from onnx import TensorProto, helper, numpy_helper  # noqa: TID253 - likewise

if TYPE_CHECKING:
    from pathlib import Path

BUILD_SYSTEM = '[build-system]\nrequires = ["modeldeps"]\nbuild-backend = "modeldeps.backend"\n'
IDENTITY = {"name": '"tiny"', "version": '"1.0.0"', "summary": '"A tiny model"', "license": '"MIT"'}


def scaled(
    factor: float = 2.0, *, opset: int = 17, ir_version: int = 8, dtype: int = TensorProto.FLOAT
) -> onnx.ModelProto:
    """Return a model that multiplies `x` [n, 3] by a weight."""
    weight = np.full(3, factor, helper.tensor_dtype_to_np_dtype(dtype))
    x = helper.make_tensor_value_info("x", dtype, ["n", 3])
    y = helper.make_tensor_value_info("y", dtype, ["n", 3])
    node = helper.make_node("Mul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(weight, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def layers(*sizes: int, seed: int = 0) -> onnx.ModelProto:
    """Return a model with one vector of float32 weights of each size, added up along the graph."""
    random = np.random.default_rng(seed)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])
    nodes, weights, last = [], [], "x"
    for index, size in enumerate(sizes):
        weights.append(numpy_helper.from_array(random.standard_normal(size).astype(np.float32), f"w{index}"))
        nodes.append(helper.make_node("ReduceSum", [f"w{index}"], [f"s{index}"], keepdims=0))
        nodes.append(helper.make_node("Add", [last, f"s{index}"], [f"l{index}"]))
        last = f"l{index}"
    y = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", 1])
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(path: Path, model: onnx.ModelProto) -> Path:
    """Write a model's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def project(folder: Path, table: str = "", *, variants: str | None = None, **identity: str) -> Path:
    """Write a model project's pyproject.toml around `model.onnx`; values are TOML."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = "\n".join(f"{key} = {value}" for key, value in {**IDENTITY, **identity}.items() if value)
    rest = 'variants = [{ name = "fp32", entry = "model.onnx" }]' if variants is None else variants
    head = f"{BUILD_SYSTEM}\n[tool.modeldeps.model]\n"
    (folder / "pyproject.toml").write_text(f"{head}{keys}\n{rest}\n{table}\n", "utf-8")
    return folder


def savez(path: Path, **arrays: Any) -> Path:
    """Write an npz file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path
