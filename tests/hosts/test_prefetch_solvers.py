"""Whoever is asked chooses the newest release whose requirements can be met."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from digits_channel import digits_channel, stand_in_runtime
from installers import UV, wheelhouse
from static_site import static_site

from modeldeps.errors import ModelDepsError, SolverError
from modeldeps.prefetch import Index, Pip, Question, Solver, Uv
from modeldeps.publish.channel import yank
from modeldeps.requirement import ModelRequirement

pytestmark = pytest.mark.installers


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits_channel(tmp_path_factory)


@pytest.fixture(scope="session")
def links(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    house = wheelhouse(tmp_path_factory)
    runtime = stand_in_runtime(tmp_path_factory.mktemp("links") / "links")
    return ("--find-links", str(house), "--find-links", str(runtime))


@pytest.fixture(params=["pip", "uv"])
def solver(request: pytest.FixtureRequest, links: tuple[str, ...]) -> Solver:
    return Pip(links, closed=True) if request.param == "pip" else Uv(UV or "uv", links, closed=True)


def _question(channel: Path, *models: str, constraints: tuple[str, ...] = ()) -> Question:
    wanted = tuple(map(ModelRequirement.parse, models))
    return Question(wanted, constraints, (f"{channel.as_uri()}/",), folder=channel)


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("digits[cpu]>=2.0", "2.1.0"),
        ("digits[cpu]==2.0.0", "2.0.0"),
        ("digits[cpu]<2.1", "2.0.0"),
        ("digits", "3.0.0"),
    ],
)
def test_the_installers_own_solver_tells_what_it_would_take(
    model: str, version: str, solver: Solver, channel: Path
) -> None:
    assert solver.solve(_question(channel, model)) == {"digits": version}


def test_the_projects_plain_requirements_constrain_what_fits(solver: Solver, channel: Path) -> None:
    with pytest.raises(SolverError, match=f"{solver.name} does not tell which releases fit"):
        solver.solve(_question(channel, "digits[cpu]", constraints=("onnxruntime<1.17",)))


@pytest.mark.parametrize("setting", ["PIP_VERBOSE", "PIP_NO_DEPS", "PIP_REQUIRE_HASHES", "FORCE_COLOR"])
def test_the_users_settings_do_not_change_the_question(
    setting: str, links: tuple[str, ...], channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, "1")
    assert Pip(links, closed=True).solve(_question(channel, "digits[cpu]")) == {"digits": "2.1.0"}


def test_a_solver_that_is_not_there_is_told(channel: Path) -> None:
    with pytest.raises(SolverError, match="uv does not tell"):
        Uv(str(channel / "no-uv")).solve(_question(channel, "digits"))


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve a package index that has ONNX Runtime 1.20.0, and return its folder."""
    folder = tmp_path / "index"
    (folder / "onnxruntime").mkdir(parents=True)
    files = ["onnxruntime-1.20.0-py3-none-any.whl", "onnxruntime-99.0.tar.gz"]
    page = {"meta": {"api-version": "1.0"}, "files": [{"filename": name} for name in files]}
    (folder / "onnxruntime" / "index.html").write_text(json.dumps(page), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("digits[cpu]", "2.1.0"),
        ("digits[cpu]<2.1", "2.0.0"),
        ("digits", "3.0.0"),
        ("digits[cuda]", "3.0.0"),
    ],
)
def test_the_index_passes_over_a_release_whose_runtime_nobody_publishes(
    model: str, version: str, channel: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with static_site(packages) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        assert Index().solve(_question(channel, model)) == {"digits": version}


def test_an_index_that_the_user_did_not_name_is_not_asked(
    channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    assert Index().solve(_question(channel, "digits[cpu]")) == {"digits": "3.0.0"}


def test_the_index_passes_over_yanked_releases(
    channel: Path, packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil  # noqa: PLC0415 - this test alone

    copy = Path(shutil.copytree(channel, tmp_path / "channel"))
    yank(copy, "digits", "2.1.0", reason="wrong labels")
    with static_site(packages) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        assert Index().solve(_question(copy, "digits[cpu]")) == {"digits": "2.0.0"}


def test_offline_the_index_reads_folders_alone(channel: Path) -> None:
    assert Index(offline=True).solve(_question(channel, "digits")) == {"digits": "3.0.0"}
    far = Question((ModelRequirement("digits"),), (), ("http://127.0.0.1:9/",))
    with pytest.raises(SolverError, match="no release of digits"):
        Index(offline=True).solve(far)


def test_a_model_that_no_channel_has_is_told(channel: Path) -> None:
    with pytest.raises(ModelDepsError, match="no release of nothing"):
        Index().solve(_question(channel, "nothing"))


@pytest.mark.skipif(os.name == "nt", reason="the program that listens is a script")
def test_a_channels_password_is_not_among_the_words_that_everybody_can_list(tmp_path: Path) -> None:
    program, heard = tmp_path / "uv", tmp_path / "heard.json"
    program.write_text(
        f"#!{sys.executable}\nimport json, pathlib, sys\n"
        f"pathlib.Path({str(heard)!r}).write_text(json.dumps([sys.argv, sys.stdin.read()]))\n"
        "print('modeldeps-digits==2.1.0')\n"
    )
    program.chmod(0o755)
    url = "https://me:secret@models.example.com/"
    asked = Question((ModelRequirement.parse("digits"),), (), (url,), folder=tmp_path)
    assert Uv(str(program)).solve(asked) == {"digits": "2.1.0"}
    words, said = json.loads(heard.read_text())
    assert not any("secret" in word for word in words)
    assert f"{url}simple/" in said
