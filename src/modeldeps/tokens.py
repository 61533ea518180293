"""Tokens: what the user set to be said to the hosts of channels."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modeldeps._frozen import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECRET = re.compile(r"[!-~]{1,8192}", re.ASCII)


@dataclass(frozen=True)
class Token:
    """One token and where it is sent."""

    prefix: str
    """The URL under which it is sent."""
    value: str = field(default="", repr=False)
    """The token itself; a secret."""
    variable: str = ""
    """The environment variable that holds it; empty: `value` is it."""

    def secret(self) -> str | None:
        """Return the token, or None where the variable that should hold it is not set, or holds none."""
        found = os.environ.get(self.variable, "").strip() if self.variable else self.value
        return found if _SECRET.fullmatch(found) else None


def parse_variable(text: str) -> Iterator[Token]:
    """Read `URL=TOKEN` pairs, separated by blanks. Raises ValueError, which holds no secret."""
    for number, pair in enumerate(text.split(), 1):
        yield _pair(pair, number)


def _pair(pair: str, number: int) -> Token:
    at = pair.find("=", pair.find("://") + 3)  # a URL that begins a token has no query
    if at < 0:
        raise ValueError(f"expected URL=TOKEN, separated by blanks; pair {number} is none")
    return _token(pair[:at], pair[at + 1 :])


def parse_entry(prefix: str, value: object) -> Token:
    """Read an entry of the table: a token, or `{ env = NAME }`. Raises ValueError, which holds no secret."""
    match value:
        case str():
            return _token(prefix, value)
        case {"env": str(name), **others} if name and not others:
            return Token(_prefix(prefix), variable=name)
        case _:
            raise ValueError('expected a token or { env = "NAME" }, found something else')


def _token(prefix: str, secret: str) -> Token:
    if not _SECRET.fullmatch(secret):
        raise ValueError("expected a token of printable characters, found something else")
    return Token(_prefix(prefix), secret)


def _prefix(text: str) -> str:
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        fine, parts = False, None
    if not fine or parts is None or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected the URL that the token is for, found something else")
    return text
