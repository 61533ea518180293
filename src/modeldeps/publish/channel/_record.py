"""What a channel keeps about one release (`models/NAME/VERSION/release.json`): all that its indexes say."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

from modeldeps.digest import is_sha256, sha256_bytes
from modeldeps.errors import IndexPageError, Problem

if TYPE_CHECKING:
    from modeldeps.fetch.index import PointerWheel

MAX_RECORD = 1 << 20
"""Bytes of a `release.json`."""


@dataclass(frozen=True)
class Record:
    """One release, as its indexes and pages show it; written once, changed only by a yank."""

    name: str
    """The model."""
    version: str
    """`2.1.0`."""
    filename: str
    """The wheel's."""
    size: int
    """Bytes of the wheel."""
    sha256: str
    """Digest of the wheel."""
    metadata_sha256: str
    """Digest of METADATA in it."""
    requires_python: str
    """A PEP 440 specifier, or nothing."""
    summary: str
    """One line about the model."""
    license: str
    """An SPDX expression."""
    payload: int
    """Bytes of all its blobs."""
    published: str
    """When, `YYYY-MM-DDTHH:MM:SSZ`."""
    yanked: str = ""
    """Why it was withdrawn, or nothing."""

    @classmethod
    def of(cls, wheel: PointerWheel, published: str) -> Record:
        """Make the record of a wheel."""
        manifest = wheel.manifest
        return cls(
            name=manifest.name,
            version=manifest.version,
            filename=wheel.filename,
            size=len(wheel.data),
            sha256=wheel.sha256,
            metadata_sha256=sha256_bytes(wheel.raw_metadata),
            requires_python=wheel.metadata.requires_python,
            summary=manifest.summary,
            license=manifest.license,
            payload=sum(file.size for file in manifest.all_files()),
            published=published,
        )

    def withdrawn(self, reason: str) -> Record:
        """Return it as yanked for a reason, or as not yanked for none."""
        return replace(self, yanked=reason)

    def dump(self) -> bytes:
        """Return its one spelling: JSON, an indent of one space, a new line at the end."""
        return (json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes, file: object) -> Record:
        """Read a record. Raises IndexPageError with every problem."""
        try:
            value = json.loads(data.decode("utf-8")) if len(data) <= MAX_RECORD else None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise IndexPageError(file, [Problem("", "expected a small JSON object in UTF-8")])
        problems = []
        known = {one.name: value.get(one.name, "") for one in fields(cls)}
        for key, found in known.items():
            number = key in ("size", "payload")
            if not isinstance(found, int if number else str) or isinstance(found, bool):
                problems.append(Problem(key, f"expected {'a number' if number else 'text'}"))
            elif key.endswith("sha256") and not is_sha256(found):
                problems.append(Problem(key, "expected 64 lower-case hexadecimal digits"))
        if problems:
            raise IndexPageError(file, problems)
        return cls(**known)
