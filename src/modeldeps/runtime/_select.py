"""Which variants `load()` would take, for those who fetch bytes before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.config import settings
from modeldeps.errors import UnknownVariantError
from modeldeps.runtime._decide import decide
from modeldeps.runtime._machine import AUTO, PROVIDERS, Machine, assumed, machine, provider_name

if TYPE_CHECKING:
    from modeldeps.errors import NotRunnableError
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.runtime._decide import Decision


def decide_here(manifest: Manifest, *, provider: str | None = None, variant: str | None = None) -> Decision:
    """
    Decide for this machine as `load()` would, without opening anything.

    Raises UnknownProviderError, UnknownVariantError, ConfigError.
    """
    asked = settings().provider if provider is None else provider
    return decide(manifest, machine_for(manifest, asked), provider=asked, variant=variant)


def machine_for(manifest: Manifest, provider: str) -> Machine:
    """
    Find out about the providers that matter: those asked for that a variant is meant for.

    So a model that has nothing for CUDA never starts CUDA. Raises UnknownProviderError.
    """
    asked = provider_name(provider)
    names = tuple(PROVIDERS) if asked == AUTO else (asked,)
    wanted = [one.providers for one in manifest.variants]
    return machine([name for name in names if any(not one or name in one for one in wanted)])


def select(
    manifest: Manifest, *, runtime: str | None = None, on: Machine | None = None
) -> tuple[Variant, ...]:
    """
    Return the variants that `load()` would take here; never none.

    With `runtime` (`cpu` or `cuda`) it is as if that ONNX Runtime were installed and worked; `on` is
    another machine, or another environment of this one. Where
    nothing can be run here, the CPU's choice is returned, else the publisher's first: the bytes may
    be wanted before the runtime is. Raises UnknownProviderError, ConfigError.
    """
    if on is not None:
        first = decide(manifest, on, provider=settings().provider)
    elif runtime is not None:
        first = decide(manifest, assumed(runtime), provider=AUTO)
    else:
        first = decide_here(manifest)
    decisions = (
        first,
        decide(manifest, assumed("cpu"), provider=AUTO),
    )
    names = [one.chosen.variant for one in decisions if one.chosen]
    return (named_variant(manifest, [*names, manifest.default[0]][0]),)


def named_variant(manifest: Manifest, name: str) -> Variant:
    """Return the variant of that name. Raises UnknownVariantError."""
    found = manifest.variant(name)
    if found is None:
        raise UnknownVariantError(f"{manifest.name} {manifest.version}", name, manifest.default)
    return found


def obstacle(manifest: Manifest) -> NotRunnableError | None:
    """
    Return the error that `load()` would raise on this machine, or None where it would open the model.

    An installer that was not asked for an extra of the pointer package does not see which ONNX
    Runtime it needs, so whoever fetches bytes should say it.
    """
    from modeldeps.runtime._refuse import refusal  # noqa: PLC0415 - load() needs it only for an error

    asked = settings().provider
    found = machine_for(manifest, asked)
    decision = decide(manifest, found, provider=asked)
    return None if decision.chosen else refusal(decision, found, manifest)
