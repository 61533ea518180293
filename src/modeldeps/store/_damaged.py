"""Notes that can't be read: find out what they were for, or else keep all that they could be for."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.errors import ManifestError
from modeldeps.manifest import MAX_BYTES, parse
from modeldeps.store._roots import of_environment, use_of
from modeldeps.store._uses import ENVIRONMENTS, FOLLOW, LARGEST, Note, note_files, read_note, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modeldeps.manifest import Manifest
    from modeldeps.store._layout import Layout

_is_key = re.compile("[0-9a-f]{16}").fullmatch
_EVIDENCE = re.compile(rb'"evidence": ?("(?:[^"\\]|\\.){1,4096}")')
_POINTER = re.compile(r"modeldeps[-_.].+\.dist-info", re.IGNORECASE)


@dataclass(frozen=True)
class Damaged:
    """A note that can't be read: what its environment needs is not known."""

    file: Path
    """Where."""
    used: float
    """Time of the last use, in seconds since 1970; exact to a day."""
    user: int
    """Number of the user who wrote it."""


def is_damaged(file: Path) -> bool:
    """Tell whether a file that says nothing has the name of a note."""
    return _is_key(file.name) is not None


def known(layout: Layout) -> tuple[list[Note], list[Damaged]]:
    """Return the notes of all users, also what could be found out of damaged ones, and the rest of those."""
    found: list[Note] = []
    lost: list[Damaged] = []
    for file in note_files(layout):
        if note := read_note(file):
            found.append(note)
        elif is_damaged(file):
            with suppress(OSError):
                status = file.lstat()
                lost.append(Damaged(file, status.st_mtime, status.st_uid))
    again = _found_out(layout, lost, found) if lost else {}
    return [*found, *again.values()], [one for one in lost if one.file not in again]


def _found_out(layout: Layout, lost: Sequence[Damaged], found: Iterable[Note]) -> dict[Path, Note]:
    """
    Return by file what installed models say of notes whose names are computed from them.

    The name of a note is the key of its environment's package and of the model's folder, so that
    one that fits is the right one, whatever led to it.
    """
    notes: dict[Path, Note] = {}
    for location, manifest in _installed(_sites(lost, found)):
        for variant in manifest.variants:
            use = of_environment(location, use_of(layout, manifest, variant))
            name = Path(layout.note(0, str(location), use.folder)).name
            notes |= {
                one.file: Note(one.file, use, one.used, one.user) for one in lost if one.file.name == name
            }
    return notes


def _sites(lost: Sequence[Damaged], found: Iterable[Note]) -> Iterator[str]:
    """Yield the folders of installed packages that may belong to damaged notes, each once."""
    users = {one.user for one in lost}
    evidence = [one.use.evidence for one in found if one.user in users and one.use.kind in ENVIRONMENTS]
    evidence += [text for one in lost for text in _told(one.file)]
    folders = (os.path.dirname(os.path.dirname(one)) for one in evidence)  # noqa: PTH120 - texts that others wrote
    yield from dict.fromkeys(one for one in (*map(os.path.abspath, sys.path), *folders) if os.path.isabs(one))  # noqa: PTH117 - likewise


def _told(file: Path) -> Iterator[str]:
    """Yield the evidence that what is left of a note tells of."""
    with suppress(OSError, ValueError):
        if (read := read_plain(file, LARGEST)) and (found := _EVIDENCE.search(read[0])):
            yield json.loads(found[1])


def _installed(sites: Iterable[str]) -> Iterator[tuple[Path, Manifest]]:
    """Yield pointer packages with their manifests; what can't be read is left out."""
    for site in sites:
        with suppress(OSError, ValueError):
            for name in os.listdir(site):  # noqa: PTH208 - a text that somebody else wrote
                location = Path(site, name)
                if _POINTER.fullmatch(name) and (manifest := _manifest(location / "model.json")):
                    yield location, manifest


def _manifest(file: Path) -> Manifest | None:
    with suppress(OSError, ManifestError):
        if read := read_plain(file, MAX_BYTES, flags=FOLLOW):
            return parse(read[0])
    return None
