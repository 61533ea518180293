"""The last steps of the ladder: CUDA's libraries, and a session that really runs on CUDA."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import modeldeps
from modeldeps.runtime import Fails, Runtime, Works, installed, machine
from modeldeps.runtime._cuda import LIBRARIES, prepare

if TYPE_CHECKING:
    import numpy as np
    from machines import CompileDriver, Installed, LayWheel
    from numpy.typing import NDArray

onnxruntime = pytest.importorskip("onnxruntime")

PROGRAM = """
import sys
import modeldeps
try:
    model = modeldeps.load("digits", provider=sys.argv[1])
    print(model.provider)
    print(model.decision)
except modeldeps.ModelDepsError as error:
    print(type(error).__name__)
    print(error)
"""


def test_a_provider_library_that_can_t_be_loaded_is_told_without_a_word_from_onnxruntime(
    lay_wheel: LayWheel, capfd: pytest.CaptureFixture[str]
) -> None:
    runtime = installed([str(lay_wheel())])
    assert isinstance(runtime, Runtime)
    fact = prepare(onnxruntime, runtime)
    assert isinstance(fact, Fails)
    assert fact.reason.startswith("the CUDA provider can't be loaded: ")
    assert fact.hint == LIBRARIES
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def gpu_look(tmp_path: Path, compile_driver: CompileDriver) -> Path:
    """
    Return a site folder with the real CPU runtime, dressed as a GPU build whose libraries all load.

    So every step of the ladder is passed but the last: the session runs on the CPU.
    """
    real = Path(onnxruntime.__file__).parent
    site = tmp_path / "gpu"
    for file in real.rglob("*"):
        target = site / "onnxruntime" / file.relative_to(real)
        if file.is_dir() or file.suffix == ".pyc":
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(file)
    capi = site / "onnxruntime" / "capi"
    (capi / "build_and_package_info.py").unlink(missing_ok=True)
    (capi / "build_and_package_info.py").write_text(
        f"package_name = 'onnxruntime-gpu'\n__version__ = '{onnxruntime.__version__}'\n"
        "cuda_version = '13.0'\n"
    )
    shutil.copy(compile_driver(), capi / "libonnxruntime_providers_cuda.so")
    return site


def load_with(site: Path, digits: Installed, driver: Path, provider: str) -> list[str]:
    environ = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    environ |= {"PYTHONPATH": f"{site}{os.pathsep}{digits.site}", "LD_LIBRARY_PATH": str(driver.parent)}
    words = [sys.executable, "-W", "ignore", "-c", PROGRAM, provider]
    ran = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="LD_LIBRARY_PATH is Linux's")
def test_a_session_that_is_not_on_cuda_after_all_is_an_error_where_cuda_was_asked_for(
    digits: Installed, gpu_look: Path, compile_driver: CompileDriver
) -> None:
    said = load_with(gpu_look, digits, compile_driver(), "cuda")
    assert said[0] == "ProviderUnavailableError"
    assert "fp32 on cuda: ONNX Runtime took CPUExecutionProvider without saying why" in said[2]


@pytest.mark.skipif(sys.platform != "linux", reason="LD_LIBRARY_PATH is Linux's")
def test_a_session_that_is_not_on_cuda_after_all_leaves_its_reason_in_the_decision(
    digits: Installed, gpu_look: Path, compile_driver: CompileDriver
) -> None:
    said = load_with(gpu_look, digits, compile_driver(), "auto")
    assert said[0] == "cpu"
    assert said[1].split(maxsplit=4)[:4] == ["rejected", "fp32", "on", "cuda"]
    assert "ONNX Runtime took CPUExecutionProvider" in said[1]


@pytest.fixture
def device() -> Works:
    fact = machine(["cuda"]).providers.get("cuda", Fails("no onnxruntime is installed"))
    if isinstance(fact, Fails):
        pytest.skip(fact.reason)
    return fact


@pytest.mark.cuda
def test_a_model_runs_on_a_real_device_and_agrees_with_the_cpu(
    device: Works, digits: Installed, held_out: tuple[NDArray[np.float32], NDArray[np.int64]]
) -> None:
    images, _ = held_out
    model = modeldeps.load("digits", provider="cuda")
    assert model.provider == "cuda"
    assert model.session.get_providers()[0] == "CUDAExecutionProvider"
    expected = modeldeps.load("digits", provider="cpu").run(image=images)["probabilities"]
    assert abs(model.run(image=images)["probabilities"] - expected).max() < 1e-3


@pytest.mark.cuda
def test_a_real_device_is_taken_without_being_asked_for(device: Works, digits: Installed) -> None:
    model = modeldeps.load("digits")
    assert (model.provider, model.variant) == ("cuda", "fp32")
    assert model.decision.chosen is not None
    assert model.decision.chosen.reason == device.detail
