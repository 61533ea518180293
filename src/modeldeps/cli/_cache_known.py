"""The models of this environment, and of others that use the store."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps import environment
from modeldeps.cli._output import say
from modeldeps.environment import FILE, Pointer
from modeldeps.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.manifest import Manifest
    from modeldeps.store import Store

_SITES = frozenset({"dist-packages", "site-packages"})


def manifests(store: Store) -> tuple[Manifest, ...]:
    """Return the manifest of each release that an environment of this user has; a broken one is told."""
    found: dict[tuple[str, str], Manifest] = {}
    for pointer in (*environment.pointers(), *_noted(store)):
        try:
            manifest = pointer.manifest()
        except ManifestError as error:  # noqa: PERF203 - a few rounds
            say(f"warning: {error}")
        else:
            found.setdefault((manifest.name, manifest.version), manifest)
    return tuple(found.values())


def sites(store: Store) -> tuple[Path, ...]:
    """Return the folders of installed packages of this environment, and of others that use the store."""
    here = [Path(one) for one in sys.path if Path(one).name in _SITES]
    pointers = (*environment.pointers(), *_noted(store))
    return tuple(dict.fromkeys([*here, *(one.location.parent for one in pointers)]))


def _noted(store: Store) -> Iterator[Pointer]:
    """Yield the pointers that notes of this user tell of; nobody else's notes say what this one wants."""
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    for note in store.notes():
        evidence = Path(note.use.evidence)
        is_own = note.user == user and evidence.name == FILE and evidence.is_absolute()
        if is_own and _is_file(note.use.evidence):
            yield Pointer(note.use.name, note.use.version, evidence.parent)


def _is_file(path: str) -> bool:
    """Tell whether a file is there; one that may not be looked at is not. Path raises before Python 3.14."""
    return os.path.isfile(path)  # noqa: PTH113 - as above
