"""Write a `Manifest` as the bytes of a `model.json`: the inverse of parse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

from modeldeps.manifest._values import SCHEMA, Chunk, Json, Manifest


def dump(manifest: Manifest) -> bytes:
    """Return the one spelling of a manifest: UTF-8, two spaces, a new line at the end."""
    text = json.dumps(to_json(manifest), ensure_ascii=False, indent=1, allow_nan=False)
    return f"{text}\n".encode()


def to_json(manifest: Manifest) -> dict[str, Json]:
    """Return a manifest as JSON values; keys that say nothing are left out, unknown ones are kept."""
    return {"schema": SCHEMA, **_object(manifest)}


def _object(value: object) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for one in fields(value):  # type: ignore[arg-type]
        content = getattr(value, one.name)
        if one.name == "extra":
            found.update(content)
        elif _says_something(one.name, content):
            found[one.name] = _value(content)
    return found


_ALWAYS = frozenset({"size", "value"})


def _says_something(name: str, content: object) -> bool:
    if name in _ALWAYS:
        return True
    if is_dataclass(content) and not isinstance(content, type):
        return bool(_object(content))
    if content is None or content is False:
        return False
    return not (isinstance(content, (str, tuple, Mapping)) and len(content) == 0)


def _value(content: object) -> Json:
    if isinstance(content, Chunk):
        return [content.offset, content.length, content.sha256]
    if isinstance(content, tuple):
        return [_value(one) for one in content]
    if isinstance(content, Mapping):
        return {key: _value(one) for key, one in content.items()}
    if is_dataclass(content):
        return dict(_object(content))
    return content  # type: ignore[return-value]
