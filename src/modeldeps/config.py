"""What the user set: environment variables, then the configuration files. Read here and nowhere else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from modeldeps.tokens import Token

    T = TypeVar("T")

ENVIRONMENT = "the environment"
"""What an error names where variables are wrong."""
VARIABLES = {
    "MODELDEPS_ADOPT": "0: don't look for bytes in the caches of other tools before they are fetched",
    "MODELDEPS_CACHE": "folder of the store",
    "MODELDEPS_CERTIFICATES": "file or folder of certificates (PEM) that are trusted beside the system's",
    "MODELDEPS_CHANNELS": "URLs or folders of channels, separated by spaces",
    "MODELDEPS_CLIENT_CERTIFICATE": "certificate and key (PEM) in one file, shown to servers that ask",
    "MODELDEPS_CONFIG": "the user's configuration file",
    "MODELDEPS_CONNECTIONS": "connections to one source at most, 1 to 64",
    "MODELDEPS_MIRRORS": "copies of channels that are asked for blobs first, separated by spaces",
    "MODELDEPS_OFFLINE": "1: never use a network",
    "MODELDEPS_PREFETCH": "0: fetch nothing while an installer builds a project",
    "MODELDEPS_PROVIDER": "the execution provider that load() takes where the caller names none",
    "MODELDEPS_STORES": "read-only stores, looked up first, separated as PATH is",
    "MODELDEPS_SYSTEM_CONFIG": "the configuration file of the machine",
    "MODELDEPS_TOKENS": "tokens by URL prefix, `URL=TOKEN`, separated by spaces",
}
"""Every environment variable that is read, and what it means."""

MOST_CONNECTIONS = 64
"""Connections to one source that anybody may ask for."""
_FALSE = frozenset({"", "0", "false", "no", "off"})
_TRUE = frozenset({"1", "true", "yes", "on"})


@dataclass(frozen=True)
class Settings:
    """What the user set, or the defaults."""

    cache: Path
    """Folder of the store that is written."""
    stores: tuple[Path, ...] = ()
    """Read-only stores, looked up first."""
    channels: tuple[str, ...] = ()
    """Channels, in the order in which they are asked; each a URL that ends with a slash."""
    mirrors: tuple[str, ...] = ()
    """Copies of channels that are asked for blobs before the channels are; as URLs that end with a slash."""
    connections: int = 16
    """Connections to one source at most."""
    offline: bool = False
    """Never use a network."""
    prefetch: bool = True
    """Fetch while an installer builds a project."""
    provider: str = "auto"
    """The execution provider that load() takes where the caller names none."""
    adopt: bool = True
    """Look for bytes in the caches of other tools before they are fetched."""
    certificates: Path | None = None
    """A file or folder of certificates that are trusted beside the system's."""
    client_certificate: Path | None = None
    """A file with the certificate and the key that are shown to servers that ask."""
    tokens: tuple[Token, ...] = ()
    """What is said to servers, by URL prefix."""


def settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    Return what the user set.

    Raises ConfigError when the configuration file or a variable can't be read as what it should be.
    """
    variables = os.environ if environ is None else environ
    wrong: list[Problem] = []
    system = _Table.read(system_config_file(variables))
    table = _Table.read(config_file(variables), below=system)
    cache, stores = variables.get("MODELDEPS_CACHE"), variables.get("MODELDEPS_STORES")
    channels = variables.get("MODELDEPS_CHANNELS")
    place = (
        _each(_path, "MODELDEPS_CACHE", [cache], wrong)
        if cache
        else _each(_path, "cache", filter(None, [table.text("cache")]), table.problems("cache"))
    )
    found = Settings(
        cache=place[0] if place else default_cache(),
        stores=_each(_path, "MODELDEPS_STORES", filter(None, stores.split(os.pathsep)), wrong)
        if stores
        else _each(_path, "stores", table.texts("stores"), table.problems("stores")),
        channels=_each(_channel, "channels", table.texts("channels"), table.problems("channels"))
        if channels is None
        else _each(_channel, "MODELDEPS_CHANNELS", channels.split(), wrong),
        mirrors=_each(_channel, "mirrors", table.texts("mirrors"), table.problems("mirrors"))
        if (mirrors := variables.get("MODELDEPS_MIRRORS")) is None
        else _each(_channel, "MODELDEPS_MIRRORS", mirrors.split(), wrong),
        connections=_connections(variables, table, wrong),
        offline=_flag(variables, "MODELDEPS_OFFLINE", wrong, default=table.flag("offline", default=False)),
        prefetch=_flag(variables, "MODELDEPS_PREFETCH", wrong, default=table.flag("prefetch", default=True)),
        provider=variables.get("MODELDEPS_PROVIDER") or table.text("provider") or "auto",
        adopt=_flag(variables, "MODELDEPS_ADOPT", wrong, default=table.flag("adopt", default=True)),
        certificates=_file(variables, "certificates", table, wrong),
        client_certificate=_file(variables, "client-certificate", table, wrong),
        tokens=_tokens(variables, table, wrong),
    )
    if wrong:
        raise ConfigError(ENVIRONMENT, wrong)
    for one in (system, table):
        one.check()
    return found


def _connections(variables: Mapping[str, str], table: _Table, wrong: list[Problem]) -> int:
    """Return how many connections one source may be asked by."""
    if text := variables.get("MODELDEPS_CONNECTIONS"):
        found = _each(_count, "MODELDEPS_CONNECTIONS", [text], wrong)
    else:
        asked = table.number("connections")
        found = _each(
            _count, "connections", [] if asked is None else [str(asked)], table.problems("connections")
        )
    return found[0] if found else Settings.connections


def _count(text: str) -> int:
    """Return a number of connections. Raises ValueError with the reason."""
    if not text.strip().isdecimal() or not 1 <= int(text[:9]) <= MOST_CONNECTIONS:
        raise ValueError(f"expected a number from 1 to {MOST_CONNECTIONS}, found {text!r}")
    return int(text)


def _file(variables: Mapping[str, str], key: str, table: _Table, wrong: list[Problem]) -> Path | None:
    """Return the file that a variable, or a key, names."""
    variable = f"MODELDEPS_{key.replace('-', '_').upper()}"
    if text := variables.get(variable):
        found = _each(_path, variable, [text], wrong)
    else:
        found = _each(_path, key, filter(None, [table.text(key)]), table.problems(key))
    return found[0] if found else None


def _tokens(variables: Mapping[str, str], table: _Table, wrong: list[Problem]) -> tuple[Token, ...]:
    """Return the tokens of the variable, then those of the file."""
    text, entries = variables.get("MODELDEPS_TOKENS", ""), table.table("tokens")
    if not text and not entries:
        return ()
    from modeldeps.tokens import parse_entry, parse_variable  # noqa: PLC0415 - few need it

    def entry(prefix: str) -> Token:
        return parse_entry(prefix, entries[prefix])

    said = _or_problem(lambda pairs: tuple(parse_variable(pairs)), "MODELDEPS_TOKENS", text, wrong) or ()
    return (*said, *_each(entry, "tokens", entries, table.problems("tokens")))


def config_file(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the user's configuration file is or would be. Raises ConfigError."""
    variables = os.environ if environ is None else environ
    if named := _named(variables, "MODELDEPS_CONFIG"):
        return named
    if sys.platform == "linux":  # what platformdirs says, whose import costs load() 5 ms
        return _xdg(variables, "XDG_CONFIG_HOME", "~/.config") / "config.toml"
    from platformdirs import user_config_path  # noqa: PLC0415 - at first use

    return user_config_path("modeldeps", appauthor=False) / "config.toml"


def system_config_file(environ: Mapping[str, str] | None = None) -> Path:
    """
    Return where the machine's configuration file is or would be; its keys count below the user's.

    On Linux it is the first that is there in XDG_CONFIG_DIRS. Raises ConfigError.
    """
    variables = os.environ if environ is None else environ
    if named := _named(variables, "MODELDEPS_SYSTEM_CONFIG"):
        return named
    if sys.platform == "linux":
        folders = variables.get("XDG_CONFIG_DIRS", "").split(":")
        absolute = [one for one in folders if one.startswith("/")] or ["/etc/xdg"]
        files = [f"{one}/modeldeps/config.toml" for one in absolute]
        return Path(next((one for one in files[:-1] if os.path.lexists(one)), files[-1]))
    from platformdirs import site_config_path  # noqa: PLC0415 - at first use

    return site_config_path("modeldeps", appauthor=False) / "config.toml"


def _named(variables: Mapping[str, str], key: str) -> Path | None:
    """Return the file that a variable names. Raises ConfigError."""
    wrong: list[Problem] = []
    places = _each(_path, key, filter(None, [variables.get(key)]), wrong)
    if wrong:
        raise ConfigError(ENVIRONMENT, wrong)
    return places[0] if places else None


def default_cache() -> Path:
    """Return the platform's cache folder for this user."""
    if sys.platform == "linux":
        return _xdg(os.environ, "XDG_CACHE_HOME", "~/.cache")
    from platformdirs import user_cache_path  # noqa: PLC0415 - at first use

    return user_cache_path("modeldeps", appauthor=False)


