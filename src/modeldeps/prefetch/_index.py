"""Choose releases out of the channels' indexes, where no installer's solver can be asked."""

from __future__ import annotations

import json
import os
import platform
from typing import TYPE_CHECKING

from modeldeps.errors import ModelDepsError, SolverError
from modeldeps.fetch import read_url
from modeldeps.fetch.index import Channel
from modeldeps.project import distribution_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.requirements import Requirement

    from modeldeps.fetch.index import IndexRelease
    from modeldeps.prefetch._question import Question
    from modeldeps.requirement import ModelRequirement

MAX_PAGE = 64 << 20
"""Bytes of one page of a package index."""
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
"""The JSON form of an index page (PEP 691)."""


def newest(question: Question, *, offline: bool = False) -> dict[str, str]:
    """
    Return the newest release of each model whose requirements can be met, as far as an index tells.

    A release is passed over when a requirement of the extra that brings its runtime has no version at
    all on the package index. Offline only folders are read. Raises SolverError where a model has none.
    """
    urls = [url for url in question.channels if not offline or url.startswith("file:")]
    channels = [Channel(url) for url in urls]
    available = _Available(offline=offline)
    found: dict[str, str] = {}
    for model in question.models:
        chosen = next(_fitting(model, channels, available), None)
        if chosen is None:
            raise SolverError("index", f"no release of {model} in the channels can be installed here")
        found[model.name] = chosen
    return found


def _fitting(model: ModelRequirement, channels: Sequence[Channel], available: _Available) -> Iterator[str]:
    """Yield the versions that could be installed, newest first; the first channel with the model counts."""
    for channel in channels:
        releases = channel.releases(model.name)
        for release in releases:
            if _allowed(release, model) and _met(channel, release, model, available):
                yield release.version
        if releases:
            return


def _allowed(release: IndexRelease, model: ModelRequirement) -> bool:
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - at first use

    here = SpecifierSet(release.requires_python).contains(platform.python_version(), prereleases=True)
    return not release.yanked and here and model.allows(release.version)


def _met(channel: Channel, release: IndexRelease, model: ModelRequirement, available: _Available) -> bool:
    from packaging.requirements import Requirement  # noqa: PLC0415 - at first use

    for text in channel.metadata(release).requires:
        requirement = Requirement(text)
        if any(_applies(requirement, extra) for extra in model.extras) and not available(requirement):
            return False
    return True


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is not None and requirement.marker.evaluate({"extra": extra})


class _Available:
    """Whether a package index has any version that a requirement allows; each page is read once."""

    def __init__(self, *, offline: bool) -> None:
        self._offline = offline
        self._versions: dict[str, tuple[str, ...] | None] = {}

    def __call__(self, requirement: Requirement) -> bool:
        name = distribution_of(requirement.name)
        if name not in self._versions:
            self._versions[name] = None if self._offline else _versions(name)
        versions = self._versions[name]
        return versions is None or any(requirement.specifier.contains(one) for one in versions)


def _versions(name: str) -> tuple[str, ...] | None:
    """Return the versions that the index has wheels of; None where none is set or it doesn't tell."""
    variables = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    index = next((os.environ[key] for key in variables if os.environ.get(key)), None)
    if index is None:  # an index that the user didn't name isn't asked
        return None
    try:
        page = json.loads(
            read_url(f"{index.rstrip('/')}/{name}/", limit=MAX_PAGE, headers={"Accept": SIMPLE_JSON})
        )
        files = [str(file["filename"]) for file in page["files"]]
    except (ModelDepsError, ValueError, KeyError, TypeError):
        return None
    return tuple({version for version in map(_wheel_version, files) if version})


def _wheel_version(filename: str) -> str:
    """Return the version in a wheel's file name; nothing for another file."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename  # noqa: PLC0415 - at first use

    try:
        return str(parse_wheel_filename(filename)[1])
    except InvalidWheelFilename:
        return ""
