"""Read foreign JSON: note every problem with its full key, and go on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from modeldeps.errors import Problem
from modeldeps.manifest import _checks

if TYPE_CHECKING:
    from modeldeps.manifest._values import Json

T = TypeVar("T")
Check = Callable[[str], "str | None"]
ReadItem = Callable[["Reader"], T]

_BARE = r"[A-Za-z_][A-Za-z0-9_-]*"
"""Keys that are shown as they are; also the bare keys of TOML that are no numbers."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader gives back unchanged (RFC 8259, section 6)."""
MAX_NUMBER = 1e300
"""The largest number that is read as one; infinity is not a measurement."""
MAX_ITEMS = 1_000_000
"""Entries of one array or object."""
MAX_PROBLEMS = 1000
"""Problems of one file that are noted; a hostile file could have millions, each with its key."""


class Reader:
    """One JSON value at one key; `problems` is shared by all readers of a file."""

    def __init__(self, value: Json, key: str, problems: list[Problem]) -> None:
        self.value = value
        self.key = key
        self.problems = problems
        self._seen: set[str] = set()

    def problem(self, message: str | None, name: str = "") -> bool:
        """Note a problem at this key, or at a key below; True if there was one."""
        if message and not self.is_hopeless:
            self.problems.append(Problem(self.below(name) if name else self.key, message))
        return bool(message)

    @property
    def is_hopeless(self) -> bool:
        """Tell whether so much of the file is wrong that the rest is not looked at."""
        return len(self.problems) >= MAX_PROBLEMS

    def below(self, name: str) -> str:
        """Return the full key of a key of this object."""
        plain = name if re.fullmatch(_BARE, name, re.ASCII) else f"[{_checks.shorten(name)}]"
        if not self.key or plain.startswith("["):
            return f"{self.key}{plain}"
        return f"{self.key}.{plain}"

    def child(self, name: str, *, required: bool = False) -> Reader | None:
        """Return a reader of one key of this object, or None where it is absent."""
        self._seen.add(name)
        fields = self.object()
        if name in fields:
            return Reader(fields[name], self.below(name), self.problems)
        if required:
            self.problem("is missing", name)
        return None

    def object(self) -> dict[str, Json]:
        """Return this value as an object; noted once and empty where it is none."""
        if isinstance(self.value, dict):
            return self.value
        self.problem(_checks.expected("an object", self.value))
        self.value = {}
        return {}

    def extra(self) -> dict[str, Json]:
        """Return the keys that nobody asked for."""
        return {key: value for key, value in self.object().items() if key not in self._seen}

    @property
    def asked(self) -> list[str]:
        """Return the keys that somebody asked for, sorted."""
        return sorted(self._seen)

    def as_text(self, check: Check) -> str:
        """Return this value as a text that passes the check."""
        if not isinstance(self.value, str):
            self.problem(_checks.expected("text", self.value))
            return ""
        self.problem(check(self.value))
        return self.value

    def as_integer(self, low: int, high: int = MAX_INTEGER) -> int:
        """Return this value as an integer within bounds."""
        if isinstance(self.value, int) and not isinstance(self.value, bool) and low <= self.value <= high:
            return self.value
        self.problem(_checks.expected(f"an integer from {low} to {high}", self.value))
        return low

    def as_number(self, low: float = -MAX_NUMBER) -> float:
        """Return this value as a finite number."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.problem(_checks.expected("a number", value))
        elif low <= value and abs(value) <= MAX_NUMBER:
            return float(value)
        else:
            self.problem(_checks.expected("a finite number" + (" of at least 0" if low == 0 else ""), value))
        return 0.0

    def text(self, name: str, check: Check, *, required: bool = False) -> str:
        """Return the text at a key; empty where it is absent."""
        reader = self.child(name, required=required)
        return reader.as_text(check) if reader else ""

    def integer(self, name: str, low: int, high: int = MAX_INTEGER) -> int:
        """Return the integer at a key that must be there."""
        reader = self.child(name, required=True)
        return reader.as_integer(low, high) if reader else low

    def items(self, name: str, read: ReadItem[T], *, required: bool = False) -> tuple[T, ...]:
        """Return what `read` makes of each entry of the array at a key."""
        reader = self.child(name, required=required)
        return tuple(read(one) for one in reader.array() if not self.is_hopeless) if reader else ()

    def array(self) -> list[Reader]:
        """Return a reader for each entry of this array."""
        if not isinstance(self.value, list) or len(self.value) > MAX_ITEMS:
            self.problem(_checks.expected("an array", self.value))
            return []
        return [Reader(one, f"{self.key}[{index}]", self.problems) for index, one in enumerate(self.value)]

    def mapping(self, name: str, read: ReadItem[T], check: Check = _checks.filled_line) -> dict[str, T]:
        """Return what `read` makes of each value of the object at a key."""
        reader = self.child(name)
        if reader is None:
            return {}
        for key in reader.object():
            reader.problem(check(key), key)
        return {
            key: read(Reader(one, reader.below(key), self.problems)) for key, one in reader.object().items()
        }
