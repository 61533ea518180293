"""`conda models`, `conda doctor` and the rest that real condas offer about models."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conda_packages import FUTURE_RUNTIME
from conda_runner import Said, files_of

from modeldeps.environment import find

if TYPE_CHECKING:
    from conda_runner import Conda

pytestmark = pytest.mark.conda

DIGITS = ("modeldeps-digits", f"onnxruntime<{FUTURE_RUNTIME}")
LOAD = "import modeldeps; print(modeldeps.load('digits').version)"


def blobs() -> list[Path]:
    """Return the blobs of this test's store."""
    return sorted(Path(os.environ["MODELDEPS_CACHE"]).glob("blobs/sha256/*/*"))


def manifest_of(conda: Conda) -> Path:
    """Return the manifest of digits in the environment."""
    found = find("digits", [str(conda.site())])
    assert found is not None
    return found.file


def doctor(conda: Conda, *words: str) -> Said:
    return conda("doctor", "-n", "app", *words, CONDA_REMOTE_MAX_RETRIES="0", CONDA_OFFLINE="1")


def test_list_and_show_are_about_the_environment_that_is_named(conda: Conda) -> None:
    conda.create(*DIGITS)
    conda.create("python", name="bare")
    listed = conda("models", "list", "-n", "app", "--json").json()
    assert [(one["name"], one["version"]) for one in listed["models"]] == [("digits", "2.1.0")]
    assert conda("models", "list", "-n", "bare", "--json").json()["models"] == []
    assert "digits 2.1.0" in conda("models", "show", "digits", "-p", conda.prefix()).all
    active = conda("models", "list", "--json", CONDA_PREFIX=str(conda.prefix())).json()
    assert active["models"] == listed["models"]


def test_sync_brings_what_the_store_lacks(conda: Conda) -> None:
    conda.create(*DIGITS)
    shutil.rmtree(os.environ["MODELDEPS_CACHE"])
    found = conda("models", "sync", "-n", "app", "--json").json()
    assert found["bytes_fetched"] > 0
    assert conda.python(LOAD, MODELDEPS_OFFLINE="1") == "2.1.0"
    assert conda("models", "sync", "-n", "app", "--json").json()["bytes_fetched"] == 0


def test_where_a_plugin_takes_no_part_in_transactions_its_commands_work(any_conda: Conda) -> None:
    any_conda.create(*DIGITS)
    assert bool(blobs()) is (any_conda.version >= (25, 5))
    listed = any_conda("models", "list", "-n", "app", "--json").json()
    assert [one["name"] for one in listed["models"]] == ["digits"]
    any_conda("models", "sync", "-n", "app")
    assert any_conda.python(LOAD, MODELDEPS_OFFLINE="1") == "2.1.0"


def test_an_environment_that_is_not_there_is_a_message(conda: Conda) -> None:
    said = conda("models", "list", "-n", "nowhere", status=1)
    assert "nowhere" in said.all
    assert "Traceback" not in said.all


def test_what_no_environment_needs_is_freed_after_conda_remove(conda: Conda) -> None:
    conda.create(*DIGITS)
    conda("models", "cache", "gc", "--keep-days", "0")
    kept = blobs()
    assert kept
    conda("remove", "-n", "app", *conda.from_channels, "modeldeps-digits")
    assert blobs() == kept
    conda("models", "cache", "gc", "--keep-days", "0")
    assert not blobs()


def test_a_clone_keeps_a_model_that_the_original_lost(conda: Conda) -> None:
    conda.create(*DIGITS)
    conda("create", "-n", "twin", "--clone", "app")
    conda("remove", "-n", "app", "--all")
    conda("models", "cache", "gc", "--keep-days", "0")
    assert conda.python(LOAD, "twin", MODELDEPS_OFFLINE="1") == "2.1.0"


def test_doctor_has_nothing_to_say_of_what_is_right(conda: Conda) -> None:
    conda.create(*DIGITS)
    said = doctor(conda).all
    assert "digits" not in said
    assert "odels" in said


def test_doctor_finds_and_mends_a_missing_payload(conda: Conda) -> None:
    conda.create(*DIGITS)
    shutil.rmtree(os.environ["MODELDEPS_CACHE"])
    assert "digits 2.1.0" in doctor(conda).all
    if conda.version < (26, 1):
        return
    doctor(conda, "--fix")
    assert blobs()
    assert "digits 2.1.0" not in doctor(conda).all
    assert conda.python(LOAD, MODELDEPS_OFFLINE="1") == "2.1.0"


def test_doctor_finds_an_altered_payload(conda: Conda) -> None:
    conda.create(*DIGITS)
    largest = max(blobs(), key=lambda one: one.stat().st_size)
    largest.chmod(0o644)
    largest.write_bytes(bytes(largest.stat().st_size))
    assert "digits 2.1.0" in doctor(conda).all


def test_doctor_finds_an_altered_and_a_missing_manifest(conda: Conda) -> None:
    conda.create(*DIGITS)
    manifest = manifest_of(conda)
    whole = manifest.read_bytes()
    manifest.unlink()
    assert "modeldeps-digits" in doctor(conda).all
    manifest.write_bytes(whole.replace(b"digits", b"digitz"))
    said = doctor(conda).all
    assert "altered" in said
    assert "digits" in said


def test_the_version_of_the_runtime_can_be_required_by_packages(conda: Conda) -> None:
    found = conda("info", "--json").json()["virtual_pkgs"]
    virtual = {one[0]: one[1] for one in found}
    assert virtual["__modeldeps"]
    conda.create("python", "__modeldeps>=0.1", "--dry-run")
    conda.create("python", "__modeldeps>=99", "--dry-run", status=1)


def test_an_exported_environment_makes_the_same_one(conda: Conda, tmp_path: Path) -> None:
    conda.create(*DIGITS)
    text = conda("env", "export", "-n", "app").out
    assert "modeldeps-digits=2.1.0=pointer_1" in text
    (tmp_path / "environment.yml").write_text(text)
    conda("env", "create", "-n", "twin", "-f", tmp_path / "environment.yml")
    assert conda.python(LOAD, "twin", MODELDEPS_OFFLINE="1") == "2.1.0"


def test_the_models_are_exported_as_a_project_declares_them(conda: Conda) -> None:
    if conda.version < (25, 9):
        pytest.skip("this conda has no exporters")
    conda.create(*DIGITS)
    said = conda("export", "-n", "app", "--format", "modeldeps").out
    assert '"digits==2.1.0"' in said


def test_commands_of_conda_work_with_the_plugin_and_say_nothing_of_it(conda: Conda) -> None:
    conda.create("python")
    before = files_of(conda.prefix())
    for words in (["info"], ["list", "-n", "app"], ["env", "list"], ["config", "--show", "solver"]):
        said = conda(*words)
        assert "modeldeps" not in said.err
        assert "rror" not in said.err
    assert json.loads(conda("list", "-n", "app", "--json").out)
    assert files_of(conda.prefix()) == before
