"""Where the configuration files and the store are, if the user does not say."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.config._table import ENVIRONMENT
from modeldeps.config._values import path
from modeldeps.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    text = variables.get(key)
    try:
        return path(text) if text else None
    except ValueError as error:
        problem = Problem(key, str(error))
        raise ConfigError(ENVIRONMENT, [problem], hint=f"correct {key}, or unset it") from None


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
