"""Fetch what a project's models need while it is being built; never stop the build."""

from __future__ import annotations

import hashlib
import os
import sys
from typing import TYPE_CHECKING

from modeldeps.config import settings
from modeldeps.errors import ModelDepsError, SolverError
from modeldeps.prefetch._frontend import Frontend, frontend, parent_folder, parent_words
from modeldeps.prefetch._question import Question, question
from modeldeps.prefetch._solve import solvers
from modeldeps.prefetch._tell import Both, teller
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from modeldeps.config import Settings
    from modeldeps.manifest import Manifest
    from modeldeps.prefetch._solve import Solver
    from modeldeps.project import Declaration, Pyproject

CURE = "the models are fetched by `modeldeps sync`, or at the first load()"


def prefetch(pyproject: Pyproject, declaration: Declaration) -> None:
    """
    Fetch the models of a project that an installer is building; do nothing in any other build.

    What goes wrong is said and never raised: an installation must not fail because of bytes that
    can be fetched later. `MODELDEPS_PREFETCH=0` turns it off.
    """
    try:
        found = settings()
        shown = frontend(os.environ, parent_words(), folder=parent_folder(), prefix=sys.prefix)
        if not found.prefetch or shown is None or not first(shown, pyproject.file):
            return
        channels = (*found.channels, *declaration.channels)
        asked = question(pyproject, declaration, channels=channels, extras=shown.extras)
        if not asked.models:
            return
        with teller() as reporter:
            _fetch(asked, solvers(shown, offline=found.offline), found, reporter)
    except Exception as error:  # noqa: BLE001 - never fatal, whatever it is
        _say_failure(error)


def first(shown: Frontend, project: Path) -> bool:
    """Tell whether this is the first of the builds that one run of an installer makes of a project."""
    if shown.stamps is None:
        return True
    digest = hashlib.sha256(os.fsencode(project.absolute())).hexdigest()[:16]
    try:
        (shown.stamps / f"modeldeps-{digest}").touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:  # a stamp that can't be left costs a second look, no more
        return True
    return True


def _fetch(asked: Question, solvers: Iterable[Solver], found: Settings, reporter: Both) -> None:
    """Ask for the versions, then make sure of each model's bytes."""
    if not asked.channels:
        names = ", ".join(model.name for model in asked.models)
        reporter.note(f"no channel is configured, so {names} can't be fetched ahead")
        return
    versions = _solve(asked, solvers)
    for model in asked.models:
        if model.name in versions:
            try:
                _ensure(model.name, versions[model.name], asked, found, reporter)
            except ModelDepsError as error:  # the other models' bytes are wanted all the same
                _say_failure(error)


def _solve(asked: Question, solvers: Iterable[Solver]) -> dict[str, str]:
    """Return the answer of the first solver that has one. Raises the last one's SolverError."""
    last = SolverError("nobody", "there is no solver")
    for solver in solvers:
        try:
            return solver.solve(asked)
        except SolverError as error:  # noqa: PERF203 - two at most
            last = error
    raise last


def _ensure(name: str, version: str, asked: Question, found: Settings, reporter: Both) -> None:
    """Make sure of the variant that load() would take with the runtime that comes with the model."""
    from modeldeps.runtime import select  # noqa: PLC0415 - only in a build
    from modeldeps.store import Store  # noqa: PLC0415 - only in a build
    from modeldeps.sync import ensure  # noqa: PLC0415 - only in a build

    manifest = _manifest(name, version, asked.channels)
    (variant, *_) = select(manifest, runtime=asked.runtime)
    store = Store.open(found)
    store.note_use(manifest, variant, by=asked.folder / "pyproject.toml")
    done = ensure(
        manifest,
        variant,
        store=store,
        channels=asked.channels,
        reporter=reporter,
        offline=found.offline,
    )
    if done.bytes_fetched:
        reporter.note(f"{name} {version} ({variant.name}): {format_bytes(done.bytes_fetched)} fetched")
    else:
        reporter.log(f"{name} {version} ({variant.name}) is here")


def _manifest(name: str, version: str, channels: Sequence[str]) -> Manifest:
    """Return a release's manifest from the first channel that has it. Raises SolverError."""
    from modeldeps.fetch.index import Channel  # noqa: PLC0415 - only in a build

    for url in channels:
        channel = Channel(url)
        for release in channel.releases(name):
            if release.version == version:
                return channel.manifest(release)
    raise SolverError("index", f"{name} {version} is in no configured channel")


def _say_failure(error: Exception) -> None:
    """Say in a few lines what went wrong, and what will bring the bytes all the same."""
    words = str(error) if isinstance(error, ModelDepsError) else f"{type(error).__name__}: {error}"
    try:
        with teller() as reporter:
            reporter.note(f"the models could not be fetched ahead: {words}")
            reporter.note(CURE)
    except OSError:  # not even stderr can be written
        return
