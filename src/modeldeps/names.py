"""Names of models and of the distributions that point to them."""

from __future__ import annotations

from modeldeps.errors import InvalidNameError

PREFIX = "modeldeps-"
"""What every pointer package's distribution name begins with."""

MAX_LENGTH = 100
"""Characters of a model's name; keeps folder names of a store below every file system's limit."""

RESERVED = frozenset(
    {"all", "build", "channel", "cli", "conda", "core", "cpu", "cuda", "demo", "docs", "hook", "hooks",
     "hub", "index", "modeldeps", "none", "oci", "pip", "plugin", "s3", "store", "test", "uv"}
)  # fmt: skip
"""Names that this project keeps for packages of its own, or that would read as something else."""

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME = _LETTERS | frozenset("-_.")


def normalize(name: str) -> str:
    """
    Return a model's name in its one spelling: lower case, single dashes (PEP 503).

    Raises InvalidNameError for anything that is not a name (PEP 508) or is too long.
    """
    return _bounded(_spelled(name))


def check_publishable(name: str) -> str:
    """Return the normalised name of a model to publish. Raises InvalidNameError if it is reserved."""
    normal = normalize(name)
    if normal in RESERVED or normal.startswith(PREFIX):
        raise InvalidNameError(name, "it is reserved")
    return normal


def distribution_name(model: str) -> str:
    """Return the distribution of a model: `modeldeps-digits` for `digits`."""
    return PREFIX + normalize(model)


def model_name(text: str) -> str:
    """Return the model that a model name or a distribution name means: `digits` for both."""
    normal = _spelled(text)
    pointer = normal.startswith(PREFIX) and len(normal) > len(PREFIX)
    return _bounded(normal[len(PREFIX) :] if pointer else normal)


def wheel_name(model: str) -> str:
    """Return the distribution name as file names spell it: `modeldeps_digits` (PEP 491, PEP 427)."""
    return distribution_name(model).replace("-", "_")


def _spelled(name: str) -> str:
    """Return a name in its one spelling, of whatever length."""
    if not isinstance(name, str) or not name or not _NAME.issuperset(name):
        raise InvalidNameError(str(name), "a character of it is not allowed" if name else "it is empty")
    if not _LETTERS.issuperset((name[0], name[-1])):
        raise InvalidNameError(name, "it must begin and end with a letter or a digit")
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


def _bounded(name: str) -> str:
    if len(name) > MAX_LENGTH:
        raise InvalidNameError(name, f"it has {len(name)} characters, {MAX_LENGTH} are allowed")
    return name
