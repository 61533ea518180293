"""No value of `runtime` lets both wheels of ONNX Runtime into one environment."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest
from digits_channel import stand_in_runtime
from installers import UV, Environment, run, wheelhouse, write_pointer, write_project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.installers

CPU, GPU = "onnxruntime", "onnxruntime-gpu"


class Case(NamedTuple):
    """What one value of `runtime` brings."""

    runtime: str
    extra: str
    wheels: set[str]
    version: str


CASES = [
    Case("cpu", "", {CPU}, "2.1.0"),
    Case("cuda", "", {GPU}, "2.1.0"),
    Case("none", "", set(), "3.0.0"),
    Case("extras", "", set(), "3.0.0"),
    Case("extras", "[cpu]", {CPU}, "2.1.0"),
    Case("extras", "[cuda]", {GPU}, "2.1.0"),
]


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheelhouse(tmp_path_factory)


@pytest.fixture(scope="session")
def links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two models; the newest digits needs a runtime that nobody has."""
    folder = tmp_path_factory.mktemp("pointers") / "links"
    write_pointer(folder, "digits", "2.1.0")
    write_pointer(folder, "digits", "3.0.0", floor=">=99")
    write_pointer(folder, "segment", "1.0.0")
    return folder


def _project(folder: Path, runtime: str) -> Path:
    tool = f'models = ["digits>=2.0", "segment"]\nruntime = "{runtime}"'
    return write_project(folder, tool, backend="hatchling")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.runtime + case.extra)
def test_uv_with_the_real_index_takes_one_runtime_at_most(
    case: Case, house: Path, links: Path, tmp_path: Path
) -> None:
    project = _project(tmp_path / "project", case.runtime)
    (tmp_path / "wanted.in").write_text(f"app{case.extra} @ {project.as_uri()}", encoding="utf-8")
    given = ["--quiet", "--no-header", "--no-annotate", "--find-links", house, "--find-links", links]
    said = run([UV, "pip", "compile", *given, "--python", sys.executable, tmp_path / "wanted.in"])
    pins = dict(line.split("==") for line in said.splitlines() if "==" in line)
    assert {CPU, GPU} & set(pins) == case.wheels
    assert pins["modeldeps-digits"] == case.version


@pytest.mark.parametrize("case", [*CASES[:2], *CASES[4:]], ids=lambda case: case.runtime + case.extra)
def test_pip_takes_one_runtime_at_most(case: Case, house: Path, links: Path, tmp_path: Path) -> None:
    runtimes = stand_in_runtime(stand_in_runtime(tmp_path / "links", name=CPU), name=GPU)
    environment = Environment.make(tmp_path / "venv", house)
    wanted = f"app{case.extra} @ {_project(tmp_path / 'project', case.runtime).as_uri()}"
    report = tmp_path / "report.json"
    sources = ("--find-links", links, "--find-links", runtimes)
    environment.pip("install", *sources, "--dry-run", "--report", report, wanted)
    found = {
        one["metadata"]["name"]: one["metadata"]["version"]
        for one in json.loads(report.read_text(encoding="utf-8"))["install"]
    }
    assert {CPU, GPU} & set(found) == case.wheels
    assert found["modeldeps-digits"] == case.version
