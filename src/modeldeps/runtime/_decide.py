"""Which variant is run by which execution provider: decided from facts, each candidate with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from modeldeps._frozen import dataclass
from modeldeps.errors import UnknownVariantError
from modeldeps.runtime._facts import Fails
from modeldeps.runtime._installed import Absent
from modeldeps.runtime._machine import AUTO, PROVIDERS, provider_name
from modeldeps.runtime._versions import satisfies

if TYPE_CHECKING:
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.runtime._machine import Machine

FORMAT = "onnx"
"""The format that `load()` opens."""


@dataclass(frozen=True)
class Accepted:
    """A variant that a provider can run here."""

    variant: str
    """The variant's name."""
    provider: str
    """The provider's name."""
    reason: str
    """What speaks for it."""


@dataclass(frozen=True)
class Rejected:
    """A variant that a provider can't run here, or should not."""

    variant: str
    """The variant's name."""
    provider: str
    """The provider's name."""
    cause: str
    """What it failed on: `format`, `meant`, `runtime`, `version` or `provider`."""
    reason: str
    """What speaks against it."""
    hint: str | None = None
    """What to do about it, where there is something."""


Candidate: TypeAlias = "Accepted | Rejected"


@dataclass(frozen=True)
class Decision:
    """Every candidate in the order of preference; the first accepted one is taken."""

    model: str
    """The release, such as `digits 2.1.0`."""
    provider: str
    """The provider that was asked for; `auto` for the best."""
    variant: str | None
    """The variant that was asked for, or None for the publisher's order."""
    candidates: tuple[Candidate, ...]
    """Better providers first; within one, variants in the publisher's order."""

    @property
    def chosen(self) -> Accepted | None:
        """The candidate that is taken, or None where all were rejected."""
        return next((one for one in self.candidates if isinstance(one, Accepted)), None)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The candidates that can't be taken."""
        return tuple(one for one in self.candidates if isinstance(one, Rejected))

    def __str__(self) -> str:
        """Return a line for each candidate: taken, also possible or rejected, and why."""
        words = [self._word(one) for one in self.candidates]
        labels = [f"{one.variant} on {one.provider}" for one in self.candidates]
        wide, long = max(map(len, words), default=0), max(map(len, labels), default=0)
        rows = zip(words, labels, self.candidates, strict=True)
        return "\n".join(f"{word:<{wide}}  {label:<{long}}  {one.reason}" for word, label, one in rows)

    def _word(self, candidate: Candidate) -> str:
        if isinstance(candidate, Rejected):
            return "rejected"
        return "taken" if candidate is self.chosen else "possible"


def decide(
    manifest: Manifest, machine: Machine, *, provider: str = AUTO, variant: str | None = None
) -> Decision:
    """
    Judge every variant with every provider; the result depends on the arguments alone.

    Raises UnknownProviderError, and UnknownVariantError where the release has no such variant.
    """
    asked = provider_name(provider)
    model = f"{manifest.name} {manifest.version}"
    names = manifest.default if variant is None else (variant,)
    variants = [one for one in map(manifest.variant, names) if one is not None]
    if not variants:
        raise UnknownVariantError(model, str(variant), manifest.default)
    order = PROVIDERS if asked == AUTO else (asked,)
    candidates = tuple(_judge(manifest, one, name, machine) for name in order for one in variants)
    return Decision(model, asked, variant, candidates)


def _judge(manifest: Manifest, variant: Variant, provider: str, machine: Machine) -> Candidate:
    """Ask for what the release says first, then for what is installed, then for what works."""
    name = variant.name
    if variant.format != FORMAT:
        reason = f"load() opens {FORMAT}, not {variant.format}"
        return Rejected(
            name, provider, "format", reason, f'modeldeps.path("{manifest.name}") gives its folder'
        )
    if variant.providers and provider not in variant.providers:
        return Rejected(name, provider, "meant", f"the publisher means it for {', '.join(variant.providers)}")
    runtime = machine.runtime
    if isinstance(runtime, Absent):
        return Rejected(name, provider, "runtime", runtime.reason, runtime.hint)
    needed = variant.requires.runtime
    if runtime.version and not satisfies(runtime.version, needed):
        return Rejected(name, provider, "version", f"needs onnxruntime{needed}, found {runtime}")
    match machine.providers.get(provider, Fails("nobody looked whether it works")):
        case Fails(reason, hint):
            return Rejected(name, provider, "provider", reason, hint)
        case works:
            return Accepted(name, provider, works.detail)
