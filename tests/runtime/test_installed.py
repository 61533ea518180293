"""The installed ONNX Runtime is read from its files, whatever way it was installed or removed."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from modeldeps.runtime import Absent, Fails, Runtime, installed
from modeldeps.runtime._cuda import probe
from modeldeps.runtime._installed import CURE

if TYPE_CHECKING:
    from pathlib import Path

    from machines import LayWheel


def found(site: Path) -> Runtime:
    runtime = installed([str(site)])
    assert isinstance(runtime, Runtime)
    return runtime


def test_the_cpu_wheel_is_read_without_importing_it(lay_wheel: LayWheel) -> None:
    before = set(sys.modules)
    runtime = found(lay_wheel("onnxruntime", "1.30.0"))
    assert (runtime.package, runtime.version, runtime.has_cuda) == ("onnxruntime", "1.30.0", False)
    assert not {"onnxruntime", "onnxruntime.capi"} & (set(sys.modules) - before)


def test_the_gpu_wheel_says_which_cuda_it_was_built_with(lay_wheel: LayWheel) -> None:
    runtime = found(lay_wheel())
    assert (runtime.package, runtime.cuda, runtime.has_cuda) == ("onnxruntime-gpu", "13.0", True)
    assert not runtime.is_mixed


def test_a_wheel_from_before_the_build_information_is_read_too(lay_wheel: LayWheel) -> None:
    runtime = found(lay_wheel("onnxruntime", "1.20.1", build_info=False))
    assert str(runtime) == "onnxruntime 1.20.1"


def test_an_old_gpu_wheel_is_known_by_its_distribution(lay_wheel: LayWheel) -> None:
    runtime = found(lay_wheel(version="1.18.0", build_info=False))
    assert (runtime.package, runtime.has_cuda, runtime.cuda) == ("onnxruntime-gpu", True, "")


def test_the_one_name_of_conda_forge_does_not_hide_its_cuda_build(site: Path, lay_wheel: LayWheel) -> None:
    lay_wheel()
    (site / "onnxruntime_gpu-1.31.1.dist-info").rename(site / "onnxruntime-1.31.1.dist-info")
    runtime = found(site)
    assert runtime.has_cuda
    assert not runtime.is_mixed


def test_no_runtime_is_no_runtime(site: Path) -> None:
    assert installed([str(site)]) == Absent("no onnxruntime is installed")


def test_both_wheels_are_seen_and_the_last_one_is_in_charge(lay_wheel: LayWheel) -> None:
    lay_wheel("onnxruntime")
    runtime = found(lay_wheel("onnxruntime-gpu"))
    assert runtime.wheels == ("onnxruntime", "onnxruntime-gpu")
    assert runtime.is_mixed
    assert runtime.has_cuda


def test_the_cpu_wheel_over_the_gpu_wheel_takes_cuda_away_and_is_explained(lay_wheel: LayWheel) -> None:
    lay_wheel("onnxruntime-gpu")
    fact = probe(found(lay_wheel("onnxruntime")), environ={})
    wheels = "onnxruntime and onnxruntime-gpu"
    assert fact == Fails(f"{wheels} were installed over each other, and the CPU build came last", CURE)


def test_a_stray_library_gives_an_overwritten_gpu_wheel_away(site: Path, lay_wheel: LayWheel) -> None:
    """As with installers that leave no second `.dist-info`, such as a copied site folder."""
    lay_wheel("onnxruntime-gpu")
    shutil.rmtree(site / "onnxruntime_gpu-1.31.1.dist-info")
    runtime = found(lay_wheel("onnxruntime"))
    assert runtime.wheels == ("onnxruntime",)
    assert runtime.is_mixed


def test_the_remains_of_an_uninstalled_wheel_are_no_runtime(site: Path, lay_wheel: LayWheel) -> None:
    """Uninstalling one of two wheels takes the files that both had."""
    lay_wheel("onnxruntime")
    lay_wheel("onnxruntime-gpu")
    (site / "onnxruntime" / "__init__.py").unlink()
    absent = installed([str(site)])
    assert isinstance(absent, Absent)
    assert absent.reason == f"only the remains of an uninstalled onnxruntime, in {site / 'onnxruntime'}"
    assert absent.hint == CURE


def test_other_distributions_of_the_family_bring_no_second_runtime(site: Path, lay_wheel: LayWheel) -> None:
    lay_wheel("onnxruntime")
    (site / "onnxruntime_extensions-0.14.0.dist-info").mkdir()
    assert found(site).wheels == ("onnxruntime",)


def test_hostile_build_information_is_only_text(site: Path, lay_wheel: LayWheel) -> None:
    lay_wheel("onnxruntime")
    info = site / "onnxruntime" / "capi" / "build_and_package_info.py"
    info.write_bytes(b"package_name = 'onnxruntime'\nraise SystemExit\n\xff\xfe__version__ = '9'\n")
    assert found(site).version == "1.31.1"


def test_a_module_without_a_spec_in_its_place_is_no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", type(sys)("onnxruntime"))
    assert isinstance(installed(), Absent)


def test_this_environment_s_own_runtime_is_read_as_it_says_itself() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    runtime = installed()
    assert isinstance(runtime, Runtime)
    assert runtime.version == onnxruntime.__version__
