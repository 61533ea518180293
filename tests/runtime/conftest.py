"""Layouts of onnxruntime wheels, and a CUDA driver library that answers as it is told."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from machines import FIXTURES, Installed, install_digits

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from machines import CompileDriver, LayWheel
    from numpy.typing import NDArray

DRIVER = """
int cuDriverGetVersion(int *version) { *version = VERSION; return VERSION_RESULT; }
int cuInit(unsigned int flags) { return flags ? 1 : INIT_RESULT; }
int cuDeviceGetCount(int *count) { *count = COUNT; return COUNT_RESULT; }
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def lay_wheel(site: Path) -> LayWheel:
    def lay(
        distribution: str = "onnxruntime-gpu",
        version: str = "1.31.1",
        *,
        cuda: str = "13.0",
        library: bool = True,
        build_info: bool = True,
    ) -> Path:
        capi = site / "onnxruntime" / "capi"
        capi.mkdir(parents=True, exist_ok=True)
        (capi.parent / "__init__.py").write_text(f'"""ONNX Runtime"""\n\n__version__ = "{version}"\n')
        info = [f"package_name = '{distribution}'", f"__version__ = '{version}'"]
        info += [f"cuda_version = '{cuda}'"] if "gpu" in distribution and cuda else []
        if build_info:
            (capi / "build_and_package_info.py").write_text("\n".join(info) + "\n")
        if "gpu" in distribution and library:
            (capi / "libonnxruntime_providers_cuda.so").write_bytes(b"not a library")
            (capi / "onnxruntime_providers_cuda.dll").write_bytes(b"not a library")
        (site / f"{distribution.replace('-', '_')}-{version}.dist-info").mkdir()
        return site

    return lay


@pytest.fixture
def compile_driver(tmp_path: Path) -> CompileDriver:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to make a driver library with")

    def compile_(
        *, version: int = 13000, version_result: int = 0, init: int = 0, count: int = 1, count_result: int = 0
    ) -> Path:
        folder = tmp_path / "driver"
        folder.mkdir(exist_ok=True)
        source, library = folder / "driver.c", folder / "libcuda.so.1"
        source.write_text(DRIVER)
        answers = {
            "VERSION": version,
            "VERSION_RESULT": version_result,
            "INIT_RESULT": init,
            "COUNT": count,
            "COUNT_RESULT": count_result,
        }
        defines = [f"-D{name}={value}" for name, value in answers.items()]
        subprocess.run([compiler, "-shared", "-fPIC", *defines, "-o", library, source], check=True)
        return library

    return compile_


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Install digits 2.1.0 for this process, its bytes still in the channel."""
    found = install_digits(tmp_path)
    monkeypatch.syspath_prepend(str(found.site))
    monkeypatch.setenv("MODELDEPS_CHANNELS", str(found.channel))
    return found


@pytest.fixture
def held_out() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images of digits that the model has not seen, and what they are."""
    import numpy as np

    with np.load(FIXTURES / "digits" / "app" / "digits_held_out.npz") as found:
        return found["images"].astype(np.float32), found["labels"]
