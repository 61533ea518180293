"""What `modeldeps doctor` looks at, each with what was found."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps import __version__, environment, project
from modeldeps.cli._installed import BrokenModel, InstalledModel
from modeldeps.cli._installed import examine as examine_pointer
from modeldeps.cli._waiting import waiting
from modeldeps.config import origin, settings, unknown_variables
from modeldeps.errors import ModelDepsError
from modeldeps.progress import format_bytes
from modeldeps.runtime import PROVIDERS, Absent, Fails, Works, machine, provider_name
from modeldeps.store import Store, wrong_layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.config import Settings
    from modeldeps.environment import Pointer
    from modeldeps.runtime import Machine

OK = "ok"
NOTE = "note"
WRONG = "wrong"
LOW = 1_000_000_000
"""Bytes free in the store below which it is worth a note."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    state: str
    """`ok`, `note` or `wrong`."""
    subject: str
    """What was looked at."""
    text: str
    """What was found; the first line says it all."""
    hint: str | None = None
    """What to do about it."""

    @classmethod
    def of(cls, subject: str, error: ModelDepsError) -> Finding:
        """Make a finding of what went wrong."""
        lines = str(error).splitlines()
        hint = f"hint: {error.hint}" if error.hint else None
        return cls(WRONG, subject, "\n".join(one for one in lines if one != hint), error.hint)


def examine(*, offline: bool) -> list[Finding]:
    """Look at everything. Raises ConfigError: without settings nothing can be looked at."""
    found = settings()
    here = machine()
    return [
        _python(),
        *_runtime(here),
        *_providers(here, found),
        *_settings(found),
        *_store(found),
        *_channels(found, offline=offline or found.offline),
        *_models(),
    ]


def _settings(found: Settings) -> Iterator[Finding]:
    """Tell of variables that look like settings and are none, and of certificates that can't be used."""
    from modeldeps.fetch._trust_roots import check_certificates  # noqa: PLC0415

    for name, near in unknown_variables(found).items():
        hint = f"did you mean {near}?" if near else None
        yield Finding(NOTE, "settings", f"{name} is set, and is no setting", hint)
    try:
        check_certificates(found)
    except ModelDepsError as error:
        yield Finding.of("certificates", error)


def _python() -> Finding:
    text = f"modeldeps {__version__}, Python {platform.python_version()} on {platform.platform(terse=True)}"
    return Finding(OK, "python", f"{text}\n{sys.executable}")


def _runtime(here: Machine) -> Iterator[Finding]:
    match here.runtime:
        case Absent(reason, None):
            hint = 'pip install "modeldeps[cpu]"  # [cuda] for NVIDIA devices'
            yield Finding(NOTE, "onnxruntime", reason, hint)
        case Absent(reason, hint):
            yield Finding(WRONG, "onnxruntime", reason, hint)
        case runtime if runtime.is_mixed:
            from modeldeps.runtime._installed import CURE  # noqa: PLC0415

            text = f"{runtime}, installed over another onnxruntime wheel: {', '.join(runtime.wheels)}"
            yield Finding(WRONG, "onnxruntime", f"{text}\n{runtime.folder}", CURE)
        case runtime:
            built = f", built with CUDA {runtime.cuda}" if runtime.cuda else ""
            yield Finding(OK, "onnxruntime", f"{runtime}{built}\n{runtime.folder}")


def _providers(here: Machine, found: Settings) -> Iterator[Finding]:
    """Tell of each provider; one that does not work is wrong only where the user asked for it."""
    try:
        asked = provider_name(found.provider)
    except ModelDepsError as error:
        yield Finding.of(origin("provider") or "provider", error)
        return
    for name in PROVIDERS:
        match here.providers.get(name):
            case Works(detail):
                yield Finding(OK, name, detail)
            case Fails(reason, hint):
                yield Finding(WRONG if name == asked else NOTE, name, reason, hint)


def _store(found: Settings) -> Iterator[Finding]:
    try:
        store = Store.open(found)
        store.check_place()
    except ModelDepsError as error:
        yield Finding.of("store", error)
        return
    usage = store.usage()
    blobs, models = _count(usage.blobs, "blob"), _count(usage.models, "model")
    held = f"{store.root}\n{blobs}, {format_bytes(usage.blob_bytes)}, {models}"
    free = store.free()
    if not store.is_writable():
        yield Finding(NOTE, "store", f"{held}, read-only", "set MODELDEPS_CACHE to a folder of yours")
    elif free is not None and free < LOW:
        yield Finding(NOTE, "store", f"{held}, only {format_bytes(free)} free")
    else:
        yield Finding(OK, "store", held)
    wrong = wrong_layers(found.stores)
    for layer, problem in wrong.items():
        hint = f"correct it in {origin('stores') or 'the settings'}"
        yield Finding(WRONG, "read-only store", f"{layer} {problem}", hint)
    for layer in store.layers:
        if layer not in wrong:
            yield Finding(OK, "read-only store", str(layer))


