"""What the user set: environment variables, then the configuration file. Read here and nowhere else."""

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

    T = TypeVar("T")

ENVIRONMENT = "the environment"
"""What an error names where variables are wrong."""
VARIABLES = {
    "MODELDEPS_ADOPT": "0: don't look for bytes in the caches of other tools before they are fetched",
    "MODELDEPS_CACHE": "folder of the store",
    "MODELDEPS_CHANNELS": "URLs or folders of channels, separated by spaces",
    "MODELDEPS_CONFIG": "the user's configuration file",
    "MODELDEPS_OFFLINE": "1: never use a network",
    "MODELDEPS_PREFETCH": "0: fetch nothing while an installer builds a project",
    "MODELDEPS_PROVIDER": "the execution provider that load() takes where the caller names none",
    "MODELDEPS_STORES": "read-only stores, looked up first, separated as PATH is",
}
"""Every environment variable that is read, and what it means."""

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
    offline: bool = False
    """Never use a network."""
    prefetch: bool = True
    """Fetch while an installer builds a project."""
    provider: str = "auto"
    """The execution provider that load() takes where the caller names none."""
    adopt: bool = True
    """Look for bytes in the caches of other tools before they are fetched."""


def settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    Return what the user set.

    Raises ConfigError when the configuration file or a variable can't be read as what it should be.
    """
    variables = os.environ if environ is None else environ
    file = config_file(variables)
    wrong: list[Problem] = []
    problems: list[Problem] = []
    table = _table(file, problems)
    cache, stores = variables.get("MODELDEPS_CACHE"), variables.get("MODELDEPS_STORES")
    channels = variables.get("MODELDEPS_CHANNELS")
    place = (
        _each(_path, "MODELDEPS_CACHE", [cache], wrong)
        if cache
        else _each(_path, "cache", filter(None, [table.text("cache")]), problems)
    )
    found = Settings(
        cache=place[0] if place else default_cache(),
        stores=_each(_path, "MODELDEPS_STORES", filter(None, stores.split(os.pathsep)), wrong)
        if stores
        else _each(_path, "stores", table.texts("stores"), problems),
        channels=_each(_channel, "channels", table.texts("channels"), problems)
        if channels is None
        else _each(_channel, "MODELDEPS_CHANNELS", channels.split(), wrong),
        offline=_flag(variables, "MODELDEPS_OFFLINE", wrong, default=table.flag("offline", default=False)),
        prefetch=_flag(variables, "MODELDEPS_PREFETCH", wrong, default=table.flag("prefetch", default=True)),
        provider=variables.get("MODELDEPS_PROVIDER") or table.text("provider") or "auto",
        adopt=_flag(variables, "MODELDEPS_ADOPT", wrong, default=table.flag("adopt", default=True)),
    )
    if wrong:
        raise ConfigError(ENVIRONMENT, wrong)
    if problems:
        raise ConfigError(file, problems)
    return found


def config_file(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the user's configuration file is or would be. Raises ConfigError."""
    variables = os.environ if environ is None else environ
    if named := variables.get("MODELDEPS_CONFIG"):
        wrong: list[Problem] = []
        if place := _each(_path, "MODELDEPS_CONFIG", [named], wrong):
            return place[0]
        raise ConfigError(ENVIRONMENT, wrong)
    if sys.platform == "linux":  # what platformdirs says, whose import costs load() 5 ms
        return _xdg(variables, "XDG_CONFIG_HOME", "~/.config") / "config.toml"
    from platformdirs import user_config_path  # noqa: PLC0415 - at first use

    return user_config_path("modeldeps", appauthor=False) / "config.toml"


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
    """The configuration file's keys, each checked when it is asked for."""

    def __init__(self, values: Mapping[str, object], problems: list[Problem]) -> None:
        self._values = values
        self._problems = problems

    def _wrong(self, key: str, expected: str) -> None:
        kind = type(self._values[key]).__name__  # not the value: it may be a URL with a password
        self._problems.append(Problem(key, f"expected {expected}, found {kind}"))

    def text(self, key: str) -> str:
        value = self._values.get(key, "")
        if isinstance(value, str):
            return value
        self._wrong(key, "text")
        return ""

    def texts(self, key: str) -> list[str]:
        value = self._values.get(key, [])
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        self._wrong(key, "an array of texts")
        return []

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._values.get(key, default)
        if isinstance(value, bool):
            return value
        self._wrong(key, "true or false")
        return default


_KEYS = frozenset({"adopt", "cache", "channels", "offline", "prefetch", "provider", "stores"})


def _table(file: Path, problems: list[Problem]) -> _Table:
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return _Table({}, problems)
    except OSError as error:
        raise ConfigError(file, [Problem("", f"expected a readable file: {error.strerror}")]) from None
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415 - at first use
    else:
        import tomli as tomllib  # noqa: PLC0415 - at first use

    try:
        values = tomllib.loads(text.decode("utf-8"))
    except ValueError as error:  # both TOMLDecodeError and UnicodeDecodeError
        raise ConfigError(file, [Problem("", f"expected TOML: {error}")]) from None
    problems += [
        Problem(key, f"is not a key; there are {', '.join(sorted(_KEYS))}")
        for key in values
        if key not in _KEYS
    ]
    return _Table(values, problems)
