"""Real condas bring models with their packages, whatever command links them; the prefix is as they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conda_packages import FUTURE_RUNTIME
from conda_runner import files_of
from static_site import static_site

from modeldeps.environment import find

if TYPE_CHECKING:
    from conda_runner import Conda

pytestmark = pytest.mark.conda

NOT_TOMORROW = f"onnxruntime<{FUTURE_RUNTIME}"
DIGITS = ("modeldeps-digits", NOT_TOMORROW)
OLD = ("modeldeps-digits=2.0", NOT_TOMORROW)
LOAD = "import modeldeps; model = modeldeps.load('digits'); print(model.version, model.provider)"


def blobs() -> set[str]:
    """Return the digests of the blobs in this test's store."""
    return {one.name for one in Path(os.environ["MODELDEPS_CACHE"]).glob("blobs/sha256/*/*")}


def installed(conda: Conda, name: str = "app") -> str:
    """Return the version of digits in an environment; nothing where it has none."""
    found = find("digits", [str(conda.site(name))])
    return found.version if found else ""


def test_create_brings_the_model_and_load_needs_no_network(conda: Conda) -> None:
    conda.create(*DIGITS)
    assert installed(conda) == "2.1.0"
    assert blobs()
    assert conda.python(LOAD, MODELDEPS_OFFLINE="1") == "2.1.0 cpu"


def test_a_model_comes_with_what_depends_on_it(conda: Conda) -> None:
    conda.create("demo-app", NOT_TOMORROW)
    assert installed(conda) == "2.1.0"
    assert blobs()


def test_install_and_update_and_remove(conda: Conda) -> None:
    conda.create("python", NOT_TOMORROW)
    assert not blobs()
    conda.install(*OLD)
    assert installed(conda) == "2.0.0"
    first = blobs()
    assert first
    conda.install("modeldeps-digits>=2.1", NOT_TOMORROW)
    assert installed(conda) == "2.1.0"
    assert blobs() > first
    assert conda.python(LOAD, MODELDEPS_OFFLINE="1") == "2.1.0 cpu"
    kept = blobs()
    conda("remove", "-n", "app", *conda.from_channels, "modeldeps-digits")
    assert not installed(conda)
    assert blobs() == kept


def test_update_moves_a_model_as_the_solver_says(conda: Conda) -> None:
    conda.create("modeldeps-digits", "onnxruntime<1.21")
    before = installed(conda)
    assert before
    conda.install(f"onnxruntime>={FUTURE_RUNTIME}", "modeldeps-digits>=3")
    assert installed(conda) == "3.0.0"


def test_a_clone_has_the_model_though_the_store_was_emptied(conda: Conda) -> None:
    conda.create(*DIGITS)
    shutil.rmtree(os.environ["MODELDEPS_CACHE"])
    conda("create", "-n", "twin", "--clone", "app")
    assert installed(conda, "twin") == "2.1.0"
    assert conda.python(LOAD, "twin", MODELDEPS_OFFLINE="1") == "2.1.0 cpu"


def test_an_explicit_file_brings_the_model(conda: Conda, tmp_path: Path) -> None:
    conda.create(*DIGITS)
    shutil.rmtree(os.environ["MODELDEPS_CACHE"])
    lock = tmp_path / "lock.txt"
    lock.write_text(conda("list", "-n", "app", "--explicit", "--md5").out)
    conda("create", "-n", "twin", "--file", lock)
    assert installed(conda, "twin") == "2.1.0"
    assert conda.python(LOAD, "twin", MODELDEPS_OFFLINE="1") == "2.1.0 cpu"


def test_an_environment_file_brings_the_model(conda: Conda, tmp_path: Path) -> None:
    lines = ["name: app", "channels:", *(f"  - {one}" for one in conda.channels)]
    lines += ["dependencies:", "  - modeldeps-digits>=2", f"  - {NOT_TOMORROW}"]
    (tmp_path / "environment.yml").write_text("\n".join(lines) + "\n")
    conda("env", "create", "-f", tmp_path / "environment.yml")
    assert installed(conda) == "2.1.0"
    assert conda.python(LOAD, MODELDEPS_OFFLINE="1") == "2.1.0 cpu"


