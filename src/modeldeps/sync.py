"""Make the store hold what models need: the one function behind prefetch, sync and load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from modeldeps._frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

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
) -> Ensured:
    """
    Make sure of the files of one variant, and return their folder.

    Where the folder is right already this costs one `stat` a file. Raises what `fetch` and
    `Store.materialise` raise.
    """
    files = manifest.payload(variant)
    named = {"name": manifest.name, "version": manifest.version, "variant": variant.name}
    if found := store.materialised(files, **named):
        return Ensured(found, 0)
    from modeldeps.fetch import fetch  # noqa: PLC0415 - most often everything is here

    model = f"{manifest.name} {manifest.version} {variant.name}"
    fetched = fetch(files, store, channels=channels, reporter=reporter, offline=offline, model=model)
    return Ensured(store.materialise(files, **named), fetched.bytes_fetched)


def sync(  # noqa: PLR0913 - each has its name
    pointers: Sequence[HasManifest],
    select: Callable[[Manifest], Sequence[Variant]],
    *,
    store: Store,
    channels: Sequence[str],
    reporter: Reporter,
    offline: bool,
) -> tuple[Synced, ...]:
    """
    Make sure of the variants that `select` names of each model, and say what was done.

    All manifests are read before anything is fetched. Raises ManifestError and what `ensure` raises.
    """
    chosen = [(manifest, tuple(select(manifest))) for manifest in [one.manifest() for one in pointers]]
    done = []
    for manifest, variants in chosen:
        for variant in variants:
            one = ensure(
                manifest, variant, store=store, channels=channels, reporter=reporter, offline=offline
            )
            done.append(Synced(manifest.name, manifest.version, variant.name, one.bytes_fetched, one.path))
    return tuple(done)
