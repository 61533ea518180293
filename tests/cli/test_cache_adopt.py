"""`modeldeps cache adopt`, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from releases import Release

from modeldeps.digest import sha256_bytes

if TYPE_CHECKING:
    from pathlib import Path

PAYLOAD = b"weights of a model" * 1000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with no cache at all, beside a folder into which a pointer package was installed."""
    release = Release(payload=PAYLOAD)
    release.build(tmp_path / "dist")
    with zipfile.ZipFile(tmp_path / "dist" / release.filename) as wheel:
        wheel.extractall(tmp_path / "site")
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def run(home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    ours = ("HOME", "XDG_", "HF_", "OLLAMA_", "TORCH_", "PIP_", "UV_", "CONDA_", "MAMBA_", "LOCALAPPDATA")
    found = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    found |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "PYTHONPATH": str(home.parent / "site"),
        **variables,
    }
    command = (sys.executable, "-m", "modeldeps", "cache", "adopt", *words)
    return subprocess.run(command, capture_output=True, text=True, env=found, cwd=home, check=False)


def adopted(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return how each file was taken."""
    assert done.returncode == 0, done.stderr
    return {one["path"]: one["how"] for one in json.loads(done.stdout)["adopted"]}


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(data)


CACHES = {
    "hf": f".cache/huggingface/hub/models--a--b/blobs/{sha256_bytes(PAYLOAD)}",
    "ollama": f".ollama/models/blobs/sha256-{sha256_bytes(PAYLOAD)}",
    "torch": ".cache/torch/hub/checkpoints/model.pth",
    "uv": ".cache/uv/archive-v0/abc/package/model.onnx",
    "conda": ".conda/pkgs/package-1.0-0/share/model.onnx",
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere caches lie elsewhere")
@pytest.mark.parametrize("cache", CACHES)
def test_each_known_cache_is_searched_alone_and_with_the_others(home: Path, cache: str) -> None:
    write(home / CACHES[cache], PAYLOAD)
    others = ",".join(one for one in CACHES if one != cache)
    assert adopted(run(home, "--from", others, "--json")) == {}
    assert adopted(run(home, "--from", cache, "--dry-run", "--json")) == {"model.onnx": None}
    assert adopted(run(home, "--json")) == {"model.onnx": "hard link"}
    assert adopted(run(home, "--json")) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere caches lie elsewhere")
def test_wheels_in_the_cache_of_pip_are_looked_into(home: Path) -> None:
    body = home / ".cache/pip/http-v2/a/b/c/abc.body"
    body.parent.mkdir(parents=True)
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("package/model.onnx", PAYLOAD)
    assert adopted(run(home, "--from", "pip", "--json")) == {"model.onnx": "copy"}


def test_packages_that_ship_the_model_beside_the_pointer_are_searched(home: Path) -> None:
    write(home.parent / "site" / "silero" / "data" / "model.onnx", PAYLOAD)
    done = run(home, "--from", "environments")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[5:12] == ["digits", "2.1.0", "model.onnx", "18.0", "kB", "hard", "link"]
    assert "took 1 file (18.0 kB); 1 file (6 B) that models need was not found" in done.stderr


def test_all_takes_what_no_model_needs(home: Path) -> None:
    write(home / "models" / "any.bin", b"any")
    assert adopted(run(home, "models", "--json")) == {}
    assert adopted(run(home, "models", "--all", "--copy", "--json")) == {"any.bin": "copy"}


def test_words_that_don_t_go_together_are_wrong_usage(home: Path) -> None:
    for words, told in {
        ("--all",): "--all needs a place to take everything from",
        ("nowhere",): "reason: no such file or directory",
        ("n" * 300,): "reason: file name too long",
        ("--from", "steam"): "'steam' is no known cache; there are hf, ollama",
    }.items():
        done = run(home, *words)
        assert done.returncode == 2
        assert told in done.stderr


def test_without_models_nothing_is_wanted_and_that_is_said(home: Path) -> None:
    done = run(home, PYTHONPATH="")
    assert done.returncode == 0
    assert "no model is installed here" in done.stderr


def test_a_name_that_lies_is_told_and_names_obey_no_terminal(home: Path) -> None:
    write(home / "models" / sha256_bytes(PAYLOAD), PAYLOAD[:-1] + b"!")
    (home / "models" / "\x1b[31mred").write_bytes(PAYLOAD)
    done = run(home, "models")
    assert "has other bytes than its name says" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "?[31mred" in done.stdout
