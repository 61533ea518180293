"""Pages of an index as hostile input: the list of projects, the files of one (PEP 691, PEP 700)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urldefrag, urljoin

from modeldeps.digest import is_sha256
from modeldeps.errors import IndexPageError, InvalidNameError, Problem, redact
from modeldeps.names import PREFIX, normalize, wheel_name

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_PAGE = 8 << 20
"""Bytes of one page; 15,000 releases fit. Decoded, a hostile page takes some twenty times as much memory."""
MAX_RELEASES = 100_000
"""Files on one page, or projects in an index."""

_VERSION = r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}(?:(?:a|b|rc)[0-9]{1,9})?"


@dataclass(frozen=True)
class IndexRelease:
    """One release of a model, as the index tells it."""

    version: str
    """`2.1.0`."""
    filename: str
    """`modeldeps_digits-2.1.0-py3-none-any.whl`."""
    url: str = field(repr=False)
    """Where the wheel lies; always beside its index page; it may hold credentials."""
    sha256: str
    """Digest of the wheel."""
    requires_python: str = ""
    """A PEP 440 specifier, or nothing for any Python."""
    yanked: str = ""
    """Why it was withdrawn (PEP 592), or nothing when it was not."""
    size: int | None = None
    """Bytes of the wheel, where the index says so."""
    metadata_sha256: str = ""
    """Digest of the wheel's METADATA beside it (PEP 658), or nothing where there is none."""
    upload_time: str = ""
    """When it was published, `YYYY-MM-DDTHH:MM:SSZ`, or nothing."""


def parse_projects(data: bytes, url: str) -> tuple[str, ...]:
    """Return the models that a list of projects names, sorted; others are left out. Raises IndexPageError."""
    page = _Page(data, url)
    found = set()
    for key, entry in page.entries("projects"):
        name = page.text(f"{key}.name", entry.get("name"))
        folded = re.sub(r"[-_.]+", "-", name).lower()
        if not folded.startswith(PREFIX):
            continue
        try:
            found.add(normalize(folded.removeprefix(PREFIX)))
        except InvalidNameError:
            page.problem(f"{key}.name", f"expected the name of a project, found {ascii(name)[:80]}")
    page.done()
    return tuple(sorted(found))


def parse_project(data: bytes, url: str, model: str) -> tuple[IndexRelease, ...]:
    """
    Return the releases that a project's page lists, newest first.

    `url` is the page's; files that are not this model's pointer wheels are left out. Raises IndexPageError.
    """
    from packaging.version import Version  # noqa: PLC0415 - at first use

    page = _Page(data, url)
    pattern = re.compile(rf"{re.escape(wheel_name(model))}-({_VERSION})-py3-none-any\.whl", re.ASCII)
    found: dict[str, IndexRelease] = {}
    for key, entry in page.entries("files"):
        filename = entry.get("filename")
        match = pattern.fullmatch(filename) if isinstance(filename, str) else None
        if match is None:
            continue
        if match[1] in found:
            page.problem(key, f"{match[1]} stands twice")
        found[match[1]] = _release(page, key, entry, match)
    page.done()
    return tuple(sorted(found.values(), key=lambda one: Version(one.version), reverse=True))


def _release(page: _Page, key: str, entry: dict[str, object], match: re.Match[str]) -> IndexRelease:
    filename = match[0]
    url = urljoin(page.url, filename)
    yanked = entry.get("yanked")
    hashes = entry.get("hashes")
    metadata = entry.get("core-metadata")
    size = entry.get("size")
    found = page.text(f"{key}.url", entry.get("url"))
    if not _same_place(page.url, found, url):
        page.problem(f"{key}.url", f"expected {filename!r}, beside the page, found {ascii(found)[:80]}")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        page.problem(f"{key}.size", "expected a number of bytes")
        size = None
    return IndexRelease(
        version=match[1],
        filename=filename,
        url=url,
        sha256=page.sha256(f"{key}.hashes.sha256", hashes),
        requires_python=page.specifier(f"{key}.requires-python", entry.get("requires-python")),
        yanked=_plain(yanked) if isinstance(yanked, str) else "no reason given" if yanked is True else "",
        size=size,
        metadata_sha256=page.sha256(f"{key}.core-metadata.sha256", metadata) if metadata else "",
        upload_time=_plain(page.text(f"{key}.upload-time", entry.get("upload-time", ""))),
    )


def _same_place(base: str, found: str, expected: str) -> bool:
    """Tell whether a link means the file beside the page; mirrors may spell it as an absolute URL."""
    try:
        return unquote(urldefrag(urljoin(base, found)).url) == unquote(expected)
    except ValueError:
        return False


def _plain(text: str) -> str:
    """Return one line without control characters: it is shown on terminals."""
    return " ".join("".join(one if one.isprintable() else " " for one in text[:1000]).split())


class _Page:
    """One page, its URL, and what is wrong with it."""

    def __init__(self, data: bytes, url: str) -> None:
        self.url = url
        self._problems: list[Problem] = []
        self._value = self._decode(data)

    def _decode(self, data: bytes) -> dict[str, object]:
        try:
            value = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError):
            raise IndexPageError(
                redact(self.url), [Problem("", "expected JSON in UTF-8 (PEP 691)")]
            ) from None
        meta = value.get("meta") if isinstance(value, dict) else None
        version = meta.get("api-version") if isinstance(meta, dict) else None
        if not isinstance(version, str) or not re.fullmatch(r"1\.[0-9]{1,6}", version, re.ASCII):
            found = f"expected '1.' and a number, found {ascii(version)[:80]}"
            raise IndexPageError(redact(self.url), [Problem("meta.api-version", found)])
        return dict(value)

    def problem(self, key: str, message: str) -> None:
        self._problems.append(Problem(key, message))

    def done(self) -> None:
        """Raise what was noted; a hostile page can't make the error endless."""
        if self._problems:
            raise IndexPageError(redact(self.url), self._problems)

    def entries(self, name: str) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield each object of an array with its key."""
        value = self._value.get(name)
        if not isinstance(value, list) or len(value) > MAX_RELEASES:
            self.problem(name, f"expected an array of at most {MAX_RELEASES} objects")
            return
        for index, one in enumerate(value):
            if isinstance(one, dict):
                yield f"{name}[{index}]", one
            else:
                self.problem(f"{name}[{index}]", "expected an object")

    def text(self, key: str, value: object) -> str:
        if isinstance(value, str):
            return value
        self.problem(key, "expected text")
        return ""

    def sha256(self, key: str, value: object) -> str:
        digest = value.get("sha256") if isinstance(value, dict) else None
        if is_sha256(digest):
            return str(digest)
        self.problem(key, "expected 64 lower-case hexadecimal digits")
        return ""

    def specifier(self, key: str, value: object) -> str:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - at first use

        if value is None:
            return ""
        text = self.text(key, value)
        try:
            return str(SpecifierSet(text[:1000]))
        except InvalidSpecifier:
            self.problem(key, f"expected a specifier, found {ascii(text)[:80]}")
            return ""
