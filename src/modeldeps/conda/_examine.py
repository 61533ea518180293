"""What is wrong with the models of a conda environment: their manifests, and their bytes in the store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from modeldeps import environment
from modeldeps._frozen import dataclass
from modeldeps.conda._prefix import looking_in, pointer_packages
from modeldeps.errors import ManifestError
from modeldeps.manifest import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modeldeps.conda._prefix import PointerPackage
    from modeldeps.environment import Pointer
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.store import Store, Verified

MISSING = "is missing"
ALTERED = "was altered"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong."""

    model: str
    """Name and version."""
    text: str
    """What is wrong with which file."""
    package: PointerPackage | None = None
    """The package whose manifest is wrong; None where bytes in the store are."""


@dataclass(frozen=True)
class Chosen:
    """A model whose manifest is right, and what it needs here."""

    pointer: Pointer
    """The pointer package."""
    manifest: Manifest
    """Its manifest."""
    variants: tuple[Variant, ...]
    """The variants that `load()` would take in that environment."""


@dataclass(frozen=True)
class Examined:
    """What was found in one environment."""

    models: tuple[Chosen, ...]
    """The models whose manifest is right."""
    faults: tuple[Fault, ...]
    """What is wrong."""


def examine(prefix: Path, store: Store, taken: Callable[[Manifest], Sequence[Variant]]) -> Examined:
    """
    Look at the manifest of every model of an environment, and hash the bytes that it needs.

    `taken` tells the variants that `load()` would take there. Bytes that are wrong are used by nobody from
    now on. Raises what `taken` raises, and StoreError where the store can't be looked at.
    """
    wrong = [fault for one in pointer_packages(prefix) if (fault := _manifest_fault(one))]
    files = {one.package.file for one in wrong if one.package}
    models: list[Chosen] = []
    with looking_in(prefix) as folders:
        for pointer in environment.pointers(folders):
            if pointer.file in files:
                continue
            try:
                manifest = pointer.manifest()
            except ManifestError as error:
                wrong.append(Fault(f"{pointer.name} {pointer.version}", str(error)))
            else:
                models.append(Chosen(pointer, manifest, tuple(taken(manifest))))
    return Examined(tuple(models), (*wrong, *_payload_faults(models, store)))


def _manifest_fault(package: PointerPackage) -> Fault | None:
    """Compare a manifest with the digest that conda recorded when it was installed."""
    try:
        with package.file.open("rb", buffering=0) as stream:
            data = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Fault(package.label, f"{package.file} {MISSING}", package)
    except OSError as error:
        return Fault(package.label, f"{package.file} can't be read: {error.strerror}", package)
    if package.digest and hashlib.sha256(data).hexdigest() != package.digest:
        return Fault(package.label, f"{package.file} {ALTERED}", package)
    return None


def _payload_faults(models: list[Chosen], store: Store) -> list[Fault]:
    """Hash the bytes of the chosen variants; what was never fetched is missing."""
    from modeldeps.store import Verdict

    if not models:
        return []
    verified = _verify(models, store)
    labels = {
        file.sha256: (f"{one.manifest.name} {one.manifest.version}", file.path)
        for one in models
        for variant in one.variants
        for file in one.manifest.payload(variant)
    }
    found = []
    for one in verified.findings:
        model, path = labels.get(one.item.digest, ("", str(one.item.path)))
        if one.verdict is not Verdict.PROVED:
            what = MISSING if one.verdict is Verdict.MISSING else f"{ALTERED} ({one.reason})"
            found.append(Fault(model, f"{path} {what}, in {one.item.path}"))
    return list(dict.fromkeys(found))


def _verify(models: list[Chosen], store: Store) -> Verified:
    from modeldeps.progress import Reporter
    from modeldeps.store import Expected

    expected = [
        Expected(one.manifest.name, one.manifest.version, variant.name, one.manifest.payload(variant))
        for one in models
        for variant in one.variants
    ]
    return store.verify(expected, reporter=Reporter(), only=True)
