"""Note a use of a model, and tell whether it goes on."""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.digest import short_key
from modeldeps.errors import ManifestError
from modeldeps.files import make_folder, open_like_parent, write_atomically
from modeldeps.manifest import MAX_BYTES, parse
from modeldeps.store import _lock, _trust
from modeldeps.store._place import environment_of, machine, mount_of
from modeldeps.store._uses import ENVIRONMENTS, FOLLOW, PIN, PROJECT, Use, read_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.manifest import Manifest, Variant
    from modeldeps.store._layout import Layout

PATIENCE = 2.0
"""Seconds that whoever notes a use waits for a sweep; it moves things away in steps of milliseconds."""
_PAUSE = 0.005


def of_environment(location: Path, model: Use) -> Use:
    """Return the use of a model by the environment that its pointer package lies in."""
    location = Path(os.path.abspath(location))  # noqa: PTH100 - as the key of the note has it
    kind, place = environment_of(location)
    return _placed(replace(model, kind=kind, place=str(place), evidence=str(location / "model.json")))


def of_project(pyproject: Path, model: Use) -> Use:
    """Return the use of a model by a project for which an installer fetches ahead."""
    file = pyproject.absolute()
    return _placed(replace(model, kind=PROJECT, place=str(file.parent), evidence=str(file)))


def pin_of(pyproject: Path | None, model: Use) -> Use:
    """Return a pin: it lasts as long as the project, or for good where there is none."""
    if pyproject is None:
        return replace(model, kind=PIN, place="", evidence="", machine=machine())
    file = pyproject.absolute()
    return _placed(replace(model, kind=PIN, place=str(file.parent), evidence=str(file)))


def _placed(use: Use) -> Use:
    return replace(use, machine=machine(), mount=mount_of(Path(use.evidence)))


def use_of(layout: Layout, manifest: Manifest, variant: Variant) -> Use:
    """Return the use of a variant by nobody yet."""
    files = manifest.payload(variant)
    folder = layout.model(manifest.name, manifest.version, variant.name, files).name
    blobs = {file.sha256: file.size for file in files}
    return Use("", "", "", manifest.name, manifest.version, variant.name, folder, blobs)


def by(place: Path, model: Use) -> Use:
    """Return the use of a model by a pointer package's `.dist-info` folder, or by a pyproject.toml."""
    return of_project(place, model) if place.name == "pyproject.toml" else of_environment(place, model)


def note(layout: Layout, use: Use) -> None:
    """Write a note, durably, and not while a sweep moves things away. Raises OSError and StoreLayoutError."""
    layout.prepare()
    file = note_file(layout, use)
    make_folder(file.parent)
    with gate(layout):
        write_atomically(file, use.dump())
    open_like_parent(file)  # whoever shares the store must see what may not be freed


def note_file(layout: Layout, use: Use) -> Path:
    """Return where this user's note of a use lies."""
    if use.kind in ENVIRONMENTS:
        return Path(layout.note(_trust.user(), str(Path(use.evidence).parent), use.folder))
    words = [use.kind, use.place, use.name]
    if use.kind == PIN:  # of what an installer fetches ahead, the newest replaces the others
        words += [use.version, use.folder]
    return layout.roots / str(_trust.user()) / short_key(os.fsencode("\0".join(words)))


@contextmanager
def gate(layout: Layout) -> Iterator[None]:
    """
    Keep a sweep, while it moves things away, and the noting of uses apart.

    Whoever notes a use and looks for the bytes afterwards finds them, or finds that they are gone;
    they don't vanish in between. Where there are no locks, a sweep's second look has to do.
    """
    lock = None
    deadline = time.monotonic() + PATIENCE
    try:
        while (lock := _lock.acquire(layout.roots / "gate.lock")) is None and time.monotonic() < deadline:
            time.sleep(_PAUSE)
    except OSError:
        lock = None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


@dataclass(frozen=True)
class Alive:
    """The use goes on."""


@dataclass(frozen=True)
class Unsure:
    """Nobody can tell from here whether the use goes on."""

    reason: str
    """Why."""


@dataclass(frozen=True)
class Dead:
    """The use has ended."""

    reason: str
    """How that is seen."""


State = Alive | Unsure | Dead


def judge(use: Use) -> State:
    """Tell whether a use goes on, by looking at its evidence; what others wrote is not believed."""
    if not use.evidence:
        return Alive() if use.kind == PIN else Unsure("it does not say where it is")
    try:
        found = read_plain(use.evidence, MAX_BYTES, flags=FOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return _gone(use)
    except (OSError, ValueError) as error:  # such as a path with a null character
        return Unsure(f"it can't be looked at: {getattr(error, 'strerror', None) or 'no such path'}".lower())
    if use.kind == PIN:
        return Alive()
    if use.kind == PROJECT:
        return Unsure("an installer fetched ahead for it")
    return Unsure("its manifest is no plain file") if found is None else _still_names(use, found[0])


def _still_names(use: Use, manifest: bytes) -> State:
    """Tell whether the installed manifest is still that of the blobs."""
    try:
        named = {file.sha256 for file in parse(manifest).all_files()}
    except ManifestError:
        return Unsure("its manifest can't be read")
    return Alive() if named.issuperset(use.blobs) else Dead("the model is another release by now")


def _gone(use: Use) -> State:
    """Say what it means that the evidence is not there."""
    if any(map(os.path.isfile, Path(use.evidence).parents)):
        return Alive()  # the pointer package lies in a zip file
    if use.machine != machine():
        return Unsure("it belongs to another machine or container")
    if not os.path.ismount(use.mount or os.sep):
        return Unsure("its disk is not mounted")
    there = stat.S_ISDIR(_mode(use.place))
    if use.kind in ENVIRONMENTS:
        return Dead("the model was uninstalled or upgraded" if there else "the environment is gone")
    return Dead("its pyproject.toml is gone" if there else "the project is gone")


def _mode(path: str) -> int:
    """Return the mode of what a path leads to; 0 for nothing."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - a path that somebody else wrote, perhaps none
    except (OSError, ValueError):
        return 0
