"""
Whether CUDA works here, asked rung by rung, the cheap questions first.

ONNX Runtime lists the providers that it was built with, not those that work, and falls back to the
CPU with no more than a line on stderr. So nobody asks it for CUDA before this ladder says yes.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, Protocol

from modeldeps.runtime._facts import Fact, Fails, Works
from modeldeps.runtime._installed import lacks_cuda

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from modeldeps.runtime._installed import Runtime

LIBRARIES = 'pip install "onnxruntime-gpu[cuda,cudnn]"'
_DRIVER = "install the NVIDIA driver; a container needs `--gpus all` and the NVIDIA container toolkit"
_UPDATE = "update the NVIDIA driver"

ERRORS: Mapping[int, tuple[str, str]] = {
    2: ("the device is out of memory", "free memory on the device: nvidia-smi lists who uses it"),
    3: (
        "CUDA can't be started in this process",
        "load after fork, or start processes with the 'spawn' method",
    ),
    34: ("the driver library is only a stub", "remove the CUDA toolkit's stubs folder from LD_LIBRARY_PATH"),
    35: ("the NVIDIA driver is too old", _UPDATE),
    46: (
        "the device is busy or unavailable",
        "nvidia-smi shows whether another process holds it exclusively",
    ),
    100: ("there is no CUDA device", "nvidia-smi lists the devices"),
    101: ("a device that was named does not exist", "CUDA_VISIBLE_DEVICES names devices by number or UUID"),
    304: ("the operating system refused a call of the driver", "check the rights on /dev/nvidia*"),
    802: ("the devices are not ready yet", "start nvidia-fabricmanager"),
    803: ("the driver library and the kernel's driver have different versions", "restart the machine"),
    804: ("the device does not allow the forward compatible driver library", _UPDATE),
    999: (
        "the driver failed for a reason that it does not name",
        "restart the machine, or reload nvidia_uvm",
    ),
}
"""What the numbers of `CUresult` (cuda.h) mean for a user, and what to do."""


class Driver(Protocol):
    """The three calls of the CUDA driver library that are needed; each returns a `CUresult`."""

    def version(self) -> tuple[int, int]:
        """Return a result and the CUDA version that the driver supports, as 13020 for 13.2."""

    def initialize(self) -> int:
        """Start CUDA in this process."""

    def devices(self) -> tuple[int, int]:
        """Return a result and the number of devices."""


class DriverLibrary:
    """The CUDA driver library, opened. Raises OSError where it can't be."""

    def __init__(self, name: str | None = None) -> None:
        import ctypes  # noqa: PLC0415 - only builds with CUDA come here

        self._library = ctypes.CDLL(name or driver_name())
        self._integer = ctypes.c_int
        self._reference = ctypes.byref

    def version(self) -> tuple[int, int]:
        """Call cuDriverGetVersion, which needs no initialisation."""
        found = self._integer()
        return int(self._library.cuDriverGetVersion(self._reference(found))), found.value

    def initialize(self) -> int:
        """Call cuInit."""
        return int(self._library.cuInit(0))

    def devices(self) -> tuple[int, int]:
        """Call cuDeviceGetCount."""
        found = self._integer()
        return int(self._library.cuDeviceGetCount(self._reference(found))), found.value


def driver_name() -> str:
    """Return the name that the system's loader knows the driver library by."""
    return "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def probe(runtime: Runtime, *, environ: Mapping[str, str] | None = None, driver: str | None = None) -> Fact:
    """
    Say whether CUDA can work, without importing onnxruntime; about 0.2 ms for a no.

    It starts CUDA in this process, so call it when a model is loaded and never at import: CUDA does
    not survive a fork. `driver` names another driver library.
    """
    variables = os.environ if environ is None else environ
    return lacks_cuda(runtime) or _hidden(variables) or _ask(runtime, driver)


def _hidden(environ: Mapping[str, str]) -> Fails | None:
    """Refuse where CUDA_VISIBLE_DEVICES hides all: devices from the first invalid entry on are not seen."""
    value = environ.get("CUDA_VISIBLE_DEVICES")
    if value is None:
        return None
    first = value.split(",")[0].strip()
    if first.isdigit() or first.startswith(("GPU-", "MIG-")):
        return None
    return Fails(f"CUDA_VISIBLE_DEVICES={value!r} hides every device", "unset CUDA_VISIBLE_DEVICES")


def _ask(runtime: Runtime, name: str | None) -> Fact:
    """Open the driver library and ask it."""
    try:
        return ask(DriverLibrary(name), runtime.cuda)
    except OSError as error:
        return Fails(f"there is no NVIDIA driver: {str(error).splitlines()[0]}", _DRIVER)
    except AttributeError as error:  # a library of that name without the calls
        return Fails(f"the NVIDIA driver library is not one: {error}", _DRIVER)


def ask(driver: Driver, built_for: str) -> Fact:
    """Ask a driver for its version, to start, and for its devices."""
    result, version = driver.version()
    if result:
        return failure("cuDriverGetVersion", result)
    major = built_for.partition(".")[0]
    if major.isdigit() and version // 1000 < int(major):
        reason = f"the NVIDIA driver supports CUDA {_spell(version)}, this onnxruntime needs {built_for}"
        return Fails(reason, f"update the NVIDIA driver to one for CUDA {major}")
    if result := driver.initialize():
        return failure("cuInit", result)
    result, count = driver.devices()
    if result:
        return failure("cuDeviceGetCount", result)
    if count < 1:
        return failure("cuDeviceGetCount", 100)
    return Works(f"driver for CUDA {_spell(version)}, {count} device{'s' if count != 1 else ''}")


def failure(call: str, result: int) -> Fails:
    """Return what a result of the driver means."""
    meaning, hint = ERRORS.get(
        result, ("the NVIDIA driver refused", "nvidia-smi shows whether it works at all")
    )
    return Fails(f"{meaning} ({call} says {result})", hint)


def _spell(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"


def prepare(onnxruntime: ModuleType, runtime: Runtime) -> Fails | None:
    """
    Load the libraries that the CUDA provider needs, then the provider's own; return why it can't be.

    ONNX Runtime itself would say nothing but a line on stderr. Costs 80 to 260 ms and 230 MB.
    """
    import ctypes  # noqa: PLC0415 - only builds with CUDA come here

    said = io.StringIO()
    if preload := getattr(onnxruntime, "preload_dlls", None):  # since 1.21
        with contextlib.redirect_stdout(said):
            preload()
    capi = runtime.cuda_library.parent
    shared = capi / runtime.cuda_library.name.replace("cuda", "shared")
    try:
        ctypes.CDLL(str(shared))
        ctypes.CDLL(str(runtime.cuda_library))
    except OSError as error:
        return Fails(f"the CUDA provider can't be loaded: {str(error).splitlines()[0]}", LIBRARIES)
    return None
