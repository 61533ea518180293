"""What the reading commands know of an installed model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from modeldeps import environment
from modeldeps.config import settings
from modeldeps.errors import ManifestError, ModelDepsError
from modeldeps.runtime import decide_here, obstacle, select
from modeldeps.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.environment import Pointer, Requirer
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.runtime import Decision


@dataclass(frozen=True)
class InstalledModel:
    """A pointer whose manifest is right, and what this machine makes of it."""

    pointer: Pointer
    """The pointer package."""
    manifest: Manifest
    """Its manifest."""

    @cached_property
    def decision(self) -> Decision:
        """What `load()` would decide here."""
        return decide_here(self.manifest)

    @cached_property
    def variant(self) -> Variant:
        """The variant that `load()` would take here, or that would be fetched for it."""
        return select(self.manifest)[0]

    @cached_property
    def obstacle(self) -> ModelDepsError | None:
        """What keeps `load()` from opening it here."""
        return obstacle(self.manifest)

    @property
    def provider(self) -> str:
        """The provider that would run it, or nothing."""
        return self.decision.chosen.provider if self.decision.chosen else ""

    @property
    def size(self) -> int:
        """Bytes of the variant with the shared files."""
        return self.payload_size(self.variant)

    @property
    def requirers(self) -> tuple[Requirer, ...]:
        """The distributions that ask for it."""
        return environment.requirers(self.pointer.name)

    def payload_size(self, variant: Variant) -> int:
        """Return the bytes of a variant with the shared files."""
        return sum(file.size for file in self.manifest.payload(variant))

    def folder(self, variant: Variant) -> Path | None:
        """Return the folder that holds a variant, or None where its bytes are not all here."""
        return _store().materialised(
            self.manifest.payload(variant),
            name=self.manifest.name,
            version=self.manifest.version,
            variant=variant.name,
        )

    def is_cached(self, variant: Variant) -> bool:
        """Tell whether the bytes of a variant are here."""
        store = _store()
        whole = self.folder(variant) is not None
        return whole or all(store.find(file) is not None for file in self.manifest.payload(variant))


@dataclass(frozen=True)
class BrokenModel:
    """A pointer whose manifest can't be used."""

    pointer: Pointer
    """The pointer package."""
    error: ManifestError
    """What is wrong."""


def examine(pointer: Pointer) -> InstalledModel | BrokenModel:
    """Read a pointer's manifest; what is wrong with it is part of the answer."""
    try:
        return InstalledModel(pointer, pointer.manifest())
    except ManifestError as error:
        return BrokenModel(pointer, error)


def _store() -> Store:
    return Store.open(settings())
