"""
Every error that modeldeps raises on purpose.

ModelDepsError
├── InvalidFileError            a file with problems, each with its full key
│   ├── ManifestError
│   ├── ProjectError
│   ├── ConfigError
│   ├── CondaPackageError
│   ├── IndexPageError          a channel's index
│   └── PointerWheelError
├── ChannelError                a channel can't be read or written
│   ├── AlreadyPublishedError
│   ├── BlobsError
│   ├── ChangedFileError
│   ├── ChannelFullError
│   ├── ChannelWriteError
│   ├── CondaMismatchError
│   ├── NotAChannelError
│   ├── NothingToPublishError
│   ├── NotPublishedError
│   └── RemoteChannelError
├── ContradictionError          the chunks of a manifest are not the file that it names
├── DigestError                 a source served other bytes than the manifest names
├── InvalidNameError
├── ManifestLostError           an installed manifest is missing or altered, and can't be restored
├── OfflineError                bytes are missing, and the network may not be used
├── RequirementError
├── SourceError                 one source did not serve what it was asked for
│   ├── BrokenTransferError
│   ├── NotFoundError
│   └── RefusedError
│       └── DeniedError         what was said about who asks is not enough
├── StoreError                  the store can't do what it was asked for
│   ├── BlobMissingError
│   ├── NotAStoreError
│   ├── NotInStoreError
│   ├── SharingError
│   ├── StoreBusyError
│   ├── StoreFailedError
│   ├── StoreFullError
│   ├── StoreGoneError
│   ├── StoreLayoutError
│   └── StoreReadOnlyError
├── UnreachableError            every source failed, each with its reason
├── ModelNotInstalledError      no pointer package of a model is in this environment
├── ModelVersionError           the installed release is not one that was asked for
├── NotRunnableError            no variant of a model can be run here
│   ├── ProviderUnavailableError
│   ├── RuntimeMissingError
│   └── RuntimeVersionError
├── UnknownProviderError        no execution provider has that name
├── UnknownVariantError         a release has no variant of that name
├── OptionError                 an option of load() is not one
├── OpenError                   ONNX Runtime can't open a model's file
├── InputError                  what run() was given is not what the model takes
├── RunError                    ONNX Runtime failed while it ran a model
├── NoProjectError              there is no pyproject.toml
├── NoStaticDependenciesError   a project has no list to add a model to
├── ProjectEditError            a pyproject.toml can't be edited without harm
├── ScriptError                 a script's metadata (PEP 723) can't be edited
├── SolverError                 nobody tells which release an installer would take
├── UndeclaredModelError        a project does not declare a model
├── BuildToolError              a package that building needs isn't installed
├── CorruptModelError           a file is not the model that its name promises
├── ExampleError                a golden example does not fit the model
├── FileChangedError            a file changed while a release was made of it
├── FolderInUseError            a new model project would land on other files
├── GoldenOutputError           a variant computes other outputs than its example
├── NotAModelProjectError       a folder is no model project
├── RefusedFormatError          a file of a release would run code when opened
├── NotWholeError               this installation of modeldeps lacks a part of itself
├── StepFailedError             a step of the demo failed
└── UsageError
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modeldeps.errors._base import COULD_NOT_RUN, FOUND_WRONG, WRONG_USAGE, ModelDepsError
    from modeldeps.errors._channel import (
        AlreadyPublishedError,
        BlobsError,
        ChangedFileError,
        ChannelError,
        ChannelFullError,
        ChannelWriteError,
        CondaMismatchError,
        CondaPackageError,
        IndexPageError,
        NotAChannelError,
        NothingToPublishError,
        NotPublishedError,
        PointerWheelError,
        RemoteChannelError,
    )
    from modeldeps.errors._cli import NotWholeError, StepFailedError
    from modeldeps.errors._conda import ManifestLostError
    from modeldeps.errors._fetch import (
        BrokenTransferError,
        ContradictionError,
        DeniedError,
        DigestError,
        NotFoundError,
        OfflineError,
        RefusedError,
        SourceError,
        UnreachableError,
        redact,
    )
    from modeldeps.errors._project import (
        NoProjectError,
        NoStaticDependenciesError,
        ProjectEditError,
        ScriptError,
        SolverError,
        UndeclaredModelError,
    )
    from modeldeps.errors._release import (
        BuildToolError,
        CorruptModelError,
        ExampleError,
        FileChangedError,
        FolderInUseError,
        GoldenOutputError,
        NotAModelProjectError,
        RefusedFormatError,
    )
    from modeldeps.errors._roots import NotInStoreError, StoreBusyError
    from modeldeps.errors._runtime import (
        InputError,
        ModelNotInstalledError,
        ModelVersionError,
        NotRunnableError,
        OpenError,
        OptionError,
        ProviderUnavailableError,
        RunError,
        RuntimeMissingError,
        RuntimeVersionError,
        UnknownProviderError,
        UnknownVariantError,
    )
    from modeldeps.errors._store import (
        BlobMissingError,
        NotAStoreError,
        SharingError,
        StoreError,
        StoreFailedError,
        StoreFullError,
        StoreGoneError,
        StoreLayoutError,
        StoreReadOnlyError,
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
    "BlobMissingError",
    "BlobsError",
    "BrokenTransferError",
    "BuildToolError",
    "ChangedFileError",
    "ChannelError",
    "ChannelFullError",
    "ChannelWriteError",
    "CondaMismatchError",
    "CondaPackageError",
    "ConfigError",
    "ContradictionError",
    "CorruptModelError",
    "DeniedError",
    "DigestError",
    "ExampleError",
    "FileChangedError",
    "FolderInUseError",
    "GoldenOutputError",
    "IndexPageError",
    "InputError",
    "InvalidFileError",
    "InvalidNameError",
    "ManifestError",
    "ManifestLostError",
    "ModelDepsError",
    "ModelNotInstalledError",
    "ModelVersionError",
    "NoProjectError",
    "NoStaticDependenciesError",
    "NotAChannelError",
    "NotAModelProjectError",
    "NotAStoreError",
    "NotFoundError",
    "NotInStoreError",
    "NotPublishedError",
    "NotRunnableError",
    "NotWholeError",
    "NothingToPublishError",
    "OfflineError",
    "OpenError",
    "OptionError",
    "PointerWheelError",
    "Problem",
    "ProjectEditError",
    "ProjectError",
    "ProviderUnavailableError",
    "RefusedError",
    "RefusedFormatError",
    "RemoteChannelError",
    "RequirementError",
    "RunError",
    "RuntimeMissingError",
    "RuntimeVersionError",
    "ScriptError",
    "SharingError",
    "SolverError",
    "SourceError",
    "StepFailedError",
    "StoreBusyError",
    "StoreError",
    "StoreFailedError",
    "StoreFullError",
    "StoreGoneError",
    "StoreLayoutError",
    "StoreReadOnlyError",
    "UndeclaredModelError",
    "UnknownProviderError",
    "UnknownVariantError",
    "UnreachableError",
    "UsageError",
    "redact",
]

_FAMILIES = (
    "base",
    "values",
    "runtime",
    "store",
    "roots",
    "fetch",
    "channel",
    "project",
    "release",
    "cli",
    "conda",
)


def __getattr__(name: str) -> object:
    """Import a family of errors when one of them is first asked for: `load()` waits for what is imported."""
    from importlib import import_module  # noqa: PLC0415

    if name in __all__:
        for family in _FAMILIES:
            module = import_module(f"modeldeps.errors._{family}")
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the errors, imported or not."""
    return sorted({*globals(), *__all__})
