"""Find the pointer, decide, make sure of the bytes, open the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps import environment
from modeldeps._frozen import dataclass
from modeldeps.config import settings
from modeldeps.errors import ModelNotInstalledError, ModelVersionError, RequirementError
from modeldeps.runtime._decide import Decision, decide
from modeldeps.runtime._facts import Fails
from modeldeps.runtime._installed import Absent
from modeldeps.runtime._machine import Machine, provider_name
from modeldeps.runtime._model import Model, Opened
from modeldeps.runtime._open import Entry, open_session
from modeldeps.runtime._select import machine_for, named_variant, select
from modeldeps.runtime._versions import read_requirement, satisfies
from modeldeps.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modeldeps.config import Settings
    from modeldeps.environment import Pointer
    from modeldeps.manifest import Manifest, Variant


def load(
    requirement: str,
    *,
    provider: str | None = None,
    variant: str | None = None,
    options: Mapping[str, object] | object | None = None,
) -> Model:
    """
    Open a model of this environment, such as `digits` or `digits>=2.1`.

    `provider` is `auto` (the default, unless MODELDEPS_PROVIDER says otherwise), `cuda` or `cpu`; one
    that is named is never replaced by another. `variant` is a variant's name. `options` are session
    options: names and values, or an `onnxruntime.SessionOptions`. Bytes that are missing are fetched,
    unless offline. Raises a ModelDepsError that says what to do.
    """
    found = settings()
    asked = provider_name(found.provider if provider is None else provider)
    pointer = find(requirement)
    manifest = pointer.manifest()
    here = machine_for(manifest, asked)
    while True:
        decision = decide(manifest, here, provider=asked, variant=variant)
        opened = _open(_Release(pointer, manifest), decision, here, found, options)
        if isinstance(opened, Model):
            return opened
        here = here.without(opened.provider, opened.fact)


def path(requirement: str, *, variant: str | None = None) -> Path:
    """
    Return the folder that holds a model's files, for formats that other libraries open.

    The variant is the one that `load()` would take, else the publisher's first. Its files are
    read-only and shared. Bytes that are missing are fetched, unless offline. Raises a ModelDepsError.
    """
    pointer = find(requirement)
    manifest = pointer.manifest()
    chosen = select(manifest)[0] if variant is None else named_variant(manifest, variant)
    return _ensure(_Release(pointer, manifest), chosen, settings())


def find(requirement: str) -> Pointer:
    """
    Return the installed pointer package that meets a requirement.

    Raises RequirementError, ModelNotInstalledError, ModelVersionError.
    """
    asked = read_requirement(requirement)
    if asked.extras or asked.marker:
        raise RequirementError(requirement, "here only a name and a specifier have a meaning")
    pointer = environment.find(asked.name)
    if pointer is None:
        installed = [one.name for one in environment.pointers()]
        raise ModelNotInstalledError(asked.name, installed, requirement=str(asked), index=_index())
    if not satisfies(pointer.version, asked.specifier):
        raise ModelVersionError(
            asked.name, asked.specifier, pointer.version, pointer.location, index=_index()
        )
    return pointer


def _index() -> str:
    """Return the index of the user's first channel, where installers find pointer packages, or nothing."""
    return next((f"{one}simple/" for one in settings().channels), "")


@dataclass(frozen=True)
class _Release:
    """An installed release."""

    pointer: Pointer
    manifest: Manifest


@dataclass(frozen=True)
class _Refused:
    """A provider that did not work after all."""

    provider: str
    fact: Fails


def _open(
    release: _Release, decision: Decision, here: Machine, found: Settings, options: object
) -> Model | _Refused:
    """Open the chosen candidate; its provider may turn out not to work."""
    manifest = release.manifest
    chosen, runtime = decision.chosen, here.runtime
    if chosen is None or isinstance(runtime, Absent):
        from modeldeps.runtime._refuse import refusal  # noqa: PLC0415 - only for an error

        raise refusal(decision, here, manifest)
    variant = named_variant(manifest, chosen.variant)
    folder = _ensure(release, variant, found)
    entry = Entry(decision.model, variant.name, folder / variant.entry, variant.size)
    session = open_session(entry, chosen.provider, runtime, options)
    if isinstance(session, Fails):
        return _Refused(chosen.provider, session)
    return Model(Opened(manifest, decision, chosen, folder, session))


def _ensure(release: _Release, variant: Variant, found: Settings) -> Path:
    """Return the materialised folder of a variant, fetching what is missing; its use is noted first."""
    store = Store.open(found)
    manifest, location = release.manifest, release.pointer.location
    files = manifest.payload(variant)
    named = {"name": manifest.name, "version": manifest.version, "variant": variant.name}
    here = store.materialised(files, **named)
    if here is None or not store.is_noted(here, location):
        store.note_use(manifest, variant, by=location)  # from now on nobody frees it; was it freed just now?
        here = store.materialised(files, **named)
    if here:
        return here
    from modeldeps.progress import default_reporter  # noqa: PLC0415 - most often everything is here
    from modeldeps.sync import ensure  # noqa: PLC0415 - likewise

    ensured = ensure(
        manifest,
        variant,
        store=store,
        channels=found.channels,
        reporter=default_reporter(),
        offline=found.offline,
        carried=release.pointer.carried,
    )
    for error in ensured.wrong:
        import warnings  # noqa: PLC0415 - almost never

        warnings.warn(
            f"{error.source} served other bytes than its manifest names: {error.path}", stacklevel=4
        )
    return ensured.path
