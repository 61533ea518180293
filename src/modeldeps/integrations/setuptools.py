"""The setuptools plugin: models become `Requires-Dist` of the project that is built."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


class Distribution(Protocol):
    """What is used of a `setuptools.Distribution`; the same from 50 to 84."""

    src_root: str | None
    install_requires: list[str]
    extras_require: dict[str, list[str]]
    parse_config_files: Callable[..., None]

    def _finalize_requires(self) -> None:
        """Bring the two lists above into the form that is written."""


def finalize_distribution_options(dist: Distribution) -> None:
    """
    Arrange that the models are added once setuptools has read the project's configuration.

    setuptools calls this before it reads pyproject.toml and setup.cfg, and reading them replaces
    what was set; so this instance's `parse_config_files` is wrapped, and adds afterwards.
    """
    original = dist.parse_config_files

    @functools.wraps(original)
    def parse_config_files(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - setuptools' own signature
        original(*args, **kwargs)
        add_models(dist)

    dist.parse_config_files = parse_config_files


def add_models(dist: Distribution) -> None:
    """Add the models to what setuptools has read. Raises ProjectError."""
    folder = Path(dist.src_root or os.curdir)
    if not (folder / "pyproject.toml").is_file():
        return
    from modeldeps.integrations._build import added_by  # noqa: PLC0415 - runs in every setuptools build

    added = added_by(folder)
    if added is None:
        return
    dependencies, extras = added
    dist.install_requires = [*(dist.install_requires or ()), *dependencies]
    known = dict(dist.extras_require or {})
    for group, texts in extras.items():
        known[group] = [*known.get(group, ()), *texts]
    dist.extras_require = known
    dist._finalize_requires()  # noqa: SLF001 - what setuptools itself calls after reading
