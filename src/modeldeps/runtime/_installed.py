"""The ONNX Runtime of this environment, read from its files: importing it costs a quarter of a second."""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.environment import searched
from modeldeps.runtime._facts import Fails

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

PACKAGE = "onnxruntime"
"""The import package that every one of the wheels brings."""

CLEAR = "pip uninstall -y onnxruntime onnxruntime-gpu"
"""What takes the remains away."""

GPU_WHEEL = "onnxruntime-gpu[cuda,cudnn]"
"""The requirement that brings CUDA with all its libraries; `[cuda]` alone lacks some."""

CURE = f'{CLEAR} && pip install "{GPU_WHEEL}"'
"""What makes one working GPU installation out of several wheels, or out of the remains of one."""

_WHEELS = frozenset(
    {"onnxruntime", "onnxruntime_directml", "onnxruntime_gpu", "onnxruntime_openvino", "onnxruntime_qnn",
     "onnxruntime_training"}
)  # fmt: skip
_LIMIT = 1 << 16


@dataclass(frozen=True)
class Runtime:
    """An ONNX Runtime that can be imported."""

    version: str
    """Its version; empty where its files don't say."""
    package: str
    """The distribution that it was built as, such as `onnxruntime-gpu`; as conda builds say it too."""
    folder: Path
    """The folder of the import package."""
    cuda: str = ""
    """The CUDA version that it was built with; empty for a build without CUDA."""
    wheels: tuple[str, ...] = ()
    """The installed distributions that bring this import package; more than one overwrite each other."""

    def __str__(self) -> str:
        return f"{self.package} {self.version}".rstrip()

    @property
    def cuda_library(self) -> Path:
        """Where the library of the CUDA provider is, if the build has one."""
        name = (
            "onnxruntime_providers_cuda.dll"
            if sys.platform == "win32"
            else "libonnxruntime_providers_cuda.so"
        )
        return self.folder / "capi" / name

    @property
    def has_cuda(self) -> bool:
        """Tell whether it was built with the CUDA provider; whether that works here is another question."""
        return bool(self.cuda) or "gpu" in self.package

    @property
    def is_mixed(self) -> bool:
        """Tell whether wheels that exclude each other were installed over each other; the last one wins."""
        return len(self.wheels) > 1 or (not self.has_cuda and self.cuda_library.exists())


@dataclass(frozen=True)
class Absent:
    """There is no ONNX Runtime that can be imported."""

    reason: str
    """What was found instead."""
    hint: str | None = None
    """The cure, where it is not simply to install one."""


def installed(paths: Sequence[str] | None = None) -> Runtime | Absent:
    """
    Return the ONNX Runtime that `import onnxruntime` would take, without importing it.

    `paths` are folders as in `sys.path`, which is the default unless `environment.search` named others.
    """
    spec = _spec(searched() if paths is None else paths)
    if spec is None:
        return Absent("no onnxruntime is installed")
    if spec.origin is None:  # a namespace package: the folder has lost its __init__.py
        places = [Path(one) for one in spec.submodule_search_locations or ()]
        return Absent(f"only the remains of an uninstalled onnxruntime, in {places[0]}", CURE)
    return _read(Path(spec.origin).parent)


def lacks_cuda(runtime: Runtime) -> Fails | None:
    """Say why a build can't run CUDA whatever the machine, or None."""
    if runtime.is_mixed and not runtime.has_cuda:
        wheels = " and ".join(runtime.wheels) if len(runtime.wheels) > 1 else "two onnxruntime wheels"
        return Fails(f"{wheels} were installed over each other, and the CPU build came last", CURE)
    if not runtime.has_cuda:
        return Fails(
            f"{runtime} is the CPU build", f'pip uninstall -y {PACKAGE} && pip install "{GPU_WHEEL}"'
        )
    if not runtime.cuda_library.exists():
        hint = CURE if runtime.is_mixed else f"pip install --force-reinstall --no-deps {runtime.package}"
        return Fails(f"{runtime} has lost {runtime.cuda_library.name}", hint)
    return None


def _spec(paths: Sequence[str] | None) -> ModuleSpec | None:
    if paths is not None:
        return PathFinder.find_spec(PACKAGE, list(paths))
    if PACKAGE in sys.modules:
        return getattr(sys.modules[PACKAGE], "__spec__", None)
    try:  # what importlib.util.find_spec does, whose import costs load() a millisecond
        found = (one.find_spec(PACKAGE, None) for one in sys.meta_path)
        return next((one for one in found if one is not None), None)
    except ImportError:  # a finder that forbids it
        return None


def _read(folder: Path) -> Runtime:
    build = _assignments(folder / "capi" / "build_and_package_info.py")  # wheels before 1.23 may have none
    version = build.get("__version__") or _assignments(folder / "__init__.py").get("__version__", "")
    wheels = _wheels(folder.parent)
    guess = wheels[0] if len(wheels) == 1 else PACKAGE
    return Runtime(
        version=version,
        package=build.get("package_name") or guess,
        folder=folder,
        cuda=build.get("cuda_version", ""),
        wheels=wheels,
    )


def _assignments(file: Path) -> dict[str, str]:
    """Return the texts that a module assigns to names; nothing where there is no such file."""
    try:
        with file.open("rb") as stream:
            text = stream.read(_LIMIT).decode("utf-8", "replace")
    except OSError:
        return {}
    pairs = [
        (name.strip(), value.strip()) for name, _, value in (one.partition("=") for one in text.splitlines())
    ]
    return {name: value[1:-1] for name, value in pairs if value[:1] in ("'", '"') and value[-1] == value[0]}


def _wheels(site: Path) -> tuple[str, ...]:
    """Return the distributions in a site folder that bring the import package."""
    listed = os.listdir(site)  # noqa: PTH208 - the fastest listing; load() waits for it
    entries = [one for one in listed if one.startswith(PACKAGE) and one.endswith(".dist-info")]
    found = {one.partition("-")[0].lower() for one in entries} & _WHEELS
    return tuple(sorted(one.replace("_", "-") for one in found))
