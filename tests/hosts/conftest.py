"""What tests of conda share: two channels, and each conda that was named with each of its solvers."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
from conda_channel import model_channel, other_channel
from conda_packages import SUBDIR
from conda_runner import Conda, condas, has_module, has_rattler

if TYPE_CHECKING:
    from pathlib import Path


TRANSACTIONS = (25, 5)
"""The first release whose plugins take part in transactions."""


def _need(module: str, distribution: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{distribution} is not installed")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a channel with three digits releases and modeldeps; copy it to change it."""
    _need("conda_package_streaming", "conda-package-streaming")
    return model_channel(tmp_path_factory)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a channel with an interpreter, runtimes and what modeldeps needs."""
    _need("conda_package_streaming", "conda-package-streaming")
    if not SUBDIR:
        pytest.skip("no interpreter can be lent by links on this platform")
    return other_channel(tmp_path_factory)


@pytest.fixture(params=condas())
def any_conda(request: pytest.FixtureRequest, models: Path, others: Path, tmp_path: Path) -> Conda:
    """Return a conda that installs from both channels, in a folder of this test."""
    program, solver = request.param
    if solver == "rattler" and not has_rattler(program):
        pytest.skip("this conda has no rattler solver")
    assert has_module(program, "modeldeps.integrations.conda"), (
        f"install modeldeps with {program.parent}/python -m pip"
    )
    return Conda(program, solver, tmp_path / "conda", (models.as_uri(), others.as_uri()))


@pytest.fixture
def conda(any_conda: Conda) -> Conda:
    """Return a conda whose plugins take part in transactions."""
    if any_conda.version < TRANSACTIONS:
        pytest.skip("plugins of this conda take no part in transactions")
    return any_conda
