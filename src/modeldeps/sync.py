"""Make the store hold what models need: the one function behind prefetch, sync and load."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from modeldeps._frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modeldeps.errors import DigestError
    from modeldeps.fetch import Opener
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.progress import Reporter
    from modeldeps.store import Store


@dataclass(frozen=True)
class Ensured:
    """One variant of a model that is here."""

    path: Path
    """The folder that holds its files under their own names."""
    bytes_fetched: int
    """Bytes of payload that travelled."""
    wrong: tuple[DigestError, ...] = ()
    """Sources that served other bytes than the manifest names; others had the right ones."""


@dataclass(frozen=True)
class Synced:
    """One variant that `sync` made sure of."""

    name: str
    """The model."""
    version: str
    """Its version."""
    variant: str
    """The variant."""
    bytes_fetched: int
    """Bytes of payload that travelled."""
    path: Path
    """The folder that holds its files under their own names."""
    wrong: tuple[str, ...] = ()
    """Sources that served other bytes than a manifest names in this run; others had the right ones."""


class HasManifest(Protocol):
    """What an environment knows of a model: its pointer."""

    def manifest(self) -> Manifest:
        """Return the manifest. Raises ManifestError."""


def ensure(  # noqa: PLR0913 - each has its name
    manifest: Manifest,
    variant: Variant,
    *,
    store: Store,
    channels: Sequence[str],
    reporter: Reporter,
    offline: bool,
    carried: Path | None = None,
) -> Ensured:
    """
    Make sure of the files of one variant, and return their folder.

    Where the folder is right already this costs one `stat` a file. `carried` is the folder of the payload
    that the package itself may have. Raises what `fetch` and
    `Store.materialise` raise.
    """
    one = _Need(manifest, variant, carried)
    if found := one.here(store):
        return Ensured(found, 0)
    return _bring([one], store, channels, reporter, offline=offline)[0]


def sync(  # noqa: PLR0913 - each has its name
    pointers: Sequence[HasManifest],
    select: Callable[[Manifest], Sequence[Variant]],
    *,
    store: Store,
    channels: Sequence[str],
    reporter: Reporter,
    offline: bool,
    opener: Opener | None = None,
) -> tuple[Synced, ...]:
    """
    Make sure of the variants that `select` names of each model, and say what was done.

    All manifests are read before anything is fetched, and everything that lacks is fetched at once.
    `opener` gives the transport of a URL, where the usual one won't do. Raises ManifestError and what
    `ensure` raises.
    """
    manifests = [(one.manifest(), getattr(one, "carried", None)) for one in pointers]
    needs = [
        _Need(manifest, variant, carried) for manifest, carried in manifests for variant in select(manifest)
    ]
    found = {one: one.here(store) for one in needs}
    lacking = [one for one in needs if found[one] is None]
    came = _bring(lacking, store, channels, reporter, offline=offline, opener=opener)
    brought = dict(zip(lacking, came, strict=True))
    return tuple(one.synced(brought.get(one) or Ensured(found[one] or store.root, 0)) for one in needs)


class _Need:
    """One variant of a model that is to be here."""

    def __init__(self, manifest: Manifest, variant: Variant, carried: Path | None) -> None:
        self.carried = carried
        self.files = manifest.payload(variant)
        self.named = {"name": manifest.name, "version": manifest.version, "variant": variant.name}
        self.label = f"{manifest.name} {manifest.version} {variant.name}"

    def here(self, store: Store) -> Path | None:
        """Return its folder where that is right already."""
        return store.materialised(self.files, **self.named)

    def take_carried(self, store: Store) -> None:
        """Let the store have what the package carries of the files that it lacks."""
        if self.carried is not None and os.path.isdir(self.carried):  # noqa: PTH112 - Path's may raise
            for file in self.files:
                store.find(file) or store.adopt_carried(file, self.carried)

    def synced(self, one: Ensured) -> Synced:
        """Say what was done."""
        sources = tuple(dict.fromkeys(error.source for error in one.wrong))
        return Synced(**self.named, bytes_fetched=one.bytes_fetched, path=one.path, wrong=sources)


def _bring(  # noqa: PLR0913 - each has its name
    needs: Sequence[_Need],
    store: Store,
    channels: Sequence[str],
    reporter: Reporter,
    *,
    offline: bool,
    opener: Opener | None = None,
) -> list[Ensured]:
    """Fetch what several variants lack in one go; a file that two of them need counts for the first."""
    if not needs:
        return []
    from modeldeps.fetch import fetch, transport  # noqa: PLC0415 - most often everything is here

    for one in needs:
        one.take_carried(store)
    models = {file.sha256: one.label for one in reversed(needs) for file in one.files}
    fetched = fetch(
        [file for one in needs for file in one.files],
        store,
        channels=channels,
        reporter=reporter,
        offline=offline,
        model=needs[0].label if len(needs) == 1 else f"{len(needs)} models",
        models=models,
        opener=opener or transport,
    )
    travelled = dict(fetched.travelled)
    done = []
    for one in needs:
        count = sum(travelled.pop(file.sha256, 0) for file in one.files)
        done.append(Ensured(store.materialise(one.files, **one.named), count, fetched.wrong))
    return done
