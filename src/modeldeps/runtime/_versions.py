"""Compare versions; plain ones without packaging, because `load()` waits for its import."""

from __future__ import annotations

import operator
from itertools import zip_longest
from typing import TYPE_CHECKING

from modeldeps.requirement import ModelRequirement, plain_clauses, plain_version

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPARE: dict[str, Callable[[list[int], list[int]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_LONGEST_NAME = 100


def read_requirement(text: str) -> ModelRequirement:
    """Read a model requirement; plain ones quickly. Raises RequirementError."""
    if not isinstance(text, str):
        return ModelRequirement.parse(text)
    at = next((index for index, one in enumerate(text) if one in "<>=!"), len(text))
    name, specifier = text[:at].rstrip(" "), text[at:]
    plain = name.isascii() and name.isalnum() and name.islower() and len(name) <= _LONGEST_NAME
    if not plain or (specifier and plain_clauses(specifier) is None):
        return ModelRequirement.parse(text)
    return ModelRequirement(name, specifier.replace(" ", ""))


def satisfies(version: str, specifier: str) -> bool:
    """
    Tell whether a version is within a specifier set (PEP 440); an empty one allows every version.

    What is installed was chosen already, so a pre-release is judged by its place in the order alone.
    """
    if not specifier:
        return True
    numbers, clauses = plain_version(version), plain_clauses(specifier)
    if numbers is not None and clauses is not None:
        return all(_compare(sign, numbers, other) for sign, other in clauses)
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - only for what is not plain

    return SpecifierSet(specifier).contains(version, prereleases=True)


def _compare(sign: str, one: list[int], other: list[int]) -> bool:
    """Compare release segments; a shorter one is filled up with zeros."""
    pairs = list(zip_longest(one, other, fillvalue=0))
    return _COMPARE[sign]([first for first, _ in pairs], [second for _, second in pairs])
