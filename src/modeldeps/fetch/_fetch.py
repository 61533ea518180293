"""Bring the blobs of files into a store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.errors import (
    BrokenTransferError,
    DigestError,
    OfflineError,
    RefusedError,
    SourceError,
    UnreachableError,
)
from modeldeps.fetch._open import transport
from modeldeps.fetch._origin import Origin
from modeldeps.fetch._retry import Patience
from modeldeps.fetch._sources import sources
from modeldeps.fetch._transport import Request
from modeldeps.progress import Reporter, format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from modeldeps.fetch._transport import Body
    from modeldeps.manifest import File
    from modeldeps.store import Landing, Store


@dataclass(frozen=True)
class Fetched:
    """What a fetch did."""

    bytes_fetched: int
    """Bytes of payload that travelled, those that were lost on the way counted too."""
    blobs: Mapping[str, Path]
    """The blob of each digest that was asked for."""


def fetch(  # noqa: PLR0913 - each has its name
    files: Iterable[File],
    store: Store,
    *,
    channels: Sequence[str],
    reporter: Reporter,
    offline: bool = False,
    model: str = "",
) -> Fetched:
    """
    Make the store hold the blobs of files.

    Channels are asked in their order, then the files' own sources; without a network only `file://`
    ones. `model` is named in progress and errors. Raises UnreachableError when every source of a
    file failed, DigestError as soon as a source serves other bytes than the manifest names,
    OfflineError, StoreFullError and StoreReadOnlyError.
    """
    wanted = {file.sha256: file for file in files}
    blobs = {digest: found for digest, file in wanted.items() if (found := store.find(file))}
    missing = [file for digest, file in wanted.items() if digest not in blobs]
    if not missing:
        return Fetched(0, blobs)
    if offline:
        _check_offline(missing, channels, model)
    store.check_room(sum(file.size - store.begun(file) for file in missing))
    run = _Run(store, channels, reporter, model=model, offline=offline)
    reporter.begin(model or "fetching", total=sum(file.size for file in missing))
    try:
        for file in missing:
            if os.path.lexists(store.blob(file.sha256)):
                reporter.note(f"{file.path}: the blob in the store was altered; fetching it again")
        blobs.update((file.sha256, run.one(file)) for file in missing)
    finally:
        reporter.end()
    return Fetched(run.travelled, blobs)


def _check_offline(missing: Sequence[File], channels: Sequence[str], model: str) -> None:
    lacking = [file for file in missing if not sources(file, channels, offline=True)]
    if lacking:
        raise _offline(lacking, model)


def _offline(files: Sequence[File], model: str) -> OfflineError:
    size = format_bytes(sum(one.size for one in files))
    return OfflineError([file.path for file in files], missing=size, model=model)


class _KnownDeadError(BrokenTransferError):
    """A source could not be reached earlier in this run; that was told then."""


class _Run:
    """One fetch: what travelled, and which sources are known to be dead."""

    def __init__(
        self, store: Store, channels: Sequence[str], reporter: Reporter, *, model: str, offline: bool
    ) -> None:
        self.travelled = 0
        self._model = model
        self._store = store
        self._channels = channels
        self._reporter = reporter
        self._offline = offline
        self._dead: dict[Origin, SourceError] = {}

    def one(self, file: File) -> Path:
        """Return the blob of a file, fetched here or by another process meanwhile."""
        mine = False

        def fill(landing: Landing) -> None:
            nonlocal mine
            mine = True
            self._fill(landing)

        try:
            blob = self._store.land(file, fill, reporter=self._reporter)
        except DigestError as error:
            raise error.of(self._model) from None
        if not mine:
            self._reporter.advance(file.size)
        return blob

    def _fill(self, landing: Landing) -> None:
        """Fill a landing from the first source that serves it whole."""
        file = landing.file
        self._reporter.advance(landing.position)
        if self._is_done(landing, "what an earlier run left"):
            return
        failures = []
        for url in sources(file, self._channels, offline=self._offline):
            try:
                self._from(url, landing)
            except SourceError as error:  # noqa: PERF203 - a few rounds
                failures.append(error)
                if not isinstance(error, _KnownDeadError):
                    self._reporter.note(f"{error.url}: {error.reason}")
            else:
                return
        if self._offline:
            raise _offline([file], self._model)
        raise UnreachableError(f"{file.path} of {self._model}" if self._model else file.path, failures)

    def _from(self, url: str, landing: Landing) -> None:
        """Fetch all that lacks from one source, asking it again where that may help. Raises SourceError."""
        origin = _origin(url)
        if dead := self._dead.get(origin):
            raise _KnownDeadError(url, f"{dead.reason} (not asked again)")
        patience = Patience()
        while True:
            before = landing.position
            try:
                self._stream(url, landing)
            except SourceError as error:
                self._reporter.advance(-landing.settle())
                patience.progressed(landing.position - before)
                if not patience.wait(error, tell=self._reporter.note):
                    if isinstance(error, BrokenTransferError) and landing.position == before:
                        self._dead[origin] = error
                    raise
            else:
                if self._is_done(landing, url):
                    return

    def _is_done(self, landing: Landing, source: str) -> bool:
        """Prove what is whole; False where bytes lack, or where they must all come again from one source."""
        size = landing.file.size
        if landing.position < size:
            return False
        if landing.prove(source):
            return True
        self._reporter.advance(-size)
        self._reporter.note(
            f"{landing.file.path}: parts of several downloads don't fit; fetching all of it again"
        )
        return False

    def _stream(self, url: str, landing: Landing) -> None:
        """Take what one request brings. Raises SourceError where that is not all that lacks."""
        size = landing.file.size
        with transport(url).open(Request(url, landing.position)) as body:
            if body.size not in (None, size):
                raise RefusedError(url, f"it has {body.size} bytes, the manifest says {size}")
            self._copy(url, body, landing)
        if landing.position < size:
            raise BrokenTransferError(url, f"it ended after {landing.position} of {size} bytes")

    def _copy(self, url: str, body: Body, landing: Landing) -> None:
        size, skip = landing.file.size, landing.position - body.start
        for block in body.blocks:
            self.travelled += len(block)
            fresh = block[skip:] if skip else block
            skip = max(0, skip - len(block))
            if landing.position + len(fresh) > size:
                raise RefusedError(url, f"it sends more than the {size} bytes that the manifest says")
            if fresh:
                landing.write(fresh, source=url)
                self._reporter.advance(len(fresh))
            if landing.position == size:
                return


def _origin(url: str) -> Origin:
    try:
        return Origin.of(url)
    except ValueError:
        raise RefusedError(url, "it is no URL that can be asked") from None
