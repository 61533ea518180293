"""Neural-network models as ordinary Python dependencies."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from modeldeps.errors import ModelDepsError
    from modeldeps.runtime import Model, load, path

__all__ = ["Model", "ModelDepsError", "__version__", "load", "path"]

__version__ = "0.1.0"

_HOMES = {
    "Model": "modeldeps.runtime",
    "ModelDepsError": "modeldeps.errors",
    "load": "modeldeps.runtime",
    "path": "modeldeps.runtime",
}


def __getattr__(name: str) -> object:
    """Import a public name at its first use, so that `import modeldeps` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - at first use, not at import

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
