"""`conda export --format modeldeps`: the models of an environment as a project declares them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modeldeps.conda._prefix import pointer_packages, site_folders


def export(env: Any) -> str:
    """
    Return a `[tool.modeldeps]` table that pins every model of an environment, and names where they came from.

    `env` is conda's Environment. Other packages are left out: they are a matter of the project's own list.
    """
    from modeldeps import environment
    from modeldeps.errors import redact

    prefix = Path(env.prefix or "")
    models = [f"{one.name}=={one.version}" for one in environment.pointers(site_folders(prefix))]
    channels = dict.fromkeys(redact(one.channel) for one in pointer_packages(prefix) if one.channel)
    lines = ["[tool.modeldeps]", *_array("models", models), *_array("channels", list(channels))]
    return "\n".join(lines) + "\n"


def _array(key: str, texts: list[str]) -> list[str]:
    """Return an array of TOML, whose plain strings are those of JSON."""
    return [f"{key} = [", *(f"  {json.dumps(one)}," for one in texts), "]"] if texts else [f"{key} = []"]
