"""The two channels that conda's tests install from, made once a session: models, and what others publish."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from conda_packages import STAMP, standard_packages, write_channel
from digits_channel import digits_channel
from installers import once

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def model_channel(factory: pytest.TempPathFactory) -> Path:
    """Return a channel with the digits releases and modeldeps itself; tests that change it take a copy."""
    folder = digits_channel(factory)

    def add_modeldeps(mark: Path) -> None:
        from modeldeps.cli._own_wheel import write_own_wheel  # noqa: PLC0415 - only where conda is tested
        from modeldeps.publish.channel import publish  # noqa: PLC0415 - as above
        from modeldeps.publish.conda import conda_package  # noqa: PLC0415 - as above

        wheel = write_own_wheel(mark)
        made = conda_package(wheel.read_bytes(), wheel.name, timestamp=STAMP * 1000)
        (mark / made.filename).write_bytes(made.data)
        publish(mark / made.filename, folder)

    once(_shared(factory) / "conda-own", add_modeldeps)
    return folder


def other_channel(factory: pytest.TempPathFactory) -> Path:
    """Return a channel with an interpreter, runtimes and what modeldeps needs; nobody changes it."""

    def fill(folder: Path) -> None:
        write_channel(folder / "channel", standard_packages(folder / "borrowed"))

    return once(_shared(factory) / "conda-others", fill) / "channel"


def _shared(factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
