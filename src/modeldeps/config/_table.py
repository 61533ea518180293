"""The keys of a configuration file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from modeldeps.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ENVIRONMENT = "the environment"
"""What an error names where variables are wrong."""
_KEYS = frozenset(
    {
        "adopt",
        "cache",
        "certificates",
        "channels",
        "client-certificate",
        "connections",
        "mirrors",
        "offline",
        "prefetch",
        "provider",
        "stores",
        "tokens",
    }
)


class Table:
    """The keys of a configuration file, each checked when it is asked for, over those of another file."""

    def __init__(self, file: Path, values: Mapping[str, object], below: Table | None) -> None:
        self._file = file
        self.values = values
        self._below = below
        self.found = [Problem(key, _unknown(key)) for key in values if key not in _KEYS]

    @classmethod
    def read(cls, file: Path, *, below: Table | None = None, named: str = "") -> Table:
        """
        Return the keys of a file; none where it is not there, unless a variable `named` it.

        Raises ConfigError.
        """
        return cls(file, _values(file, named), below)

    def check(self) -> None:
        """Raise ConfigError with all that was found wrong in this file so far."""
        if self.found:
            raise ConfigError(self._file, self.found, hint=f"correct it in {self._file}")

    def folder(self, key: str) -> Path:
        """Return the folder of the file whose value of a key counts."""
        return self._of(key)._file.absolute().parent  # noqa: SLF001 - of this very class

    def _of(self, key: str) -> Table:
        """Return the table whose value of a key counts."""
        return self._below if self._below is not None and key not in self.values else self

    def problems(self, key: str) -> list[Problem]:
        """Return where problems with the value of a key are gathered."""
        return self._of(key).found

    def wrong(self, key: str, expected: str) -> None:
        """Count a value as a problem."""
        kind = type(self.values[key]).__name__  # not the value: it may be a URL with a password
        self.found.append(Problem(key, f"expected {expected}, found {kind}"))

    def text(self, key: str) -> str:
        """Return a text, empty where there is none."""
        table = self._of(key)
        value = table.values.get(key, "")
        if isinstance(value, str):
            return value
        table.wrong(key, "text")
        return ""

    def texts(self, key: str) -> list[str]:
        """Return an array of texts."""
        table = self._of(key)
        value = table.values.get(key, [])
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        table.wrong(key, "an array of texts")
        return []

    def table(self, key: str) -> Mapping[str, object]:
        """Return a table."""
        table = self._of(key)
        value = table.values.get(key, {})
        if isinstance(value, dict):
            return value
        table.wrong(key, "a table")
        return {}

    def number(self, key: str) -> int | None:
        """Return a number, or None."""
        table = self._of(key)
        value = table.values.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        table.wrong(key, "a number")
        return None

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a switch."""
        table = self._of(key)
        value = table.values.get(key, default)
        if isinstance(value, bool):
            return value
        table.wrong(key, "true or false")
        return default


def _unknown(key: str) -> str:
    """Return what is said of a key that is none."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for this problem

    if key in ("modeldeps", "tool"):
        return "is not a key; settings stand at the top of the file, under no heading of their own"
    known = sorted(_KEYS)
    near = get_close_matches(key.lower().replace("_", "-"), known, n=1)
    return (
        f"is not a key; did you mean {near[0]!r}?" if near else f"is not a key; there are {', '.join(known)}"
    )


def _values(file: Path, named: str) -> Mapping[str, object]:
    """
    Return what a file says; nothing where it is not there, unless a variable `named` it.

    Raises ConfigError.
    """
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise _unreadable(file, named, "no such file") from None
        return {}
    except OSError as error:
        raise _unreadable(file, named, (error.strerror or type(error).__name__).lower()) from None
    if not text:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - at first use
    else:
        import tomli as tomllib  # noqa: PLC0415 - at first use

    try:
        return tomllib.loads(text.decode("utf-8-sig"))  # editors of Windows begin a file with a mark
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        problem = Problem("", f"expected TOML: {error}")
        raise ConfigError(file, [problem], hint=f"correct it in {file}") from None


def _unreadable(file: Path, named: str, reason: str) -> ConfigError:
    """Return the error for a file that can't be read; one that a variable named is the variable's fault."""
    if named:
        problem = Problem(named, f"expected a file that can be read, found {file}: {reason}")
        return ConfigError(ENVIRONMENT, [problem], hint=f"correct {named}, or unset it")
    return ConfigError(
        file, [Problem("", f"expected a readable file: {reason}")], hint=f"correct its rights: {file}"
    )
