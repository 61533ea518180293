"""The rules of index.json, what a conda package says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modeldeps.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DEPENDS = 1000
"""Entries of `depends` or of `constrains`."""
MAX_SPEC = 1000
"""Characters of one of them."""
MAX_NUMBER = 2**53 - 1
"""The largest number that every reader of JSON keeps."""

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]{0,126}[a-z0-9_])?")
_VERSION = re.compile(r"[a-z0-9!._+]{1,100}")
_BUILD = re.compile(r"[A-Za-z0-9_.+]{1,64}")


def check_index(index: Mapping[str, Any], filename: str) -> Iterator[Problem]:
    """Say what is wrong with index.json (CEP 26 for names), each problem with its key."""
    for key, pattern in (("name", _NAME), ("version", _VERSION), ("build", _BUILD)):
        if not isinstance(index.get(key), str) or not pattern.fullmatch(index[key]):
            yield _problem(key, f"expected a {key}", index.get(key))
    for key, expected in (("noarch", "python"), ("subdir", "noarch")):
        if index.get(key) != expected:
            yield _problem(key, f"expected {expected!r}", index.get(key))
    stem = f"{index.get('name')}-{index.get('version')}-{index.get('build')}"
    if f"{stem}.conda" != filename:
        yield Problem("file name", f"expected {f'{stem}.conda'[:300]!r}, found {filename[:300]!r}")
    yield from _wrong_values(index)


def _wrong_values(index: Mapping[str, Any]) -> Iterator[Problem]:
    """Say what is wrong with the numbers and the texts."""
    for key in ("build_number", "timestamp"):
        if type(index.get(key, 0)) is not int or not 0 <= index.get(key, 0) <= MAX_NUMBER:
            yield _problem(key, "expected a number that is not negative", index.get(key))
    for key in ("depends", "constrains"):
        if not _is_specs(index.get(key, [])):
            yield _problem(key, "expected a list of requirements", index.get(key))
    if not isinstance(index.get("license", ""), str) or len(index.get("license", "")) > MAX_SPEC:
        yield _problem("license", "expected a text", index.get("license"))


def _is_specs(found: object) -> bool:
    return (
        isinstance(found, list)
        and len(found) <= MAX_DEPENDS
        and all(isinstance(one, str) and 0 < len(one) <= MAX_SPEC and one.isprintable() for one in found)
    )


def _problem(key: str, expected: str, found: object) -> Problem:
    return Problem(f"info/index.json: {key}", f"{expected}, found {found!r:.80}")
