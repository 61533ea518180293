"""Turn a decision without an accepted candidate into the error that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors import (
    NotRunnableError,
    ProviderUnavailableError,
    RuntimeMissingError,
    RuntimeVersionError,
)
from modeldeps.names import distribution_name
from modeldeps.runtime._installed import CLEAR, Absent
from modeldeps.runtime._machine import AUTO

if TYPE_CHECKING:
    from modeldeps.manifest import Manifest
    from modeldeps.runtime._decide import Decision, Rejected
    from modeldeps.runtime._machine import Machine


def refusal(decision: Decision, machine: Machine, manifest: Manifest) -> NotRunnableError:
    """Return the most telling error for a decision in which every candidate was rejected."""
    by_cause: dict[str, list[Rejected]] = {}
    for one in decision.rejected:
        by_cause.setdefault(one.cause, []).append(one)
    if isinstance(machine.runtime, Absent) and "runtime" in by_cause:
        return _missing(decision, machine.runtime, manifest)
    if "version" in by_cause and "provider" not in by_cause:
        return _wrong_version(decision, by_cause["version"][0], machine, manifest)
    facts = _facts(decision)
    hint = next((one.hint for one in decision.rejected if one.hint), None)
    if decision.provider == AUTO:
        return NotRunnableError(f"{decision.model} can't be run here", facts, hint=hint)
    return ProviderUnavailableError(decision.model, decision.provider, facts, hint=hint)


def _facts(decision: Decision) -> list[tuple[str, str]]:
    """Return each candidate with its reason."""
    return [(f"{one.variant} on {one.provider}", one.reason) for one in decision.rejected]


def _missing(decision: Decision, runtime: Absent, manifest: Manifest) -> RuntimeMissingError:
    package = distribution_name(manifest.name)
    cuda = any("cuda" in one.providers for one in manifest.variants)
    extra = "cuda" if decision.provider == "cuda" else "cpu"
    other = "  # [cuda] for NVIDIA devices" if cuda and extra == "cpu" else ""
    install = f'pip install "{package}[{extra}]"{other}'
    hint = f"{CLEAR} && {install}" if runtime.hint else install
    return RuntimeMissingError(decision.model, runtime.reason, hint)


def _wrong_version(
    decision: Decision, rejected: Rejected, machine: Machine, manifest: Manifest
) -> RuntimeVersionError:
    """Name the extra: with it the installer sees what the release needs, and takes another one if it must."""
    variant = manifest.variant(rejected.variant)
    needed = variant.requires.runtime if variant else ""
    extra = "cuda" if "gpu" in getattr(machine.runtime, "package", "") else "cpu"
    hint = f'pip install --upgrade "{distribution_name(manifest.name)}[{extra}]"'
    return RuntimeVersionError(decision.model, needed, str(machine.runtime), hint=hint)
