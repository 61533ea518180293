"""
The build backend of model projects (PEP 517, PEP 660).

    [build-system]
    requires = ["modeldeps"]
    build-backend = "modeldeps.backend"

`python -m build`, `uv build` and `pip wheel` make the pointer wheel with it; the payload stays where it is.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modeldeps.progress import Reporter
from modeldeps.publish import build_pointer, build_requirements, pack_pointer, prepare_pointer
from modeldeps.publish import write_sdist as write_source

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Mapping[str, Any] | None


class _Notes(Reporter):
    """Write notes where frontends show what a backend says."""

    def note(self, text: str) -> None:
        """Write one line to stderr."""
        print(text, file=sys.stderr)  # noqa: T201 - a backend speaks to its frontend


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:  # noqa: ARG001 - PEP 517 names it
    """Return what the wheel needs besides modeldeps: onnx to read its files, a runtime for its examples."""
    return build_requirements(Path.cwd())


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """Return what an editable wheel needs: the same."""
    return get_requires_for_build_wheel(config_settings)


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:  # noqa: ARG001 - PEP 517 names it
    """Return what a source distribution needs: nothing more."""
    return []


def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,  # noqa: ARG001 - PEP 517 names it
    metadata_directory: str | None = None,
) -> str:
    """Write the pointer wheel, and return its file name; what was prepared is not computed again."""
    prepared = Path(metadata_directory) if metadata_directory else None
    if prepared is not None and (prepared / "model.json").is_file():
        return pack_pointer(prepared, Path(wheel_directory)).name
    return build_pointer(Path.cwd(), Path(wheel_directory), reporter=_Notes()).name


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Write the pointer wheel: a pointer has no code that could be edited in place."""
    return build_wheel(wheel_directory, config_settings, metadata_directory)


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:  # noqa: ARG001
    """Write the `.dist-info` folder that the wheel will have, and return its name."""
    return prepare_pointer(Path.cwd(), Path(metadata_directory), reporter=_Notes()).name


def prepare_metadata_for_build_editable(metadata_directory: str, config_settings: Settings = None) -> str:
    """Write the `.dist-info` folder: the same."""
    return prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:  # noqa: ARG001 - PEP 517 names it
    """Write a source distribution with the payload, and return its file name."""
    return write_source(Path.cwd(), Path(sdist_directory)).name
