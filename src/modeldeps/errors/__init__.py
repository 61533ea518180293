"""
Every error that modeldeps raises on purpose.

ModelDepsError
├── InvalidFileError            a file with problems, each with its full key
│   ├── ManifestError
│   ├── ProjectError
│   └── ConfigError
├── InvalidNameError
├── RequirementError
└── UsageError
"""

from __future__ import annotations

from modeldeps.errors._base import COULD_NOT_RUN, FOUND_WRONG, WRONG_USAGE, ModelDepsError
from modeldeps.errors._values import (
    ConfigError,
    InvalidFileError,
    InvalidNameError,
    ManifestError,
    Problem,
    ProjectError,
    RequirementError,
    UsageError,
)

__all__ = [
    "COULD_NOT_RUN",
    "FOUND_WRONG",
    "WRONG_USAGE",
    "ConfigError",
    "InvalidFileError",
    "InvalidNameError",
    "ManifestError",
    "ModelDepsError",
    "Problem",
    "ProjectError",
    "RequirementError",
    "UsageError",
]
