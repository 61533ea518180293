"""Put right what `modeldeps cache verify` found wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modeldeps.errors import ModelDepsError
from modeldeps.manifest import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from modeldeps.manifest import Manifest
    from modeldeps.progress import Reporter
    from modeldeps.store import Item, Store, Verified


@dataclass(frozen=True)
class Wanted:
    """What known releases say of blobs."""

    files: Mapping[str, File]
    """By digest."""
    models: Mapping[str, str]
    """Name and version of a release, by digest."""

    @classmethod
    def of(cls, known: Iterable[Manifest]) -> Wanted:
        """Return what these releases say; the first that names a blob counts."""
        files: dict[str, File] = {}
        models: dict[str, str] = {}
        for manifest in known:
            for file in manifest.all_files():
                files.setdefault(file.sha256, file)
                models.setdefault(file.sha256, f"{manifest.name} {manifest.version}")
        return cls(files, models)

    def file(self, digest: str, size: int) -> File:
        """Return what is known of a blob; where nothing is, its name and the size that it has."""
        return self.files.get(digest) or File(digest, size, digest)

    def name(self, files: Sequence[File]) -> str:
        """Return the release that all these blobs belong to, or nothing."""
        names = {self.models.get(one.sha256, "") for one in files}
        return names.pop() if len(names) == 1 else ""

    def label(self, digest: str) -> str:
        """Return the path that a release gives to a blob, or nothing."""
        return self.files[digest].path if digest in self.files else ""


@dataclass
class Repairs:
    """What became of it."""

    done: set[Path] = field(default_factory=set)
    """What is right now."""
    failed: dict[Path, ModelDepsError] = field(default_factory=dict)
    """Why the rest is not, where that is known."""
    bytes_fetched: int = 0
    """Bytes of payload that travelled."""


@dataclass(frozen=True)
class Repairer:
    """Puts right what is in the store that is written, out of what is here or from the channels."""

    store: Store
    """The store."""
    wanted: Wanted
    """What is known of its blobs."""
    channels: Sequence[str] = field(repr=False)
    """Where bytes come from."""
    reporter: Reporter
    """Hears how far a fetch is."""
    offline: bool
    """Use no network."""

    def repair(self, verified: Verified) -> Repairs:
        """Put right what can be put right; nothing is deleted where that fails."""
        from modeldeps.store import Verdict  # noqa: PLC0415

        repairs = Repairs()
        mine = [
            one
            for one in verified.findings
            if one.verdict is not Verdict.PROVED and one.item.own and one.item.digest
        ]
        files = {one.item.digest: self.wanted.file(one.item.digest, one.item.size) for one in mine}
        errors = self._bring(files.values(), verified.copies, repairs)
        for one in mine:
            error = errors.get(one.item.digest) or self._relink(one.item, files[one.item.digest])
            if error is None:
                repairs.done.add(one.item.path)
            else:
                repairs.failed[one.item.path] = error
        return repairs

    def _relink(self, item: Item, file: File) -> ModelDepsError | None:
        """Let the files of models that were the wrong blob be the right one; return what went wrong."""
        blob = self.store.blob(file.sha256)
        try:
            self.store.relink([path for path in (item.path, *item.names) if path != blob], file)
        except ModelDepsError as error:
            return error
        return None

    def _bring(
        self, files: Iterable[File], copies: Mapping[str, Path], repairs: Repairs
    ) -> dict[str, ModelDepsError]:
        """Make sure of right blobs; return by digest why one could not be had."""
        errors: dict[str, ModelDepsError] = {}
        lacking = []
        for file in files:
            try:
                if not self._is_here(file, copies):
                    lacking.append(file)
            except ModelDepsError as error:  # noqa: PERF203 - a few rounds
                errors[file.sha256] = error
        try:
            self._fetch(lacking, repairs)
        except ModelDepsError as error:
            if len(lacking) == 1:
                return {**errors, lacking[0].sha256: error}
            for file in lacking:  # one that can't be had must not keep the others away
                errors |= self._bring([file], copies, repairs)
        return errors

    def _is_here(self, file: File, copies: Mapping[str, Path]) -> bool:
        """Tell whether the blob is right, or could be made of what is here."""
        if self.store.find(file) == self.store.blob(file.sha256):
            return True
        return self.store.restore(file, [copies[file.sha256]] if file.sha256 in copies else [])

    def _fetch(self, files: Sequence[File], repairs: Repairs) -> None:
        """Fetch blobs, all at once."""
        from modeldeps.fetch import fetch  # noqa: PLC0415 - most often nothing is wrong

        fetched = fetch(
            files,
            self.store,
            channels=self.channels,
            reporter=self.reporter,
            offline=self.offline,
            model=self.wanted.name(files),
            models=self.wanted.models,
        )
        repairs.bytes_fetched += fetched.bytes_fetched
