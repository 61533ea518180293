"""What the user set: environment variables, then the configuration files. Read here and nowhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.config._places import config_file, default_cache, system_config_file
from modeldeps.config._read import Reader, variable_name
from modeldeps.config._table import ENVIRONMENT, Table
from modeldeps.config._values import channel, connections
from modeldeps.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modeldeps.tokens import Token

__all__ = [
    "ENVIRONMENT",
    "VARIABLES",
    "Settings",
    "channel_url",
    "config_file",
    "default_cache",
    "origin",
    "settings",
    "system_config_file",
    "unknown_variables",
    "wrong_setting",
]

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

    def __repr__(self) -> str:
        """Show all but the credentials that URLs of channels may hold."""
        from modeldeps.errors import redact  # noqa: PLC0415 - load() shows none

        hidden = {name: tuple(map(redact, getattr(self, name))) for name in ("channels", "mirrors")}
        shown = {**vars(self), **hidden}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    Return what the user set.

    Raises ConfigError when the configuration file or a variable can't be read as what it should be.
    """
    variables = os.environ if environ is None else environ
    read = Reader(variables, system=system_config_file(variables), user=config_file(variables))
    found = Settings(
        cache=read.path("cache") or default_cache(),
        stores=read.paths("stores", separator=os.pathsep),
        channels=read.channels("channels"),
        mirrors=read.channels("mirrors"),
        connections=read.number("connections", connections) or Settings.connections,
        offline=read.flag("offline", default=False),
        prefetch=read.flag("prefetch", default=True),
        provider=read.one("provider", str) or "auto",
        adopt=read.flag("adopt", default=True),
        certificates=read.path("certificates"),
        client_certificate=read.path("client-certificate"),
        tokens=_tokens(read),
    )
    read.check()
    return found


def wrong_setting(key: str, message: str) -> ConfigError:
    """Return the error for a setting that turned out wrong when it was used; it names where that stands."""
    if os.environ.get(variable_name(key)):
        problem = Problem(variable_name(key), message)
        return ConfigError(ENVIRONMENT, [problem], hint=f"correct or unset {problem.key}")
    file = _file_with(key, os.environ)
    hint = f"correct it in {file}" if file else None
    return ConfigError(file or "the settings", [Problem(key, message)], hint=hint)


def origin(key: str, environ: Mapping[str, str] | None = None) -> str:
    """
    Return where a setting comes from: its variable, `key in FILE`, or nothing for the default.

    Raises ConfigError as `settings` does.
    """
    variables = os.environ if environ is None else environ
    if variables.get(variable_name(key)):
        return variable_name(key)
    file = _file_with(key, variables)
    return f"`{key}` in {file}" if file else ""


def _file_with(key: str, variables: Mapping[str, str]) -> Path | None:
    files = (config_file(variables), system_config_file(variables))
    return next((file for file in files if key in Table.read(file).values), None)


def unknown_variables(found: Settings, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that begin as settings do and are none, each with the one that it is near to."""
    from difflib import get_close_matches  # noqa: PLC0415 - load() never asks

    variables = os.environ if environ is None else environ
    known = {*VARIABLES, *(one.variable for one in found.tokens)}
    names = sorted(name for name in variables if name.startswith("MODELDEPS_") and name not in known)
    return {name: next(iter(get_close_matches(name, VARIABLES, n=1, cutoff=0.8)), "") for name in names}


def _tokens(read: Reader) -> tuple[Token, ...]:
    """Return the tokens of the variable, then those of the files."""
    text, entries = read.variable("tokens") or "", read.table("tokens")
    if not text and not entries:
        return ()
    from modeldeps.tokens import parse_entry, parse_variable  # noqa: PLC0415 - few need it

    def said(pairs: str) -> tuple[Token, ...]:
        return tuple(parse_variable(pairs))

    def entry(prefix: str) -> Token:
        return parse_entry(prefix, entries[prefix])

    variable = read.each(said, "MODELDEPS_TOKENS", [text], read.wrong)
    return (
        *(one for several in variable for one in several),
        *read.each(entry, "tokens", entries, read.problems("tokens")),
    )


def channel_url(text: str) -> str:
    """
    Return a channel in its one spelling: an absolute URL with a slash at its end; a folder becomes `file://`.

    Raises ConfigError: no folder can have that name.
    """
    try:
        return channel(text)
    except ValueError as error:
        from modeldeps.errors import redact  # noqa: PLC0415 - load() never comes here

        shown = redact(text) if "@" in text or ":" in text else text
        hint = "name a URL of http, https or file, or a folder"
        raise ConfigError(f"the channel {shown!r}", [Problem("", str(error))], hint=hint) from None
