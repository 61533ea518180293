"""Bring the blobs of files into a store."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass, field
from modeldeps.config import origin, settings
from modeldeps.errors import ContradictionError, DigestError, OfflineError, UnreachableError
from modeldeps.fetch._host import Host
from modeldeps.fetch._open import scheme, transport
from modeldeps.fetch._origin import Origin
from modeldeps.fetch._run import Run
from modeldeps.fetch._sources import sources
from modeldeps.fetch._task import Place, Source, State, Task
from modeldeps.manifest import File
from modeldeps.progress import Reporter, format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from modeldeps.config import Settings
    from modeldeps.errors import SourceError
    from modeldeps.fetch._open import Opener
    from modeldeps.store import Store


@dataclass(frozen=True)
class Fetched:
    """What a fetch did."""

    bytes_fetched: int
    """Bytes of payload that travelled, those that were lost on the way counted too."""
    blobs: Mapping[str, Path]
    """The blob of each digest that was asked for."""
    travelled: Mapping[str, int] = field(default_factory=dict)
    """Bytes that travelled for each digest that was not here."""
    wrong: tuple[DigestError, ...] = ()
    """Sources that served other bytes than the manifest names; others had the right ones."""


def fetch(  # noqa: PLR0913 - each has its name
    files: Iterable[File],
    store: Store,
    *,
    channels: Sequence[str],
    reporter: Reporter,
    offline: bool = False,
    model: str = "",
    models: Mapping[str, str] | None = None,
    chosen: Settings | None = None,
    opener: Opener = transport,
) -> Fetched:
    """
    Make the store hold the blobs of files.

    The user's mirrors are asked first, then channels in their order, then the files' own sources;
    without a network only `file://` ones. `model` is named in progress and errors, unless `models`
    names one for a digest. `chosen` is what the user set, if not asked here; `opener` gives the
    transport of a URL. A source that serves other bytes than the manifest names is told, left, and
    found in `Fetched.wrong`. Raises
    UnreachableError when every source of a file failed, DigestError where one of them served other bytes,
    OfflineError, ContradictionError, StoreFullError and StoreReadOnlyError.
    """
    wanted = _by_digest(files)
    blobs = {
        digest: found
        for digest, file in wanted.items()
        if (found := store.find(file) or store.adopt_known(file))
    }
    missing = [file for digest, file in wanted.items() if digest not in blobs]
    if not missing:
        store.settle(blobs.values())
        return Fetched(0, blobs)
    chosen = chosen or settings()
    asked = (*chosen.mirrors, *channels)
    by = origin("offline") if offline and chosen.offline else ""
    if offline:
        _check_offline(missing, asked, model, by)
    store.check_room(sum(file.size - store.begun(file) for file in missing))
    named = {**dict.fromkeys(wanted, model), **(models or {})}
    tasks = _tasks(missing, asked, offline=offline, models=named, connections=chosen.connections)
    reporter.begin(model or "fetching", total=sum(file.size for file in missing))
    run = Run(store, tasks, reporter, window=_window(), opener=opener)
    try:
        _tell_altered(missing, store, reporter)
        run.go()
    except UnreachableError as error:
        if offline:
            left = [one.file for one in tasks if one.state is not State.DONE]
            raise _offline(left, model, by, error.failures) from None
        raise
    finally:
        reporter.end()
    blobs.update((file.sha256, store.find(file) or store.blob(file.sha256)) for file in missing)
    ours = {one.file.sha256 for one in tasks if one.is_ours}
    store.settle(blob for digest, blob in blobs.items() if digest not in ours)
    travelled = {one.file.sha256: one.travelled for one in tasks}
    return Fetched(sum(travelled.values()), blobs, travelled, tuple(run.wrong))


def _by_digest(files: Iterable[File]) -> dict[str, File]:
    """Return each blob that is wanted once. Raises ContradictionError."""
    wanted: dict[str, File] = {}
    for file in files:
        wanted[file.sha256] = _agreed(wanted.get(file.sha256), file)
    return wanted


def _tell_altered(missing: Sequence[File], store: Store, reporter: Reporter) -> None:
    """Say which files come again because what the store has of them is no longer right."""
    for file in missing:
        if os.path.lexists(store.blob(file.sha256)):
            reporter.note(f"{file.path}: the blob in the store was altered; fetching it again")


def _agreed(one: File | None, other: File) -> File:
    """
    Return what two manifests say of one blob, or the only one.

    Where they name different chunks both lists are left out: the digest of the whole decides. Raises
    ContradictionError where they name different sizes.
    """
    if one is None or one == other:
        return other
    if one.size != other.size:
        sizes = {"expected": f"{one.size} bytes", "found": f"{other.size} bytes for the same digest"}
        raise ContradictionError(other.path, **sizes)
    chunks = one.chunks if one.chunks == other.chunks else ()
    return File(one.path, one.size, one.sha256, chunks, tuple(dict.fromkeys((*one.sources, *other.sources))))


def _tasks(
    files: Sequence[File],
    channels: Sequence[str],
    *,
    offline: bool,
    models: Mapping[str, str],
    connections: int,
) -> list[Task]:
    """Return what is to be done for each file; what comes from one source shares what is known of it."""
    hosts: dict[object, Host] = {}
    owners: dict[str, Source] = {}

    def place(url: str) -> Place:
        key = _origin(url, channels)
        owner = next((one for one in channels if url.startswith(f"{one}blobs/sha256/")), url)
        host = hosts.setdefault(key, Host(most=connections))
        return Place(url, host, owners.setdefault(owner, Source()))

    return [
        Task(file, models[file.sha256], [place(url) for url in sources(file, channels, offline=offline)])
        for file in files
    ]


def _origin(url: str, channels: Sequence[str]) -> object:
    """Return what stands for a source: a folder, or scheme, host and port; a URL that can't be read alone."""
    if scheme(url) == "file":
        return next((one for one in channels if url.startswith(one)), url)
    try:
        return Origin.of(url)
    except ValueError:
        return url


def _window() -> int:
    """Return how many files may be open at once: each takes two handles, and other things need some."""
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return 64
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(4, min(128, (soft - 64) // 4)) if soft > 0 else 128


def _check_offline(missing: Sequence[File], channels: Sequence[str], model: str, by: str) -> None:
    lacking = [file for file in missing if not sources(file, channels, offline=True)]
    if lacking:
        raise _offline(lacking, model, by)


def _offline(files: Sequence[File], model: str, by: str, tried: Sequence[SourceError] = ()) -> OfflineError:
    size = format_bytes(sum(one.size for one in files))
    return OfflineError([file.path for file in files], missing=size, model=model, by=by, tried=tried)
