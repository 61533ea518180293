"""What all tests share: settings of their own, and the digits model projects."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from modeldeps.config import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what runs in its background like that
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis_settings.register_profile(
    "default", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile("thorough", max_examples=1000, deadline=None)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a store of its own and none of the settings of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("MODELDEPS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MODELDEPS_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("MODELDEPS_CONFIG", os.devnull)
    monkeypatch.setenv("MODELDEPS_SYSTEM_CONFIG", os.devnull)
    for name in ("HF_HUB_CACHE", "OLLAMA_MODELS"):
        monkeypatch.setenv(name, str(tmp_path / "nothing-elsewhere"))
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")


@pytest.fixture
def store_settings(tmp_path: Path) -> Settings:
    """Return settings whose store is empty and belongs to this test."""
    return Settings(cache=tmp_path / "store")


@pytest.fixture
def digits_project(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that copies the digits model project of a version into this test's folder."""

    def copy(version: str) -> Path:
        return Path(shutil.copytree(FIXTURES / "digits" / version, tmp_path / f"digits-{version}"))

    return copy
