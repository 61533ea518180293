"""The first command that installs a project brings its models, and never fails because of them."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from digits_channel import digits_channel, stand_in_runtime
from installers import NEWEST, OLD_PIP, UV, Environment, run, wheelhouse, write_project
from static_site import static_site

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.installers

IN_A_TERMINAL = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
"""Run a program with a controlling terminal of its own."""


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits_channel(tmp_path_factory)


@pytest.fixture(scope="session")
def house(channel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all that builds and installations need: the pointers and a runtime too."""
    folder = tmp_path_factory.mktemp("wheels") / "all"
    shutil.copytree(wheelhouse(tmp_path_factory), folder, copy_function=os.link)
    for wheel in (channel / "simple" / "modeldeps-digits").glob("*.whl"):
        shutil.copy(wheel, folder)
    return stand_in_runtime(folder)


@pytest.fixture
def project(tmp_path: Path, channel: Path) -> Path:
    return _project(tmp_path / "project", channel.as_uri())


def _project(folder: Path, channel: str, runtime: str = "cpu") -> Path:
    tool = f'models = ["digits>=2.0"]\nchannels = ["{channel}"]\nruntime = "{runtime}"'
    return write_project(folder, tool, backend="hatchling")


def _fetched(tmp_path: Path) -> set[str]:
    return {one.name for one in (tmp_path / "store" / "models" / "digits").glob("*")}


@pytest.mark.parametrize(
    ("pip", "how"),
    [(OLD_PIP, ()), (NEWEST, ()), (NEWEST, ("-e",))],
    ids=["old pip", "newest pip", "editable"],
)
def test_the_first_pip_install_brings_the_release_that_pip_would_choose(
    pip: str, how: tuple[str, ...], project: Path, house: Path, tmp_path: Path
) -> None:
    environment = Environment.make(tmp_path / "venv", house, pip=pip)
    environment.pip("install", *how, project)
    assert _fetched(tmp_path) == {"2.1.0"}
    assert list(environment.prefix.rglob("modeldeps_digits-2.1.0.dist-info"))


@pytest.mark.parametrize("how", [(), ("-e",)], ids=["regular", "editable"])
def test_the_first_uv_pip_install_brings_the_release_that_uv_would_choose(
    how: tuple[str, ...], project: Path, house: Path, tmp_path: Path
) -> None:
    environment = Environment.make(tmp_path / "venv", house, pip=None)
    environment.uv("install", *how, project)
    assert _fetched(tmp_path) == {"2.1.0"}
    assert list(environment.prefix.rglob("modeldeps_digits-2.1.0.dist-info"))


def test_the_first_uv_sync_brings_the_models(project: Path, house: Path, tmp_path: Path) -> None:
    _let_uv_find(project, house)
    run([UV, "sync", "--python", sys.executable], cwd=project)
    assert _fetched(tmp_path) == {"2.1.0"}


def test_uv_lock_and_uv_build_bring_nothing(project: Path, house: Path, tmp_path: Path) -> None:
    _let_uv_find(project, house)
    run([UV, "lock", "--python", sys.executable], cwd=project)
    run([UV, "build", "--wheel", "--python", sys.executable], cwd=project)
    assert not (tmp_path / "store").exists()


def test_python_m_build_brings_nothing(project: Path, house: Path, tmp_path: Path) -> None:
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(house)}
    run([sys.executable, "-m", "build", "--wheel", "-o", tmp_path / "dist", project], env=variables)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "words",
    [("wheel", "--no-deps", "-w", "wheels"), ("install", "--dry-run", "--no-deps")],
    ids=["wheel", "dry"],
)
def test_pip_commands_that_install_nothing_bring_nothing(
    words: tuple[str, ...], project: Path, house: Path, tmp_path: Path
) -> None:
    environment = Environment.make(tmp_path / "venv", house)
    environment.pip(*words, project, cwd=tmp_path)
    assert not (tmp_path / "store").exists()


def test_prefetching_can_be_turned_off(project: Path, house: Path, tmp_path: Path) -> None:
    environment = Environment.make(tmp_path / "venv", house, MODELDEPS_PREFETCH="0")
    environment.pip("install", "--no-deps", project)
    assert not (tmp_path / "store").exists()


