"""Check what spans several keys of a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from modeldeps.errors import Problem
from modeldeps.manifest import _checks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from modeldeps.manifest._read import Reader
    from modeldeps.manifest._values import Manifest

T = TypeVar("T")

MAX_VARIANTS = 1000
"""Variants of one release; each is compared with the shared files."""


def check(manifest: Manifest, reader: Reader) -> None:
    """Add a problem to the reader's for each thing that does not fit another one."""
    names = [one.name for one in manifest.variants]
    fine = 0 < len(names) <= MAX_VARIANTS
    reader.problem(None if fine else f"expected 1 to {MAX_VARIANTS} variants, found {len(names)}", "variants")
    reader.problem(_twice(names), "variants")
    reader.problem(_twice([one.name for one in manifest.inputs]), "inputs")
    reader.problem(_twice([one.name for one in manifest.outputs]), "outputs")
    reader.problem(_twice([one.name for one in manifest.examples]), "examples")
    if sorted(manifest.default) != sorted(names):
        reader.problem(f"expected each of {', '.join(names)} once", "default")
    shared = [*manifest.files, *(file for one in manifest.examples for file in (one.inputs, one.outputs))]
    places = _checks.Places()
    clash = places.clash(file.path for file in shared)
    for index, one in enumerate(manifest.variants[:MAX_VARIANTS]):
        key = f"variants[{index}]"
        own = _checks.Places(places).clash(file.path for file in one.files)
        _add(reader, f"{key}.files", clash or own)
        if one.entry not in {file.path for file in one.files}:
            _add(reader, f"{key}.entry", _checks.expected("the path of one of its files", one.entry))
    _known(reader, "metrics", manifest.metrics, lambda one: [one.variant] if one.variant else [], names)
    _known(reader, "examples", manifest.examples, lambda one: list(one.overrides), names)


def _add(reader: Reader, key: str, message: str | None) -> None:
    if message:
        reader.problems.append(Problem(key, message))


def _known(
    reader: Reader, key: str, entries: Iterable[T], mentioned: Callable[[T], list[str]], names: list[str]
) -> None:
    known = set(names)
    for index, one in enumerate(entries):
        for name in mentioned(one):
            if name not in known:
                _add(reader, f"{key}[{index}]", _checks.expected("the name of a variant", name))


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for one in names:
        if one in seen:
            return f"{one!r} stands twice"
        seen.add(one)
    return None
