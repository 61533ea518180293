"""The facts about this machine that a choice rests on."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass, field
from modeldeps.errors import UnknownProviderError
from modeldeps.runtime._facts import Fact, Fails, Works
from modeldeps.runtime._installed import Absent, Runtime, installed, lacks_cuda

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUTO = "auto"
"""The provider that stands for the best one that works here."""

PROVIDERS: Mapping[str, str] = MappingProxyType(
    {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}
)
"""Execution providers by the name that users write, the best one first, with ONNX Runtime's names."""


@dataclass(frozen=True)
class Machine:
    """What was found out about ONNX Runtime and its execution providers."""

    runtime: Runtime | Absent
    """The ONNX Runtime of this environment."""
    providers: Mapping[str, Fact] = field(default_factory=dict, hash=False)
    """What is known of each provider that was looked at."""

    def without(self, provider: str, fact: Fails) -> Machine:
        """Return the same machine on which a provider turned out not to work."""
        return Machine(self.runtime, {**self.providers, provider: fact})


def machine(providers: Sequence[str] = tuple(PROVIDERS)) -> Machine:
    """
    Find out what works here, without importing onnxruntime.

    Only the named providers are looked at; looking at `cuda` starts CUDA in this process.
    """
    runtime = installed()
    if isinstance(runtime, Absent):
        return Machine(runtime)
    return Machine(runtime, {name: _probe(name, runtime) for name in providers})


def _probe(provider: str, runtime: Runtime) -> Fact:
    if provider == "cpu":
        return Works(str(runtime))
    if fact := lacks_cuda(runtime):
        return fact
    from modeldeps.runtime._cuda import probe  # noqa: PLC0415 - only builds with CUDA come here

    return probe(runtime)


def assumed(kind: str) -> Machine:
    """Return a machine on which the newest ONNX Runtime of a kind works: `cpu`, or `cuda` for both."""
    names = ["cpu"] if kind == "cpu" else list(PROVIDERS)
    unknown = Runtime(version="", package="onnxruntime", folder=Path())
    return Machine(unknown, {one: Works(f"as if the runtime of {kind!r} were installed") for one in names})


def provider_name(text: object) -> str:
    """
    Return a provider's name in its one spelling; ONNX Runtime's own names are understood.

    Raises UnknownProviderError.
    """
    word = text.strip().lower() if isinstance(text, str) else ""
    if word == AUTO or word in PROVIDERS:
        return word
    for name, full in PROVIDERS.items():
        if word == full.lower():
            return name
    from modeldeps.config import origin, settings  # noqa: PLC0415 - only for this error

    said_by = origin("provider") if text == settings().provider else ""
    raise UnknownProviderError(text, [AUTO, *PROVIDERS], said_by=said_by)
