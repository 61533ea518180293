from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
from importlib import metadata

import pytest

import modeldeps

NEED_CONDA = {
    "modeldeps.conda._action",
    "modeldeps.conda._specifier",
    "modeldeps.integrations.conda",
}
"""What nobody but conda imports."""
HEAVY = ("numpy", "onnx", "onnxruntime", "ssl", "tomlkit", "packaging", "json", "argparse", "pathlib")


def test_all_is_sorted_and_everything_in_it_is_there() -> None:
    assert list(modeldeps.__all__) == sorted(modeldeps.__all__)
    for name in modeldeps.__all__:
        assert getattr(modeldeps, name) is not None
    assert set(modeldeps.__all__) <= set(dir(modeldeps))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = modeldeps.lode


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"a = set(sys.modules); import modeldeps; print(*({set(HEAVY)!r} & (set(sys.modules) - a)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _path() + code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_importing_the_package_brings_in_two_modules_of_its_own() -> None:
    code = (
        "import sys; import modeldeps; print(*[name for name in sys.modules if name.startswith('modeldeps')])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _path() + code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["modeldeps"]


def _path() -> str:
    return f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r};"


def test_every_entry_point_can_be_loaded() -> None:
    points = [*metadata.distribution("modeldeps").entry_points]
    assert {point.group for point in points} == {
        "conda",
        "console_scripts",
        "hatch",
        "pdm.build.hook",
        "setuptools.finalize_distribution_options",
    }
    for point in points:
        if point.group == "conda":  # without conda there is nothing to hook into
            assert importlib.util.find_spec(point.module) is not None
        else:
            assert point.load() is not None


def test_every_module_can_be_imported_by_itself() -> None:
    names = [one.name for one in pkgutil.walk_packages(modeldeps.__path__, "modeldeps.")]
    assert len(names) > 20
    for name in names:
        if name not in NEED_CONDA | {"modeldeps.__main__"}:
            importlib.import_module(name)


def test_the_version_is_that_of_the_metadata() -> None:
    assert modeldeps.__version__ == metadata.version("modeldeps")
