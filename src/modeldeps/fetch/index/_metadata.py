"""Core metadata of a pointer package, as far as choosing a release needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_METADATA = 1 << 20
"""Bytes of a METADATA file, its long description included."""
MAX_REQUIREMENTS = 1000
"""`Requires-Dist` lines."""
MAX_NESTING = 50
"""Opening parentheses in one of them; packaging reads and judges what is nested by recursion."""


@dataclass(frozen=True)
class CoreMetadata:
    """What METADATA says (core metadata 2.4); every requirement and specifier in it can be parsed."""

    name: str
    """The distribution, `modeldeps-digits`."""
    version: str
    """As it is written."""
    summary: str = ""
    """One line."""
    requires_python: str = ""
    """A PEP 440 specifier, or nothing for any Python."""
    requires: tuple[str, ...] = ()
    """`Requires-Dist`: PEP 508 requirements, no direct references among them."""
    extras: tuple[str, ...] = ()
    """`Provides-Extra`."""
    description: str = ""
    """The long description."""
    description_type: str = ""
    """Its media type, such as `text/markdown`."""

    @classmethod
    def parse(cls, data: bytes, problems: list[Problem]) -> CoreMetadata:
        """Read METADATA; what is wrong with it goes to `problems`, and nothing is raised."""
        from packaging.metadata import parse_email  # noqa: PLC0415 - at first use

        if len(data) > MAX_METADATA:
            problems.append(Problem("METADATA", f"expected at most {MAX_METADATA} bytes, found {len(data)}"))
            return cls("", "")
        try:
            raw, unparsed = parse_email(data)
        except Exception as error:  # noqa: BLE001 - the email package raises many kinds on hostile input
            problems.append(Problem("METADATA", f"expected core metadata: {type(error).__name__}"))
            return cls("", "")
        twice = [key for key in unparsed if key in ("name", "version", "requires-python")]
        problems += [Problem(f"METADATA: {key}", "expected it once, as text") for key in twice]
        found = cls(
            name=raw.get("name", ""),
            version=raw.get("version", ""),
            summary=raw.get("summary", ""),
            requires_python=raw.get("requires_python", ""),
            requires=tuple(raw.get("requires_dist", [])),
            extras=tuple(raw.get("provides_extra", [])),
            description=raw.get("description", ""),
            description_type=raw.get("description_content_type", ""),
        )
        problems += _wrong_requirements(found.requires)
        problems += _wrong_specifier(found.requires_python)
        return found


def _wrong_specifier(text: str) -> list[Problem]:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - at first use

    try:
        SpecifierSet(text[:1000])
    except InvalidSpecifier:
        return [Problem("METADATA: Requires-Python", f"expected a specifier, found {text[:80]!r}")]
    return []


def _wrong_requirements(lines: Sequence[str]) -> list[Problem]:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - at first use

    if len(lines) > MAX_REQUIREMENTS:
        return [
            Problem("METADATA: Requires-Dist", f"expected at most {MAX_REQUIREMENTS}, found {len(lines)}")
        ]
    problems = []
    for line in lines:
        try:
            direct = line.count("(") > MAX_NESTING or bool(Requirement(line[:1000]).url)
        except InvalidRequirement:
            direct = True
        if direct:
            message = f"expected a name and a specifier, found {line[:80]!r}"
            problems.append(Problem("METADATA: Requires-Dist", message))
    return problems