def test_a_library_gets_the_release_that_installers_choose_without_a_runtime(
    house: Path, channel: Path, tmp_path: Path
) -> None:
    project = _project(tmp_path / "project", channel.as_uri(), runtime="none")
    environment = Environment.make(tmp_path / "venv", house)
    environment.pip("install", "--no-deps", project)
    assert _fetched(tmp_path) == {"3.0.0"}


def test_over_http_the_index_is_asked_once_and_a_second_environment_fetches_no_blob(
    house: Path, channel: Path, tmp_path: Path
) -> None:
    asked: list[str] = []
    with static_site(channel, asked) as url:
        project = _project(tmp_path / "project", url)
        for name in ("first", "second"):
            environment = Environment.make(tmp_path / name, house)
            environment.pip("install", "--no-deps", project)
            blobs = [path for path in asked if path.startswith("/blobs/")]
            pages = [path for path in asked if path.endswith("/index.json")]
            assert (len(blobs) > 0, len(pages)) == (name == "first", 1)
            asked.clear()


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_progress_is_seen_on_the_terminal(installer: str, project: Path, house: Path, tmp_path: Path) -> None:
    said = _in_a_terminal(installer, project, house, tmp_path)
    assert "modeldeps: digits 2.1.0 fp32" in said
    assert "100 %" in said
    assert re.search(r"modeldeps: digits 2\.1\.0 \(fp32\): [0-9.]+ kB fetched", said)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_channel_that_is_down_is_told_on_the_terminal_and_the_installation_goes_on(
    installer: str, house: Path, tmp_path: Path
) -> None:
    project = _project(tmp_path / "project", "http://127.0.0.1:9/")
    said = _in_a_terminal(installer, project, house, tmp_path)
    assert "modeldeps: the models could not be fetched ahead: could not fetch http://127.0.0.1:9/" in said
    assert "modeldeps: the models are fetched by `modeldeps sync`, or at the first load()" in said
    assert list((tmp_path / "venv").rglob("app-1.dist-info"))


def test_an_altered_blob_is_told_and_never_kept(house: Path, channel: Path, tmp_path: Path) -> None:
    altered = tmp_path / "channel"
    shutil.copytree(channel, altered)
    for blob in (altered / "blobs").rglob("*"):
        if blob.is_file():
            data = bytearray(blob.read_bytes())
            data[-1] ^= 1
            blob.chmod(0o644)
            blob.write_bytes(data)
    environment = Environment.make(tmp_path / "venv", house)
    project = _project(tmp_path / "project", altered.as_uri())
    said = environment.pip("install", "-v", "--no-deps", project)
    assert "modeldeps: the models could not be fetched ahead" in said
    assert "sha256" in said
    assert not _fetched(tmp_path)
    assert not list((tmp_path / "store" / "blobs" / "sha256").glob("??/*"))


def test_a_store_that_cannot_be_made_is_told_and_the_installation_goes_on(
    project: Path, house: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    environment = Environment.make(tmp_path / "venv", house, MODELDEPS_CACHE=str(tmp_path / "file" / "store"))
    said = environment.pip("install", "-v", "--no-deps", project)
    assert "modeldeps: the models could not be fetched ahead" in said


def test_without_a_channel_the_log_says_that_nothing_can_be_fetched(house: Path, tmp_path: Path) -> None:
    project = write_project(tmp_path / "project", 'models = ["digits"]', backend="hatchling")
    environment = Environment.make(tmp_path / "venv", house)
    said = environment.pip("install", "-v", "--no-deps", project)
    assert "modeldeps: no channel is configured, so digits can't be fetched ahead" in said


def _let_uv_find(project: Path, folder: Path) -> None:
    text = (project / "pyproject.toml").read_text(encoding="utf-8")
    text += f'\n[tool.uv]\nno-index = true\nfind-links = ["{folder}"]\n'
    (project / "pyproject.toml").write_text(text, encoding="utf-8")


def _in_a_terminal(installer: str, project: Path, house: Path, tmp_path: Path) -> str:
    environment = Environment.make(tmp_path / "venv", house)
    program = [environment.python, "-m", "pip"] if installer == "pip" else [UV, "pip"]
    words = ["install", "--no-deps", "--no-index", "--find-links", house, project]
    return run(
        [sys.executable, "-c", IN_A_TERMINAL, *program, *words], env={"VIRTUAL_ENV": str(environment.prefix)}
    )
