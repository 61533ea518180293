"""From its environment and words it is known whether an installer is at work, and what it was asked for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from modeldeps.prefetch import Frontend, Index, Pip, Uv, frontend, question, solvers
from modeldeps.prefetch._frontend import _words_from_ps, parent_folder, parent_words
from modeldeps.prefetch._prefetch import first
from modeldeps.project import Pyproject, parse

PIP = {"PIP_BUILD_TRACKER": "/tmp/tracker"}  # noqa: S108 - a name, nothing is made there
OLD_PIP = {"PIP_REQ_TRACKER": "/tmp/tracker"}  # noqa: S108 - as above
UV = {"UV_INTERNAL__BUILD_DIR": "/project", "UV": "/bin/uv"}


@pytest.mark.parametrize(
    ("environ", "words", "kind"),
    [
        (PIP, (), "pip"),
        (OLD_PIP, (), "pip"),
        (PIP, ("python", "-m", "pip", "install", "."), "pip"),
        (PIP, ("python", "/bin/pip", "install", "-e", "wheel", "."), "pip"),
        (UV, (), "uv"),
        (UV, ("uv", "pip", "install", "."), "uv"),
        (UV, ("uv", "sync"), "uv"),
        (UV, ("uv", "run", "build"), "uv"),
        (UV, ("uv", "tool", "install", "."), "uv"),
        ({}, ("python", "-m", "build"), None),
        ({"UV": "/bin/uv"}, ("uv", "run", "python", "-m", "build"), None),
        (PIP, ("python", "-m", "pip", "wheel", "."), None),
        (PIP, ("python", "-m", "pip", "download", "."), None),
        (PIP, ("python", "-m", "pip", "lock", "."), None),
        (PIP, ("python", "-m", "pip", "install", "--dry-run", "."), None),
        (UV, ("uv", "build"), None),
        (UV, ("uv", "lock"), None),
        (UV, ("uv", "export"), None),
        (UV, ("uv", "pip", "compile", "pyproject.toml"), None),
    ],
)
def test_only_an_installer_that_installs_is_one(
    environ: dict[str, str], words: tuple[str, ...], kind: str | None
) -> None:
    found = frontend(environ, words)
    assert (found.kind if found else None) == kind


def test_options_about_indexes_are_handed_on_with_absolute_paths() -> None:
    words = (
        "pip",
        "install",
        "-f",
        "wheels",
        "--index-url=https://a.example/s",
        "-i",
        "x",
        "--pre",
        ".",
    )
    found = frontend(PIP, words, folder=Path("/home/me"))
    assert found
    assert found.indexes == (
        *("-f", str(Path("/home/me/wheels"))),
        *("--index-url", "https://a.example/s"),
        *("-i", str(Path("/home/me/x"))),
    )


@pytest.mark.parametrize("environ", [{**PIP, "PIP_NO_INDEX": "1"}, {**UV, "UV_NO_INDEX": "true"}])
def test_an_index_may_be_forbidden_by_word_or_by_variable(environ: dict[str, str]) -> None:
    by_variable, by_word = frontend(environ), frontend(PIP, ("pip", "install", "--no-index", "."))
    assert by_variable
    assert by_word
    assert by_variable.closed
    assert by_word.closed
    assert not (frontend(PIP) or by_word).closed


@pytest.mark.parametrize(
    ("words", "extras"),
    [
        (("pip", "install", ".[gpu,Docs_x]"), {"gpu", "docs-x"}),
        (("uv", "sync", "--extra", "gpu", "--extra=cuda"), {"gpu", "cuda"}),
        (("pip", "install", "."), set()),
    ],
)
def test_the_extras_that_the_user_asks_for_are_known(words: tuple[str, ...], extras: set[str]) -> None:
    found = frontend(PIP, words)
    assert found
    assert found.extras == extras


def test_the_words_of_the_parent_are_those_that_started_it() -> None:
    assert parent_words()
    folder = parent_folder()
    assert folder is None or folder.is_dir()


def test_each_installers_own_solver_is_asked_first_and_offline_none() -> None:
    assert solvers(Frontend("pip", indexes=("-i", "x"), closed=True)) == (
        Pip(("-i", "x"), closed=True),
        Index(),
    )
    assert solvers(Frontend("uv", "/bin/uv")) == (Uv("/bin/uv"), Index())
    assert solvers(Frontend("uv"), offline=True) == (Index(offline=True),)


def test_one_run_of_an_installer_prefetches_a_project_once(tmp_path: Path) -> None:
    shown = Frontend("pip", stamps=tmp_path)
    assert [first(shown, tmp_path / name) for name in ("a", "a", "b")] == [True, False, True]
    assert first(Frontend("pip", stamps=tmp_path / "gone"), tmp_path)
    assert first(Frontend("uv"), tmp_path)


def test_uvs_throwaway_environment_takes_the_stamp_and_the_users_never(tmp_path: Path) -> None:
    inside, outside = tmp_path / "builds-v0" / "x", tmp_path / "venv"
    assert (frontend(UV, prefix=str(inside)) or Frontend("")).stamps == inside
    assert (frontend(UV, prefix=str(outside)) or Frontend("")).stamps is None


def test_a_uv_that_shows_nothing_is_known_by_its_throwaway_environment(tmp_path: Path) -> None:
    inside = tmp_path / "builds-v0" / "x"
    assert frontend({}, prefix=str(inside)) == Frontend("uv", stamps=inside)
    assert frontend({}, prefix=str(tmp_path / "venv")) is None


PROJECT = """
[project]
dependencies = ["modeldeps-static[cuda]>=1", "rich[x]>=9; python_version>'3'", "a @ https://x.example/a.whl"]
[tool.modeldeps]
models = ["digits>=2.1", "never; python_version<'3'"]
optional-models = { gpu = ["segment"] }
dependencies = ["numpy>=2", "plain"]
runtime = "RUNTIME"
"""


@pytest.mark.parametrize(
    ("runtime", "extras", "models", "asked_runtime"),
    [
        ("cpu", set(), ["modeldeps-digits[cpu]>=2.1", "modeldeps-static[cuda]>=1"], "cpu"),
        (
            "cuda",
            {"gpu"},
            ["modeldeps-digits[cuda]>=2.1", "modeldeps-segment[cuda]", "modeldeps-static[cuda]>=1"],
            "cuda",
        ),
        ("none", set(), ["modeldeps-digits>=2.1", "modeldeps-static[cuda]>=1"], "cpu"),
        ("extras", {"cuda"}, ["modeldeps-digits[cuda]>=2.1", "modeldeps-static[cuda]>=1"], "cuda"),
        ("extras", set(), ["modeldeps-digits[cpu]>=2.1", "modeldeps-static[cuda]>=1"], "cpu"),
    ],
)
def test_what_is_asked_follows_the_declaration(
    runtime: str, extras: set[str], models: list[str], asked_runtime: str, tmp_path: Path
) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(PROJECT.replace("RUNTIME", runtime), encoding="utf-8")
    declaration = parse(Pyproject.read(file))
    assert declaration
    asked = question(Pyproject.read(file), declaration, channels=["c/", "c/"], extras=extras)
    assert list(asked.requirements) == models
    assert asked.runtime == asked_runtime
    assert asked.channels == ("c/",)
    assert asked.constraints == ("numpy>=2", 'rich>=9; python_version > "3"')


@pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps")
def test_the_system_tells_words_with_ps_too() -> None:
    assert Path(_words_from_ps(os.getpid())[0]).name.startswith("python")