def test_a_projects_own_file_makes_its_environment(conda: Conda, tmp_path: Path) -> None:
    text = (
        f'[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.10"\n'
        f'dependencies = ["packaging>=20", "{NOT_TOMORROW}"]\n\n'
        f'[tool.modeldeps]\nmodels = ["digits~=2.0"]\nchannels = {json.dumps(list(conda.channels))}\n'
    )
    (tmp_path / "pyproject.toml").write_text(text)
    conda("env", "create", "-n", "app", "-f", tmp_path / "pyproject.toml")
    assert installed(conda) == "2.1.0"
    assert conda.python(LOAD, MODELDEPS_OFFLINE="1") == "2.1.0 cpu"


@pytest.mark.parametrize("word", ["--dry-run", "--download-only"])
def test_what_links_nothing_brings_no_model(word: str, conda: Conda) -> None:
    conda.create(*DIGITS, word)
    assert not blobs()
    assert not (conda.prefix() / "conda-meta" / "history").exists()


def test_the_sizes_are_said_before_it_is_asked_whether_to_proceed(conda: Conda) -> None:
    said = conda.create(*DIGITS).all
    assert "digits 2.1.0" in said
    assert said.index("digits 2.1.0") < said.index("Preparing transaction")


@pytest.mark.parametrize("word", ["--json", "--quiet"])
def test_what_is_asked_to_be_quiet_is(word: str, conda: Conda) -> None:
    said = conda.create(*DIGITS, word)
    assert installed(conda) == "2.1.0"
    if word == "--json":
        assert said.json()["success"] is True
    assert "digits-fp32" not in said.all
    assert not [one for one in said.err.splitlines() if "digits" in one]


def test_a_second_environment_takes_the_model_from_the_store(
    conda: Conda, models: Path, others: Path, tmp_path: Path
) -> None:
    asked: list[str] = []
    with static_site(models, asked) as url:
        words = ["--override-channels", "-c", url, "-c", others.as_uri()]
        conda("create", "-n", "app", *words, *DIGITS)
        assert [one for one in asked if "/blobs/" in one]
        asked.clear()
        conda("create", "-n", "twin", *words, *DIGITS)
    assert not [one for one in asked if "/blobs/" in one]
    assert installed(conda, "twin") == "2.1.0"


def test_offline_is_enough_where_the_store_has_the_model(conda: Conda, models: Path, others: Path) -> None:
    with static_site(models) as url:
        words = ["--override-channels", "-c", url, "-c", others.as_uri()]
        conda("create", "-n", "app", *words, *DIGITS)
        conda("create", "-n", "twin", *words, "--offline", *DIGITS)
        assert installed(conda, "twin") == "2.1.0"
        shutil.rmtree(os.environ["MODELDEPS_CACHE"])
        before = files_of(conda.prefix("third"))
        said = conda("create", "-n", "third", *words, "--offline", *DIGITS, status=1)
    assert "offline" in said.all
    assert "Traceback" not in said.all
    assert not installed(conda, "third")
    assert not blobs()
    assert before == {}


def test_pip_and_conda_have_each_blob_once(conda: Conda, models: Path, tmp_path: Path) -> None:
    conda.create(*DIGITS)
    there = blobs()
    wheel = next(models.glob("simple/modeldeps-digits/modeldeps_digits-2.1.0-*.whl"))
    site = tmp_path / "site"
    shutil.unpack_archive(wheel, site, "zip")
    environ = {**os.environ, "PYTHONPATH": str(site), "MODELDEPS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=environ, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "2.1.0 cpu", done.stderr
    assert blobs() == there