def _xdg(variables: Mapping[str, str], name: str, default: str) -> Path:
    """Return this project's folder below an XDG base directory (version 0.8: absolute, or ignored)."""
    value = variables.get(name, "")
    folder = value if value.startswith("/") else os.path.expanduser(default)  # noqa: PTH111 - Path's raises without a home
    return Path(folder, "modeldeps")


def channel_url(text: str) -> str:
    """
    Return a channel in its one spelling: an absolute URL with a slash at its end; a folder becomes `file://`.

    Raises ConfigError: no folder can have that name.
    """
    try:
        return _channel(text)
    except ValueError as error:
        raise ConfigError(f"the channel {text!r}", [Problem("", str(error))]) from None


def _channel(text: str) -> str:
    """Return what `channel_url` does. Raises ValueError with the reason."""
    if "://" not in text:
        return _path(text).absolute().as_uri().rstrip("/") + "/"
    return text if text.endswith("/") else text + "/"


def _path(text: str) -> Path:
    """Return a path with its `~` resolved. Raises ValueError with the reason."""
    if not text.strip():
        raise ValueError("expected a folder, found a blank text")
    if "\0" in text:
        raise ValueError(f"expected a path, found a character that no path has: {text!r}")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # what pathlib raises
        raise ValueError(f"expected a path, found the home of nobody: {text!r}") from None


def _each(read: Callable[[str], T], key: str, texts: Iterable[str], problems: list[Problem]) -> tuple[T, ...]:
    """Return what could be read; what could not is a problem of the key."""
    found = (_or_problem(read, key, text, problems) for text in texts)
    return tuple(one for one in found if one is not None)


def _or_problem(read: Callable[[str], T], key: str, text: str, problems: list[Problem]) -> T | None:
    try:
        return read(text)
    except ValueError as error:
        problems.append(Problem(key, str(error)))
        return None


def _flag(variables: Mapping[str, str], key: str, problems: list[Problem], *, default: bool) -> bool:
    """Read a switch; a word that is neither yes nor no is a problem, not the network's permission."""
    text = variables.get(key)
    if text is None:
        return default
    word = text.strip().lower()
    if word not in _FALSE | _TRUE:
        problems.append(Problem(key, f"expected 1 or 0, found {text!r}"))
    return word in _TRUE


class _Table:
    """The keys of a configuration file, each checked when it is asked for, over those of another file."""

    def __init__(self, file: Path, values: Mapping[str, object], below: _Table | None) -> None:
        self._file = file
        self.values = values
        self._below = below
        self.found = [
            Problem(key, f"is not a key; there are {', '.join(sorted(_KEYS))}")
            for key in values
            if key not in _KEYS
        ]

    @classmethod
    def read(cls, file: Path, *, below: _Table | None = None) -> _Table:
        """Return the keys of a file, none where it is not there. Raises ConfigError."""
        return cls(file, _values(file), below)

    def check(self) -> None:
        """Raise ConfigError with all that was found wrong in this file so far."""
        if self.found:
            raise ConfigError(self._file, self.found)

    def _of(self, key: str) -> _Table:
        """Return the table whose value of a key counts."""
        return self._below if self._below is not None and key not in self.values else self

    def problems(self, key: str) -> list[Problem]:
        """Return where problems with the value of a key are gathered."""
        return self._of(key).found

    def wrong(self, key: str, expected: str) -> None:
        kind = type(self.values[key]).__name__  # not the value: it may be a URL with a password
        self.found.append(Problem(key, f"expected {expected}, found {kind}"))

    def text(self, key: str) -> str:
        table = self._of(key)
        value = table.values.get(key, "")
        if isinstance(value, str):
            return value
        table.wrong(key, "text")
        return ""

    def texts(self, key: str) -> list[str]:
        table = self._of(key)
        value = table.values.get(key, [])
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        table.wrong(key, "an array of texts")
        return []

    def table(self, key: str) -> Mapping[str, object]:
        table = self._of(key)
        value = table.values.get(key, {})
        if isinstance(value, dict):
            return value
        table.wrong(key, "a table")
        return {}

    def number(self, key: str) -> int | None:
        table = self._of(key)
        value = table.values.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        table.wrong(key, "a number")
        return None

    def flag(self, key: str, *, default: bool) -> bool:
        table = self._of(key)
        value = table.values.get(key, default)
        if isinstance(value, bool):
            return value
        table.wrong(key, "true or false")
        return default


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
