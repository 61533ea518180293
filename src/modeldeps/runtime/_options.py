"""Session options: this project's defaults, then what the user set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from modeldeps.errors import OptionError

if TYPE_CHECKING:
    from types import ModuleType

    from onnxruntime import SessionOptions

PROVIDER = "provider"
"""The key of `options` whose mapping goes to the execution provider, such as `{"device_id": 1}`."""

TINY = 1_000_000
"""Bytes of a variant below which one thread is fastest."""

_SPINNING = ("session.intra_op.allow_spinning", "session.inter_op.allow_spinning")


def session_options(onnxruntime: ModuleType, options: object, *, size: int) -> SessionOptions:
    """
    Return ONNX Runtime's `SessionOptions`.

    `options` is None, a `SessionOptions` that is taken as it is, or a mapping from attributes of
    `SessionOptions` (`intra_op_num_threads`) and configuration keys (`session.intra_op.allow_spinning`)
    to values. `size` is the variant's, in bytes. Raises OptionError.
    """
    if isinstance(options, onnxruntime.SessionOptions):
        return options
    if options is not None and not isinstance(options, Mapping):
        raise OptionError("options", options, expected="a mapping, or onnxruntime.SessionOptions")
    chosen = onnxruntime.SessionOptions()
    for key, value in {**defaults(size), **(options or {})}.items():
        if key != PROVIDER:
            _set(chosen, key, value)
    return chosen


def provider_options(options: object) -> dict[str, str]:
    """Return what goes to the execution provider. Raises OptionError."""
    found = options.get(PROVIDER, {}) if isinstance(options, Mapping) else {}
    if not isinstance(found, Mapping):
        raise OptionError(PROVIDER, found, expected='a mapping such as {"device_id": 1}')
    return {str(key): _text(value) for key, value in found.items()}


def defaults(size: int) -> dict[str, object]:
    """Return the defaults: threads that wait instead of spinning, and as many as this process may use."""
    threads = 1 if size <= TINY else usable_cores()
    return {"intra_op_num_threads": threads, **dict.fromkeys(_SPINNING, False)}


def usable_cores() -> int:
    """Return how many cores this process may run on: the affinity mask where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _set(chosen: SessionOptions, key: object, value: object) -> None:
    """Set one option; a key with a dot is a configuration key of ONNX Runtime, which checks its value."""
    if not isinstance(key, str):
        raise OptionError(str(key), value, expected="names of options as keys")
    try:
        if "." in key:
            chosen.add_session_config_entry(key, _text(value))
        elif key in attributes(chosen):
            setattr(chosen, key, _enumerated(chosen, key, value))
        else:
            names = ", ".join([*attributes(chosen), PROVIDER])
            raise OptionError(key, value, expected=f"one of {names}, or a configuration key with a dot")
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise OptionError(key, value, expected=_wanted(chosen, key, error)) from None


def attributes(chosen: SessionOptions) -> list[str]:
    """Return the names of the attributes of a `SessionOptions` that hold values."""
    return [one for one in dir(chosen) if not one.startswith("_") and not callable(getattr(chosen, one))]


def _enumerated(chosen: SessionOptions, key: str, value: object) -> object:
    """Return the member of an enumeration where its name was given, as in `"ORT_ENABLE_BASIC"`."""
    kind = type(getattr(chosen, key))
    if isinstance(value, str) and hasattr(kind, "__members__"):
        members: Mapping[str, object] = kind.__members__
        if value not in members:
            raise TypeError
        return members[value]
    return value


def _wanted(chosen: SessionOptions, key: str, error: Exception) -> str:
    kind = type(getattr(chosen, key, ""))
    if members := getattr(kind, "__members__", None):
        return f"one of {', '.join(members)}"
    return (
        kind.__name__
        if isinstance(error, (TypeError, OverflowError)) and "." not in key
        else str(error).splitlines()[0]
    )


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
