"""Which variants `load()` would take, for those who fetch bytes before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.config import settings
from modeldeps.runtime._decide import decide
from modeldeps.runtime._machine import AUTO, assumed, machine
from modeldeps.runtime._refuse import refusal

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
    return decide(manifest, machine(), provider=asked, variant=variant)


def select(manifest: Manifest, *, runtime: str | None = None) -> tuple[Variant, ...]:
    """
    Return the variants that `load()` would take here; never none.

    With `runtime` (`cpu` or `cuda`) it is as if that ONNX Runtime were installed and worked. Where
    nothing can be run here, the CPU's choice is returned, else the publisher's first: the bytes may
    be wanted before the runtime is. Raises UnknownProviderError, ConfigError.
    """
    decisions = (
        decide_here(manifest) if runtime is None else decide(manifest, assumed(runtime), provider=AUTO),
        decide(manifest, assumed("cpu"), provider=AUTO),
    )
    names = [one.chosen.variant for one in decisions if one.chosen] or [manifest.default[0]]
    found = manifest.variant(names[0])
    return () if found is None else (found,)


def obstacle(manifest: Manifest) -> NotRunnableError | None:
    """
    Return the error that `load()` would raise on this machine, or None where it would open the model.

    An installer that was not asked for an extra of the pointer package does not see which ONNX
    Runtime it needs, so whoever fetches bytes should say it.
    """
    found = machine()
    decision = decide(manifest, found, provider=settings().provider)
    return None if decision.chosen else refusal(decision, found, manifest)
