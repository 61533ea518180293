"""The ladder says why CUDA does not work, before anybody asks ONNX Runtime for it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modeldeps.runtime import Fails, Runtime, Works, installed
from modeldeps.runtime._cuda import ERRORS, probe

if TYPE_CHECKING:
    from pathlib import Path

    from machines import CompileDriver, LayWheel

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="there is no CUDA on macOS")


@pytest.fixture
def gpu(lay_wheel: LayWheel) -> Runtime:
    found = installed([str(lay_wheel())])
    assert isinstance(found, Runtime)
    return found


def refused(runtime: Runtime, driver: Path | None = None, **environ: str) -> Fails:
    fact = probe(runtime, environ=environ, driver=None if driver is None else str(driver))
    assert isinstance(fact, Fails)
    return fact


def test_the_cpu_build_is_refused_with_the_wheel_that_has_cuda(lay_wheel: LayWheel) -> None:
    runtime = installed([str(lay_wheel("onnxruntime"))])
    assert isinstance(runtime, Runtime)
    fact = refused(runtime)
    assert fact.reason == "onnxruntime 1.31.1 is the CPU build"
    assert fact.hint == 'pip uninstall -y onnxruntime && pip install "onnxruntime-gpu[cuda,cudnn]"'


def test_a_lost_provider_library_is_named(lay_wheel: LayWheel) -> None:
    runtime = installed([str(lay_wheel(library=False))])
    assert isinstance(runtime, Runtime)
    assert "has lost" in refused(runtime).reason


@pytest.mark.parametrize("value", ["", "-1", "none", "-1,0", " "])
def test_hidden_devices_are_told_by_their_variable(gpu: Runtime, value: str) -> None:
    fact = refused(gpu, CUDA_VISIBLE_DEVICES=value)
    assert fact.reason == f"CUDA_VISIBLE_DEVICES={value!r} hides every device"


@pytest.mark.parametrize("value", ["0", "1,0", "GPU-8932f937-d72c", "MIG-GPU-8932f937"])
def test_named_devices_are_asked_for(gpu: Runtime, compile_driver: CompileDriver, value: str) -> None:
    driver = str(compile_driver())
    assert isinstance(probe(gpu, environ={"CUDA_VISIBLE_DEVICES": value}, driver=driver), Works)


def test_a_machine_without_a_driver_says_so(gpu: Runtime, tmp_path: Path) -> None:
    fact = refused(gpu, tmp_path / "libcuda.so.1")
    assert fact.reason.startswith("there is no NVIDIA driver")
    assert "--gpus all" in str(fact.hint)


def test_a_file_that_is_no_library_is_no_driver(gpu: Runtime, tmp_path: Path) -> None:
    fake = tmp_path / "libcuda.so.1"
    fake.write_bytes(b"not a library")
    assert refused(gpu, fake).reason.startswith("there is no NVIDIA driver")


def test_a_library_without_the_calls_is_no_driver(gpu: Runtime) -> None:
    import _ctypes  # noqa: PLC0415 - some library that is surely there

    file = getattr(_ctypes, "__file__", None)
    if file is None:
        pytest.skip("ctypes is built into this Python")
    assert "is not one" in probe_reason(gpu, file)


def probe_reason(runtime: Runtime, driver: str) -> str:
    fact = probe(runtime, environ={}, driver=driver)
    assert isinstance(fact, Fails)
    return fact.reason


def test_a_driver_for_an_older_cuda_is_told_with_both_versions(
    gpu: Runtime, compile_driver: CompileDriver
) -> None:
    fact = refused(gpu, compile_driver(version=12080))
    assert fact.reason == "the NVIDIA driver supports CUDA 12.8, this onnxruntime needs 13.0"
    assert fact.hint == "update the NVIDIA driver to one for CUDA 13"


@pytest.mark.parametrize("version", [13000, 13020, 14000])
def test_a_driver_for_this_cuda_or_a_newer_one_will_do(
    gpu: Runtime, compile_driver: CompileDriver, version: int
) -> None:
    fact = probe(gpu, environ={}, driver=str(compile_driver(version=version, count=2)))
    assert fact == Works(f"driver for CUDA {version // 1000}.{version % 1000 // 10}, 2 devices")


def test_a_build_that_does_not_say_its_cuda_is_not_held_to_one(
    gpu: Runtime, compile_driver: CompileDriver
) -> None:
    old = replace(gpu, cuda="", package="onnxruntime-gpu")
    assert isinstance(probe(old, environ={}, driver=str(compile_driver(version=11040))), Works)


@pytest.mark.parametrize("number", sorted(ERRORS))
def test_every_refusal_of_cuinit_has_its_meaning_and_its_cure(
    gpu: Runtime, compile_driver: CompileDriver, number: int
) -> None:
    fact = refused(gpu, compile_driver(init=number))
    meaning, hint = ERRORS[number]
    assert fact == Fails(f"{meaning} (cuInit says {number})", hint)


def test_a_refusal_that_nobody_knows_keeps_its_number(gpu: Runtime, compile_driver: CompileDriver) -> None:
    assert refused(gpu, compile_driver(init=777)).reason == "the NVIDIA driver refused (cuInit says 777)"


def test_a_refusal_to_tell_the_version_or_the_devices_is_told(
    gpu: Runtime, compile_driver: CompileDriver
) -> None:
    assert "cuDriverGetVersion says 34" in refused(gpu, compile_driver(version_result=34)).reason


def test_a_refusal_to_count_the_devices_is_told(gpu: Runtime, compile_driver: CompileDriver) -> None:
    assert "cuDeviceGetCount says 3" in refused(gpu, compile_driver(count_result=3)).reason


def test_no_device_is_no_device_however_it_is_said(gpu: Runtime, compile_driver: CompileDriver) -> None:
    assert refused(gpu, compile_driver(count=0)).reason.startswith("there is no CUDA device")


@pytest.mark.skipif(sys.platform != "linux", reason="LD_LIBRARY_PATH is Linux's")
@pytest.mark.parametrize(("init", "answer"), [(0, "Works"), (803, "Fails"), (100, "Fails")])
def test_the_driver_is_found_by_its_own_name(
    lay_wheel: LayWheel, compile_driver: CompileDriver, init: int, answer: str
) -> None:
    """A process of its own, with the system's loader and nothing passed in."""
    program = """
import sys
from modeldeps.runtime import machine
print(machine().providers["cuda"])
print(sorted({"onnxruntime", "numpy"} & set(sys.modules)))
"""
    environ = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    environ |= {"LD_LIBRARY_PATH": str(compile_driver(init=init).parent), "PYTHONPATH": str(lay_wheel())}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True
    )
    fact, imported = ran.stdout.splitlines()
    assert fact.startswith(f"{answer}(")
    assert init == 0 or f"cuInit says {init}" in fact
    assert imported == "[]"
