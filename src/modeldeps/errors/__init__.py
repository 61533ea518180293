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
├── DigestError                 a source served other bytes than the manifest names
├── InvalidNameError
├── OfflineError                bytes are missing, and the network may not be used
├── RequirementError
├── SourceError                 one source did not serve what it was asked for
│   ├── BrokenTransferError
│   ├── NotFoundError
│   └── RefusedError
├── UnreachableError            every source failed, each with its reason
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
from modeldeps.errors._fetch import (
    BrokenTransferError,
    DigestError,
    NotFoundError,
    OfflineError,
    RefusedError,
    SourceError,
    UnreachableError,
    redact,
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
    "BrokenTransferError",
    "ChangedFileError",
    "ChannelError",
    "ChannelFullError",
    "ChannelWriteError",
    "ConfigError",
    "DigestError",
    "IndexPageError",
    "InvalidFileError",
    "InvalidNameError",
    "ManifestError",
    "ModelDepsError",
    "NotAChannelError",
    "NotFoundError",
    "NotPublishedError",
    "NothingToPublishError",
    "OfflineError",
    "PointerWheelError",
    "Problem",
    "ProjectError",
    "RefusedError",
    "RemoteChannelError",
    "RequirementError",
    "SourceError",
    "UnreachableError",
    "UsageError",
    "redact",
]
