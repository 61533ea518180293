"""A channel as a folder: where things lie, and what is there now."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from modeldeps.errors import InvalidNameError, NotAChannelError, RemoteChannelError, redact
from modeldeps.names import PREFIX, distribution_name, normalize, wheel_name
from modeldeps.publish.channel._land import Landing, make_folder
from modeldeps.publish.channel._record import MAX_RECORD, Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAYOUT = 1
"""The number of this layout, in `channel.json`."""
_OWN = ("blobs", "index.html", "models", "noarch", "simple")
_MAX_MARKER = 10_000


def local_folder(text: str) -> str:
    """Return the folder that a person named, as a path or a `file://` URL. Raises RemoteChannelError."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        raise RemoteChannelError(redact(text)) from None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or "%00" in parts.path:
        raise RemoteChannelError(redact(text))
    return url2pathname(parts.path)


def blob_path(folder: Path, digest: str) -> Path:
    """Return where a blob lies below a dist folder or a channel."""
    return folder / "blobs" / "sha256" / digest[:2] / digest


class ChannelFolder:
    """The paths of one channel; see `docs/reference/channel.md` for the layout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.landing = Landing(root / ".incoming")

    @property
    def marker(self) -> Path:
        """The file that says that this folder is a channel, and of which layout."""
        return self.root / "channel.json"

    @property
    def lock(self) -> Path:
        """The file that publishers lock."""
        return self.landing.folder / "lock"

    @property
    def simple(self) -> Path:
        """The index of installers."""
        return self.root / "simple"

    @property
    def models(self) -> Path:
        """What is kept about each release, and its page."""
        return self.root / "models"

    @property
    def noarch(self) -> Path:
        """The conda packages and their index."""
        return self.root / "noarch"

    def project(self, model: str) -> Path:
        """Return the folder of a model's wheels and their index."""
        return self.simple / distribution_name(model)

    def release(self, model: str, version: str) -> Path:
        """Return the folder of one release's record, manifest and page."""
        return self.models / model / version

    def wheel(self, model: str, version: str) -> Path:
        """Return where a release's wheel lies."""
        return self.project(model) / f"{wheel_name(model)}-{version}-py3-none-any.whl"

    def record_file(self, model: str, version: str) -> Path:
        """Return the file of a release's record; it is written after all else of the release."""
        return self.release(model, version) / "release.json"

    def blob(self, digest: str) -> Path:
        """Return where a blob lies."""
        return blob_path(self.root, digest)

    def check(self) -> None:
        """Raise NotAChannelError unless this is a channel of the known layout."""
        try:
            with self.marker.open("rb") as stream:
                value = json.loads(stream.read(_MAX_MARKER))
        except (FileNotFoundError, NotADirectoryError):
            raise NotAChannelError(self.root, self._found()) from None
        except (ValueError, RecursionError):
            value = None
        layout = value.get("layout") if isinstance(value, dict) else None
        if layout != LAYOUT or isinstance(layout, bool):
            hint = "pip install --upgrade modeldeps" if isinstance(layout, int) and layout > LAYOUT else None
            raise NotAChannelError(self.root, f"a channel.json that says layout {layout!r}", hint=hint)

    def _found(self) -> str:
        if not self.root.exists():
            return "nothing there"
        return "a folder without channel.json" if self.root.is_dir() else "a file"

    def create(self) -> None:
        """
        Make this folder a channel, if it is not one yet.

        Raises NotAChannelError where files of somebody else would be replaced, OSError.
        """
        if not self.marker.exists():
            taken = [name for name in _OWN if (self.root / name).exists()]
            if taken or (self.root.exists() and not self.root.is_dir()):
                found = f"{self._found()}, with {', '.join(taken)}" if taken else self._found()
                raise NotAChannelError(self.root, found, hint="publish to a new or an empty folder")
            make_folder(self.landing.folder)
            marker = json.dumps({"layout": LAYOUT, "about": "a channel of modeldeps"}, indent=1) + "\n"
            self.landing.claim(self.landing.folder / ".gitignore", b"*\n")
            self.landing.claim(self.marker, marker.encode())
        self.open()

    def open(self) -> None:
        """Make sure that this is a channel that can be written to. Raises NotAChannelError, OSError."""
        self.check()
        make_folder(self.landing.folder)

    def model_names(self) -> list[str]:
        """Return the models that have a folder in the index, sorted."""
        return sorted(self._model_names())

    def _model_names(self) -> Iterator[str]:
        for folder in _names(self.simple):
            try:
                model = normalize(folder.removeprefix(PREFIX))
            except InvalidNameError:
                continue
            if folder == distribution_name(model):
                yield model

    def versions(self, model: str) -> list[str]:
        """Return the versions whose wheels are there, newest first."""
        from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - at first use

        pattern = re.compile(rf"{re.escape(wheel_name(model))}-([0-9a-z.]+)-py3-none-any\.whl", re.ASCII)
        found = []
        for name in _names(self.project(model)):
            if match := pattern.fullmatch(name):
                try:
                    found.append((Version(match[1]), match[1]))
                except InvalidVersion:
                    continue
        return [version for _, version in sorted(found, reverse=True)]

    def record(self, model: str, version: str) -> Record | None:
        """Return what is kept about a release; None where it is not whole yet. Raises IndexPageError."""
        file = self.record_file(model, version)
        try:
            with file.open("rb") as stream:
                return Record.parse(stream.read(MAX_RECORD + 1), file)
        except FileNotFoundError:
            return None

    def records(self, model: str) -> tuple[Record, ...]:
        """Return the records of a model's whole releases, newest first."""
        found = (self.record(model, version) for version in self.versions(model))
        return tuple(one for one in found if one is not None)

    def newest(self, model: str) -> Record | None:
        """Return the release that installers take, yanked ones and pre-releases last; None for none."""
        rest = None
        for version in sorted(self.versions(model), key=_is_pre):
            record = self.record(model, version)
            if record and not record.yanked:
                return record
            rest = rest or record
        return rest


def _is_pre(version: str) -> bool:
    """Tell whether a version is a pre-release; only those have letters."""
    return not version.replace(".", "").isdigit()


def _names(folder: Path) -> list[str]:
    try:
        return [one.name for one in folder.iterdir()]
    except FileNotFoundError:
        return []
