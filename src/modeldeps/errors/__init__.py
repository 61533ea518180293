"""
Every error that modeldeps raises on purpose.

ModelDepsError
├── InvalidFileError            a file with problems, each with its full key
│   ├── ManifestError
│   ├── ProjectError
│   ├── ConfigError
│   ├── IndexPageError          a channel's index
│   └── PointerWheelError
├── ChannelError                a channel can't be read or written
│   ├── AlreadyPublishedError
│   ├── BlobsError
│   ├── ChangedFileError
│   ├── ChannelFullError
│   ├── ChannelWriteError
│   ├── NotAChannelError
│   ├── NothingToPublishError
│   ├── NotPublishedError
│   └── RemoteChannelError
├── InvalidNameError
├── RequirementError
└── UsageError
"""

from __future__ import annotations

from modeldeps.errors._base import COULD_NOT_RUN, FOUND_WRONG, WRONG_USAGE, ModelDepsError
from modeldeps.errors._channel import (
    AlreadyPublishedError,
    BlobsError,
    ChangedFileError,
    ChannelError,
    ChannelFullError,
    ChannelWriteError,
    IndexPageError,
    NotAChannelError,
    NothingToPublishError,
    NotPublishedError,
    PointerWheelError,
    RemoteChannelError,
)
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
    "AlreadyPublishedError",
    "BlobsError",
    "ChangedFileError",
    "ChannelError",
    "ChannelFullError",
    "ChannelWriteError",
    "ConfigError",
    "IndexPageError",
    "InvalidFileError",
    "InvalidNameError",
    "ManifestError",
    "ModelDepsError",
    "NotAChannelError",
    "NotPublishedError",
    "NothingToPublishError",
    "PointerWheelError",
    "Problem",
    "ProjectError",
    "RemoteChannelError",
    "RequirementError",
    "UsageError",
]
