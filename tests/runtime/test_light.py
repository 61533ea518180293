"""What `load()` waits for is kept small; the short cuts give what the long ways give."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import modeldeps
from modeldeps import config
from modeldeps.digest import short_key
from modeldeps.manifest import _checks

if TYPE_CHECKING:
    from pathlib import Path

    from machines import Installed

HEAVY = (
    "asyncio",
    "concurrent.futures",
    "difflib",
    "hashlib",
    "importlib.metadata",
    "logging",
    "packaging",
    "platformdirs",
    "ssl",
    "subprocess",
    "tempfile",
    "tomllib",
    "modeldeps.fetch",
    "modeldeps.progress",
    "modeldeps.sync",
)

PROGRAM = """
import sys
import onnxruntime
before = set(sys.modules)
import modeldeps
modeldeps.load("digits")
print(*sorted(set(sys.modules) - before))
"""


def test_load_of_a_model_that_is_here_imports_nothing_heavy(digits: Installed) -> None:
    modeldeps.load("digits")
    environ = {**os.environ, "PYTHONPATH": str(digits.site)}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, check=True)
    imported = set(ran.stdout.decode().split())
    assert "modeldeps.runtime" in imported
    assert sorted(imported & set(HEAVY)) == []
    assert len(imported) < 70, sorted(imported)


@given(st.binary(max_size=200))
def test_a_short_key_is_the_beginning_of_the_sha256(data: bytes) -> None:
    assert short_key(data) == hashlib.sha256(data).hexdigest()[:16]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
@pytest.mark.parametrize("value", [None, "", "/xdg", "relative"])
def test_the_folders_of_the_user_are_those_that_platformdirs_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
) -> None:
    import platformdirs  # noqa: PLC0415 - only here

    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("MODELDEPS_CONFIG")
    assert config.default_cache() == platformdirs.user_cache_path("modeldeps", appauthor=False)
    folder = platformdirs.user_config_path("modeldeps", appauthor=False)
    assert config.config_file() == folder / "config.toml"


@pytest.mark.parametrize("text", [">=1.20", ">=1.20,<2", ">= 1.20, != 1.21.1", "==1", ">0"])
def test_a_plain_specifier_is_accepted_without_packaging(text: str) -> None:
    assert _checks.specifier(text) is None


@pytest.mark.parametrize("text", [">=1.20,", ",>=1", ">=", "1.20", ">=1.20 <2", ">=1..2", "=>1"])
def test_what_only_looks_like_a_plain_specifier_is_refused(text: str) -> None:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - only here

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        assert _checks.specifier(text) is not None
    else:
        assert _checks.specifier(text) is None
