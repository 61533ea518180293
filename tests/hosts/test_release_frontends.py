"""Real build frontends make the wheel that `modeldeps build` makes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from modeldeps import backend
from modeldeps.cli._own_wheel import write_own_wheel
from modeldeps.publish import build_release

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "modeldeps_digits-2.1.0-py3-none-any.whl"
HERE = [sys.executable, "-m"]
FRONTENDS = {
    "build": [*HERE, "build", "--no-isolation", "--wheel", "--outdir", "{out}", "{project}"],
    "build of both": [*HERE, "build", "--no-isolation", "--outdir", "{out}", "{project}"],
    "pip": [*HERE, "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "{out}", "{project}"],
    "uv": [
        *HERE,
        "uv",
        "build",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "--out-dir",
        "{out}",
        "{project}",
    ],
}


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_each_frontend_builds_the_same_wheel(
    digits_project: Callable[[str], Path], tmp_path: Path, frontend: str
) -> None:
    project, out = digits_project("2.1.0"), tmp_path / "out"
    words = [one.format(out=out, project=project) for one in FRONTENDS[frontend]]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (out / NAME).read_bytes() == build_release(project, tmp_path / "dist").wheel.read_bytes()


@pytest.mark.parametrize("editable", [False, True])
def test_pip_installs_and_uninstalls_a_model_project(
    digits_project: Callable[[str], Path], tmp_path: Path, *, editable: bool
) -> None:
    project, target = digits_project("2.1.0"), tmp_path / "site"
    place = [*(["--editable"] if editable else []), str(project)]
    words = [*HERE, "pip", "install", "--no-deps", "--no-build-isolation", "--target", str(target), *place]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (target / "modeldeps_digits-2.1.0.dist-info" / "model.json").is_file()


def test_a_frontend_shows_what_is_wrong_with_a_project(
    digits_project: Callable[[str], Path], tmp_path: Path
) -> None:
    project = digits_project("2.1.0")
    file = project / "digits-fp32.onnx"
    file.write_bytes(file.read_bytes()[:1000])
    words = [*HERE, "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path / "out"), str(project)]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "digits-fp32.onnx can't be read as a model" in found.stdout + found.stderr


def test_what_was_prepared_is_not_computed_again(
    digits_project: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = digits_project("2.1.0")
    monkeypatch.chdir(project)
    (tmp_path / "metadata").mkdir()
    (tmp_path / "out").mkdir()
    name = backend.prepare_metadata_for_build_wheel(str(tmp_path / "metadata"))
    expected = build_release(project, tmp_path / "dist").wheel.read_bytes()
    (project / "digits-fp32.onnx").unlink()
    wheel = backend.build_wheel(str(tmp_path / "out"), None, str(tmp_path / "metadata" / name))
    assert (tmp_path / "out" / wheel).read_bytes() == expected


@pytest.mark.installers
def test_an_isolated_build_gets_what_it_asks_for(
    digits_project: Callable[[str], Path], tmp_path: Path
) -> None:
    project, wheels = digits_project("2.1.0"), tmp_path / "wheels"
    wheels.mkdir()
    write_own_wheel(wheels)
    words = [*HERE, "build", "--outdir", str(tmp_path / "out"), str(project)]
    variables = {**os.environ, "PIP_FIND_LINKS": str(wheels)}
    found = subprocess.run(words, capture_output=True, text=True, check=False, env=variables)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (tmp_path / "out" / NAME).read_bytes() == build_release(
        project, tmp_path / "dist"
    ).wheel.read_bytes()
