"""Compare versions; plain ones without packaging, because `load()` waits for its import."""

from __future__ import annotations

import operator
import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from modeldeps.requirement import ModelRequirement

if TYPE_CHECKING:
    from collections.abc import Callable

_CLAUSE = r"(?:>=|<=|==|!=|>|<)\s*\d{1,9}(?:\.\d{1,9})*"
_PLAIN_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9})*", re.ASCII)
_PLAIN_SPECIFIER = re.compile(rf"\s*{_CLAUSE}\s*(?:,\s*{_CLAUSE}\s*)*", re.ASCII)
_PLAIN_REQUIREMENT = re.compile(rf"([a-z0-9]+(?:-[a-z0-9]+)*)({_PLAIN_SPECIFIER.pattern})?", re.ASCII)

_COMPARE: dict[str, Callable[[list[int], list[int]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def read_requirement(text: str) -> ModelRequirement:
    """Read a model requirement; plain ones quickly. Raises RequirementError."""
    plain = _PLAIN_REQUIREMENT.fullmatch(text) if isinstance(text, str) else None
    if plain is None or plain[1].startswith("modeldeps-") or len(text) > 100:  # noqa: PLR2004 - as names are
        return ModelRequirement.parse(text)
    return ModelRequirement(plain[1], (plain[2] or "").replace(" ", ""))


def satisfies(version: str, specifier: str) -> bool:
    """
    Tell whether a version is within a specifier set (PEP 440); an empty one allows every version.

    What is installed was chosen already, so a pre-release is judged by its place in the order alone.
    """
    if not specifier:
        return True
    if _PLAIN_VERSION.fullmatch(version) and _PLAIN_SPECIFIER.fullmatch(specifier):
        return all(_clause(version, one.strip()) for one in specifier.split(","))
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - only for what is not plain

    return SpecifierSet(specifier).contains(version, prereleases=True)


def _clause(version: str, clause: str) -> bool:
    """Compare release segments; a shorter one is filled up with zeros."""
    sign = clause[:2] if clause[:2] in _COMPARE else clause[:1]
    pairs = list(zip_longest(_numbers(version), _numbers(clause[len(sign) :]), fillvalue=0))
    return _COMPARE[sign]([one for one, _ in pairs], [other for _, other in pairs])


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.strip().split(".")]
