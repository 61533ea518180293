"""Real build backends, run by real installers, turn `[tool.modeldeps]` into requirements."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from installers import (
    MIDDLE,
    NEWEST,
    OLD_PIP,
    OLDEST,
    UV,
    Environment,
    Metadata,
    run,
    wheelhouse,
    write_pointer,
    write_project,
)

from modeldeps.check import check
from modeldeps.project import Place, add
from modeldeps.requirement import ModelRequirement

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.installers

TOOL = """\
models = ["digits>=2.1"]
dependencies = ["numpy>=2"]
optional-models = { gpu = ["segment>=1; python_version>='3.10'"] }
"""
EXPECTED = Metadata(
    frozenset(
        {
            "numpy>=2",
            "modeldeps-digits[cpu]>=2.1",
            'modeldeps-segment[cpu]>=1; python_version >= "3.10" and extra == "gpu"',
        }
    ),
    frozenset({"gpu"}),
)
DYNAMIC = 'dynamic = ["dependencies"]'


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheelhouse(tmp_path_factory)


@pytest.mark.parametrize("version", [OLDEST, *MIDDLE, NEWEST])
def test_setuptools_from_its_oldest_to_its_newest_version_adds_the_models(
    version: str, house: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "project", TOOL, version=version)
    environment = Environment.make(tmp_path / "venv", house)
    environment.pip("install", "--no-deps", project)
    assert environment.metadata("app") == EXPECTED


@pytest.mark.parametrize("version", [MIDDLE[0], NEWEST])
def test_an_editable_install_with_setuptools_adds_the_models(
    version: str, house: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "project", TOOL, version=version)
    environment = Environment.make(tmp_path / "venv", house)
    environment.pip("install", "--no-deps", "-e", project)
    assert environment.metadata("app") == EXPECTED


@pytest.mark.parametrize("backend", ["hatchling", "pdm-backend"])
@pytest.mark.parametrize("how", [(), ("-e",)], ids=["regular", "editable"])
def test_hatchling_and_pdm_backend_add_the_models(
    backend: str, how: tuple[str, ...], house: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "project", TOOL, backend=backend)
    environment = Environment.make(tmp_path / "venv", house)
    environment.pip("install", "--no-deps", *how, project)
    assert environment.metadata("app") == EXPECTED


@pytest.mark.parametrize(
    ("backend", "version"), [("setuptools", OLDEST), ("hatchling", ""), ("pdm-backend", "")]
)
def test_the_oldest_pip_sees_the_models(backend: str, version: str, house: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", TOOL, backend=backend, version=version)
    environment = Environment.make(tmp_path / "venv", house, pip=OLD_PIP)
    environment.pip("install", "--no-deps", project)
    assert environment.metadata("app") == EXPECTED


@pytest.mark.parametrize("backend", ["setuptools", "hatchling", "pdm-backend"])
@pytest.mark.parametrize("how", [(), ("-e",)], ids=["regular", "editable"])
def test_uv_sees_the_models(backend: str, how: tuple[str, ...], house: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", TOOL, backend=backend)
    environment = Environment.make(tmp_path / "venv", house, pip=None)
    environment.uv("install", "--no-deps", *how, project)
    assert environment.metadata("app") == EXPECTED


@pytest.mark.parametrize("backend", ["setuptools", "hatchling", "pdm-backend"])
def test_python_m_build_sees_the_models_through_an_sdist(backend: str, house: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", TOOL, backend=backend)
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(house)}
    run([sys.executable, "-m", "build", "-o", tmp_path / "dist", project], env=variables)
    assert Metadata.of_wheel(next((tmp_path / "dist").glob("*.whl"))) == EXPECTED


def test_setuptools_keeps_the_dependencies_of_its_own_dynamic_table(house: Path, tmp_path: Path) -> None:
    more = '[tool.setuptools.dynamic]\ndependencies = { file = ["requirements.txt"] }'
    project = write_project(tmp_path / "project", 'models = ["digits"]', project=DYNAMIC, more=more)
    (project / "requirements.txt").write_text("rich>=1\n", encoding="utf-8")
    assert _wheel(project, house, tmp_path).requires == {"rich>=1", "modeldeps-digits[cpu]"}


def test_setuptools_keeps_the_dependencies_of_setup_cfg(house: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", 'models = ["digits"]')
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    start, end = text.index("[project]"), text.index("[tool.modeldeps]")
    (project / "pyproject.toml").write_text(text[:start] + text[end:], encoding="utf-8")
    (project / "setup.cfg").write_text(
        "[metadata]\nname = app\nversion = 1\n[options]\npackages = app\ninstall_requires = rich>=1\n",
        encoding="utf-8",
    )
    assert _wheel(project, house, tmp_path).requires == {"rich>=1", "modeldeps-digits[cpu]"}


@pytest.mark.parametrize("backend", ["setuptools", "pdm-backend"])
def test_a_static_list_stops_the_build_and_names_the_command_that_helps(
    backend: str, house: Path, tmp_path: Path
) -> None:
    project = write_project(
        tmp_path / "project", 'models = ["digits"]', backend=backend, project='dependencies = ["rich"]'
    )
    said = _build(project, house, tmp_path, status=1)
    assert "project.dependencies: is a static list" in said
    assert "hint: `modeldeps add 'digits'` moves" in said


def test_uv_does_not_install_a_project_whose_static_list_hides_the_models(
    house: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "project", 'models = ["digits"]', project="dependencies = []")
    environment = Environment.make(tmp_path / "venv", house, pip=None)
    said = environment.uv("install", project, status=1)
    assert "project.dependencies: is a static list" in said


@pytest.mark.parametrize("backend", ["setuptools", "pdm-backend"])
def test_an_absent_list_that_is_not_dynamic_stops_the_build(
    backend: str, house: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "project", 'models = ["digits"]', backend=backend, project="")
    assert "project.dynamic: expected 'dependencies' in it" in _build(project, house, tmp_path, status=1)


@pytest.mark.parametrize("backend", ["setuptools", "hatchling", "pdm-backend"])
def test_a_static_list_of_extras_stops_the_build_where_models_are_optional(
    backend: str, house: Path, tmp_path: Path
) -> None:
    static = f"{DYNAMIC}\n[project.optional-dependencies]\ndocs = ['rich']"
    tool = 'models = ["digits"]\noptional-models = { gpu = ["segment"] }'
    project = write_project(tmp_path / "project", tool, backend=backend, project=static)
    said = _build(project, house, tmp_path, status=1)
    assert "project.optional-dependencies: is a static list" in said


@pytest.mark.parametrize("backend", ["setuptools", "hatchling", "pdm-backend"])
def test_a_static_list_of_dependencies_is_left_alone_where_only_extras_have_models(
    backend: str, house: Path, tmp_path: Path
) -> None:
    static = 'dependencies = ["rich"]\ndynamic = ["optional-dependencies"]'
    tool = 'optional-models = { gpu = ["segment"] }'
    project = write_project(tmp_path / "project", tool, backend=backend, project=static)
    assert _wheel(project, house, tmp_path) == Metadata(
        frozenset({"rich", 'modeldeps-segment[cpu]; extra == "gpu"'}), frozenset({"gpu"})
    )


@pytest.mark.parametrize("backend", ["setuptools", "hatchling", "pdm-backend"])
def test_a_broken_table_stops_the_build_with_every_problem(backend: str, house: Path, tmp_path: Path) -> None:
    tool = 'models = ["digits=>2", 3]\nruntime = "gpu"\nmodel = {}'
    project = write_project(tmp_path / "project", tool, backend=backend, project=DYNAMIC)
    said = _build(project, house, tmp_path, status=1)
    assert "tool.modeldeps.models[0]: expected a model requirement, found 'digits=>2'" in said
    assert "tool.modeldeps.models[1]: expected text, found 3" in said
    assert "tool.modeldeps.runtime: expected one of 'cpu', 'cuda', 'extras', 'none', found 'gpu'" in said


@pytest.mark.parametrize("backend", ["setuptools", "hatchling", "pdm-backend"])
@pytest.mark.parametrize("tool", ["", "[tool.modeldeps.model]\nname = 'x'"], ids=["empty", "model project"])
def test_a_table_that_declares_nothing_changes_nothing(
    backend: str, tool: str, house: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "project", tool, backend=backend, project='dependencies = ["rich"]')
    assert _wheel(project, house, tmp_path).requires == {"rich"}


def test_a_project_without_the_table_is_built_as_if_the_plugin_were_not_there(
    house: Path, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "project", "", project='dependencies = ["rich"]')
    text = (project / "pyproject.toml").read_text(encoding="utf-8").replace("[tool.modeldeps]", "")
    (project / "pyproject.toml").write_text(text, encoding="utf-8")
    assert _wheel(project, house, tmp_path).requires == {"rich"}


def test_an_emptied_list_of_models_still_builds(house: Path, tmp_path: Path) -> None:
    tool = 'models = []\ndependencies = ["rich"]'
    project = write_project(tmp_path / "project", tool, project=DYNAMIC)
    assert _wheel(project, house, tmp_path).requires == {"rich"}


def test_hatchling_never_runs_the_hook_over_a_static_list_but_check_tells(
    house: Path, tmp_path: Path
) -> None:
    tool = 'models = ["digits"]'
    project = write_project(
        tmp_path / "project", tool, backend="hatchling", project='dependencies = ["rich"]'
    )
    assert _wheel(project, house, tmp_path).requires == {"rich"}
    assert "is a static list" in check(project / "pyproject.toml").findings[0].message


@pytest.mark.parametrize("backend", ["setuptools", "hatchling", "pdm-backend"])
def test_a_project_that_the_command_edited_builds_with_all_its_requirements(
    backend: str, house: Path, tmp_path: Path
) -> None:
    static = 'dependencies = ["rich"]\n[project.optional-dependencies]\ndocs = ["sphinx"]'
    project = write_project(tmp_path / "project", "", backend=backend, project=static)
    file = project / "pyproject.toml"
    text = file.read_text(encoding="utf-8").replace("[tool.modeldeps]", "").replace(', "modeldeps"', "")
    file.write_text(text.replace("[tool.hatch.metadata.hooks.modeldeps]", ""), encoding="utf-8")
    add(file, [ModelRequirement.parse("digits>=2.1")])
    add(file, [ModelRequirement.parse("segment")], place=Place(extra="gpu"))
    assert _wheel(project, house, tmp_path) == Metadata(
        frozenset(
            {
                "rich",
                "modeldeps-digits[cpu]>=2.1",
                'sphinx; extra == "docs"',
                'modeldeps-segment[cpu]; extra == "gpu"',
            }
        ),
        frozenset({"docs", "gpu"}),
    )


@pytest.mark.parametrize("backend", ["setuptools", "hatchling"])
def test_uv_lock_pins_the_bytes_of_the_pointer(backend: str, house: Path, tmp_path: Path) -> None:
    links = f'[tool.uv]\nfind-links = ["{house}", "{tmp_path / "links"}"]\nno-index = true'
    wheel = write_pointer(tmp_path / "links", "digits", "2.1.0")
    tool = 'models = ["digits>=2.1"]\nruntime = "none"'
    project = write_project(tmp_path / "project", tool, backend=backend, project=DYNAMIC, more=links)
    run([UV, "lock", "--python", sys.executable], cwd=project)
    lock = (project / "uv.lock").read_text(encoding="utf-8")
    assert 'name = "modeldeps-digits"' in lock
    assert wheel.name in lock


def _build(project: Path, house: Path, tmp_path: Path, *, status: int = 0) -> str:
    assert UV
    words = [UV, "build", "--wheel", "--no-index", "--find-links", house, "-o", tmp_path / "dist", project]
    return run([*words, "--python", sys.executable], status=status)


def _wheel(project: Path, house: Path, tmp_path: Path) -> Metadata:
    _build(project, house, tmp_path)
    return Metadata.of_wheel(next((tmp_path / "dist").glob("*.whl")))
