"""Read a channel's index: which models it has, their releases, metadata and manifests."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from modeldeps.config import channel_url
from modeldeps.digest import sha256_bytes
from modeldeps.errors import (
    ChangedFileError,
    NotAChannelError,
    NotFoundError,
    PointerWheelError,
    Problem,
    redact,
)
from modeldeps.fetch import read_url
from modeldeps.fetch.index._metadata import MAX_METADATA, CoreMetadata
from modeldeps.fetch.index._page import MAX_PAGE, IndexRelease, parse_project, parse_projects
from modeldeps.fetch.index._wheel import MAX_WHEEL, PointerWheel, read_wheel
from modeldeps.names import distribution_name, normalize

if TYPE_CHECKING:
    from modeldeps.manifest import Manifest


class Channel:
    """
    A channel at a URL or in a folder, read lazily; each page is read once for each object.

    Every method raises UnreachableError when the channel can't be reached, and IndexPageError,
    PointerWheelError, ManifestError or ChangedFileError for what it then says wrongly.
    """

    def __init__(self, url: str) -> None:
        self.url = channel_url(url)
        """Absolute, with a slash at its end; may hold credentials, so it isn't for showing."""
        self._releases: dict[str, tuple[IndexRelease, ...]] = {}

    @property
    def index(self) -> str:
        """The URL that installers take as an index."""
        return f"{self.url}simple/"

    def models(self) -> tuple[str, ...]:
        """Return the names of the models, sorted. Raises NotAChannelError where there is no index."""
        return self._models

    @cached_property
    def _models(self) -> tuple[str, ...]:
        page = f"{self.index}index.json"
        try:
            return parse_projects(read_url(page, limit=MAX_PAGE), page)
        except NotFoundError as error:
            raise NotAChannelError(redact(self.url), "no simple/index.json") from error

    def releases(self, name: str) -> tuple[IndexRelease, ...]:
        """
        Return a model's releases, newest first, yanked and pre-releases too; none for an unknown model.

        Raises NotAChannelError where there is no index at all, InvalidNameError.
        """
        model = normalize(name)
        if model not in self._releases:
            self._releases[model] = self._read_releases(model)
        return self._releases[model]

    def _read_releases(self, model: str) -> tuple[IndexRelease, ...]:
        page = f"{self.index}{distribution_name(model)}/index.json"
        try:
            data = read_url(page, limit=MAX_PAGE)
        except NotFoundError:
            self.models()
            return ()
        return parse_project(data, page, model)

    def metadata(self, release: IndexRelease) -> CoreMetadata:
        """Return a release's core metadata; from the file beside the wheel where there is one (PEP 658)."""
        if not release.metadata_sha256:
            return self.wheel(release).metadata
        data = read_url(f"{release.url}.metadata", limit=MAX_METADATA)
        _check(f"{release.filename}.metadata", data, release.metadata_sha256)
        problems: list[Problem] = []
        found = CoreMetadata.parse(data, problems)
        name = release.filename.partition("-")[0].replace("_", "-")
        if (found.name, found.version) != (name, release.version):
            message = f"expected {name} {release.version}, found {found.name[:100]} {found.version[:100]}"
            problems.append(Problem("METADATA", message))
        if problems:
            raise PointerWheelError(f"{release.filename}.metadata", problems)
        return found

    def manifest(self, release: IndexRelease) -> Manifest:
        """Return a release's manifest, out of the wheel that the index names by its digest."""
        return self.wheel(release).manifest

    def wheel(self, release: IndexRelease) -> PointerWheel:
        """Return a release's pointer wheel, proved against the index and checked as a whole."""
        data = read_url(release.url, limit=MAX_WHEEL)
        _check(release.filename, data, release.sha256)
        return read_wheel(data, release.filename)


def _check(file: str, data: bytes, expected: str) -> None:
    found = sha256_bytes(data)
    if found != expected:
        raise ChangedFileError(file, expected=f"sha256:{expected}", found=f"sha256:{found}")
