"""A channel with the three real digits releases, made once a session, and a stand-in for ONNX Runtime."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from installers import ROOT, once
from releases import pack, record_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

VERSIONS = ("2.0.0", "2.1.0", "3.0.0")


def digits_channel(factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the channel; tests that change it take a copy."""
    shared = factory.getbasetemp()
    return once((shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "digits-channel", _fill)


def _fill(folder: Path) -> None:
    from modeldeps.publish import build_release  # noqa: PLC0415 - imports onnx
    from modeldeps.publish.channel import publish  # noqa: PLC0415 - as above

    for version in VERSIONS:
        dist = folder.with_name(f"{folder.name}-{version}")
        build_release(ROOT / "fixtures" / "digits" / version, dist)
        publish(dist, folder)


def stand_in_runtime(folder: Path, version: str = "1.20.0", name: str = "onnxruntime") -> Path:
    """Write a wheel that is called like a runtime and holds nothing: solvers look no further."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{info}/RECORD"] = record_of(contents, f"{info}/RECORD")
    (folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl").write_bytes(pack(contents))
    return folder
