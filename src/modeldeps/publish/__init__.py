"""Make releases of models, and the channels that serve them."""

from __future__ import annotations

from modeldeps.publish._new import NewProject, new_project
from modeldeps.publish._release import (
    Release,
    build_pointer,
    build_release,
    build_requirements,
    pack_pointer,
    prepare_pointer,
)
from modeldeps.publish._sdist import write_sdist

__all__ = [
    "NewProject",
    "Release",
    "build_pointer",
    "build_release",
    "build_requirements",
    "new_project",
    "pack_pointer",
    "prepare_pointer",
    "write_sdist",
]
