"""Errors about channels: what is read from one, and what is published to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors._base import FOUND_WRONG, WRONG_USAGE, ModelDepsError
from modeldeps.errors._values import InvalidFileError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence


MAX_PROBLEMS = 20
"""Problems of a hostile file that one error lists."""


class ChannelError(ModelDepsError):
    """A channel can't be read or written."""


class NotAChannelError(ChannelError):
    """A folder or a URL holds no channel, or one of a layout that this version does not know."""

    def __init__(self, place: object, found: str, *, hint: str | None = None) -> None:
        super().__init__("that is not a channel", ("place", place), ("found", found), hint=hint)


class RemoteChannelError(ChannelError):
    """A release can't be written to a URL."""

    exit_status = WRONG_USAGE

    def __init__(self, url: str) -> None:
        super().__init__(
            "a release is published to a folder, not to a URL",
            ("expected", "a local or mounted folder"),
            ("found", url),
            hint="publish to a folder, then copy it to the host: modeldeps publish DIST --to FOLDER",
        )


class ChannelWriteError(ChannelError):
    """A channel's folder can't be written; every release that was there before is whole."""

    def __init__(self, channel: object, path: object, reason: str, *, hint: str | None = None) -> None:
        super().__init__(
            "the channel can't be written",
            ("channel", channel),
            ("at", path),
            ("reason", reason),
            hint=hint,
        )


class ChannelFullError(ChannelError):
    """The disk of a channel has no room for a release."""

    def __init__(self, channel: object, *, needed: int, free: int) -> None:
        super().__init__(
            "the channel's disk has no room for this release",
            ("channel", channel),
            ("needed", f"{needed} bytes"),
            ("free", f"{free} bytes"),
            hint="free some space and publish again; nothing was written",
        )


class IndexPageError(InvalidFileError):
    """A channel's index does not say what it must; at most 20 problems are listed."""

    def __init__(self, file: object, problems: Sequence[Problem]) -> None:
        super().__init__(file, problems[:MAX_PROBLEMS])


class PointerWheelError(InvalidFileError):
    """A wheel is no pointer package, or a damaged or hostile one; at most 20 problems are listed."""

    def __init__(self, file: object, problems: Sequence[Problem]) -> None:
        super().__init__(
            file, problems[:MAX_PROBLEMS], hint="`modeldeps build DIR --output DIST` makes pointer wheels"
        )


class CondaPackageError(InvalidFileError):
    """A conda package can't be made of a wheel, or is damaged or hostile; at most 20 problems are listed."""

    def __init__(self, file: object, problems: Sequence[Problem]) -> None:
        super().__init__(
            file, problems[:MAX_PROBLEMS], hint="`modeldeps build DIR --output DIST` makes conda packages"
        )


class CondaMismatchError(ChannelError):
    """A conda package does not say the same as the wheel of its release."""

    exit_status = FOUND_WRONG

    def __init__(self, file: str, wheel: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"{file} is not the conda package of {wheel}",
            ("expected", expected),
            ("found", found),
            hint="modeldeps build DIR --output DIST",
        )


class ChangedFileError(ChannelError):
    """A file of a channel is not what its index or its record says."""

    exit_status = FOUND_WRONG

    def __init__(self, file: object, *, expected: str, found: str, hint: str | None = None) -> None:
        super().__init__(
            "a file of the channel is not what was published",
            ("file", file),
            ("expected", expected),
            ("found", found),
            hint=hint,
        )


class NothingToPublishError(ChannelError):
    """A folder holds no built release."""

    exit_status = WRONG_USAGE

    def __init__(self, dist: object, found: str) -> None:
        super().__init__(
            "there is no release to publish",
            ("expected", "a pointer wheel, a conda package, or a folder with one"),
            ("found", found),
            ("place", dist),
            hint="modeldeps build DIR --output DIST",
        )


class BlobsError(ChannelError):
    """Blobs of a release are missing, or are not what its manifest says."""

    exit_status = FOUND_WRONG

    def __init__(self, wheel: str, problems: Sequence[str]) -> None:
        super().__init__(
            f"the blobs of {wheel} are not what its manifest says",
            *(("blob", problem) for problem in problems),
            hint="modeldeps build DIR --output DIST",
        )


class AlreadyPublishedError(ChannelError):
    """A version is in the channel already, with other bytes."""

    exit_status = FOUND_WRONG

    def __init__(self, name: str, version: str, *, published: str, offered: str) -> None:
        super().__init__(
            f"{name} {version} is in the channel already, and it is not this one",
            ("published", f"sha256:{published}"),
            ("offered", f"sha256:{offered}"),
            hint="a version is never replaced: raise the version, build and publish again",
        )


class NotPublishedError(ChannelError):
    """A channel does not hold that release."""

    exit_status = FOUND_WRONG

    def __init__(self, name: str, version: str, there: Sequence[str], *, guess: str | None = None) -> None:
        super().__init__(
            f"{name} {version} is not in the channel",
            ("there", ", ".join(there) or "nothing of that name"),
            hint=f"did you mean {guess}?" if guess else None,
        )
