"""The keys of a configuration file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from modeldeps.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
        self.found = [
            Problem(key, f"is not a key; there are {', '.join(sorted(_KEYS))}")
            for key in values
            if key not in _KEYS
        ]

    @classmethod
    def read(cls, file: Path, *, below: Table | None = None) -> Table:
        """Return the keys of a file, none where it is not there. Raises ConfigError."""
        return cls(file, _values(file), below)

    def check(self) -> None:
        """Raise ConfigError with all that was found wrong in this file so far."""
        if self.found:
            raise ConfigError(self._file, self.found)

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


def _values(file: Path) -> Mapping[str, object]:
    """Return what a file says; nothing where it is not there. Raises ConfigError."""
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(file, [Problem("", f"expected a readable file: {error.strerror}")]) from None
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - at first use
    else:
        import tomli as tomllib  # noqa: PLC0415 - at first use

    try:
        return tomllib.loads(text.decode("utf-8"))
    except ValueError as error:  # both TOMLDecodeError and UnicodeDecodeError
        raise ConfigError(file, [Problem("", f"expected TOML: {error}")]) from None