def _channels(found: Settings, *, offline: bool) -> Iterator[Finding]:
    try:
        declared = project.load(Path.cwd())
    except ModelDepsError as error:
        yield Finding.of("project", error)
        declared = None
    channels = dict.fromkeys((*found.channels, *(declared.channels if declared else ())))
    if not channels:
        hint = "set MODELDEPS_CHANNELS, or channels in [tool.modeldeps]"
        yield Finding(NOTE, "channels", "none is set; models come from the sources in their manifests", hint)
    for channel in channels:
        yield _channel(channel, offline=offline)
    for mirror in dict.fromkeys(found.mirrors):
        yield _channel(mirror, offline=offline, subject="mirror")


def _channel(url: str, *, offline: bool, subject: str = "channel") -> Finding:
    """Ask a channel for its models; a mirror need not have an index, only blobs are asked of it."""
    from modeldeps.errors import NotAChannelError, RefusedError, UnreachableError, redact  # noqa: PLC0415
    from modeldeps.fetch.index import Channel  # noqa: PLC0415

    shown = redact(url)
    if offline and not url.startswith("file:"):
        return Finding(NOTE, subject, f"{shown} was not asked, offline")
    try:
        with waiting(shown):
            models = Channel(url).models()
    except NotAChannelError as error:
        if subject == "mirror":
            return Finding(OK, subject, f"{shown} answers; it has no index, and needs none")
        return Finding.of(subject, error)
    except UnreachableError as error:
        reasons = "\n".join(one.reason for one in error.failures)
        advice = [one.advice for one in error.failures if isinstance(one, RefusedError) and one.advice]
        hint = f"is its host up, and is it spelt right in {_where(subject)}?"
        return Finding(WRONG, subject, f"{shown} can't be asked: {reasons}", *advice[:1] or [hint])
    except ModelDepsError as error:
        return Finding.of(subject, error)
    return Finding(OK, subject, f"{shown} has {_count(len(models), 'model')}")


def _where(subject: str) -> str:
    """Return where channels or mirrors are set."""
    said = origin(f"{subject}s")
    return said if subject == "mirror" else f"{said or 'MODELDEPS_CHANNELS'} or [tool.modeldeps]"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number != 1 else ''}"


def _models() -> Iterator[Finding]:
    found = environment.pointers()
    for pointer in found:
        yield _model(pointer)
    for folder in environment.remains():
        distribution = folder.name.partition("-")[0].replace("_", "-")
        hint = f"pip install --force-reinstall --no-deps {distribution}"
        yield Finding(WRONG, "model", f"{folder} has lost its model.json", hint)
    if not found:
        yield Finding(NOTE, "models", "none is installed in this environment", "modeldeps add NAME")


def _model(pointer: Pointer) -> Finding:
    """Tell what would run it here and why, or what keeps it from running."""
    subject = f"{pointer.name} {pointer.version}"
    try:
        match examine_pointer(pointer):
            case BrokenModel(_, error):
                return Finding.of(subject, error)
            case model if model.obstacle:
                return Finding.of(subject, model.obstacle)
            case model:
                return _choice(subject, model)
    except ModelDepsError as error:  # settings that keep every model from being chosen
        return Finding.of(subject, error)


def _choice(subject: str, model: InstalledModel) -> Finding:
    chosen = model.decision.chosen
    if chosen is None:  # an obstacle, then
        raise AssertionError(model)
    text = f"{chosen.variant} on {chosen.provider}: {chosen.reason}"
    better = model.decision.candidates[: model.decision.candidates.index(chosen)]
    passed = [f"not {one.variant} on {one.provider}: {one.reason}" for one in better]
    if model.is_cached(model.variant):
        return Finding(OK, subject, "\n".join([text, *passed]))
    missing = f"its {format_bytes(model.size)} are not here yet"
    return Finding(NOTE, subject, "\n".join([text, *passed, missing]), f"modeldeps sync {model.pointer.name}")
