"""The manifest of a model release (`model.json`): its values, how it is read, how it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.manifest._parse import MAX_BYTES, MAX_CHUNK, from_json, parse
from modeldeps.manifest._values import (
    SCHEMA,
    Chunk,
    Dataset,
    Example,
    Extra,
    File,
    Json,
    Lineage,
    Manifest,
    Metric,
    Requires,
    Scalar,
    Tensor,
    Tolerance,
    Variant,
)

if TYPE_CHECKING:
    from modeldeps.manifest._dump import dump, to_json

__all__ = [
    "MAX_BYTES",
    "MAX_CHUNK",
    "SCHEMA",
    "Chunk",
    "Dataset",
    "Example",
    "Extra",
    "File",
    "Json",
    "Lineage",
    "Manifest",
    "Metric",
    "Requires",
    "Scalar",
    "Tensor",
    "Tolerance",
    "Variant",
    "dump",
    "from_json",
    "parse",
    "to_json",
]


def __getattr__(name: str) -> object:
    """Import what writes manifests at its first use: load() only reads them."""
    if name not in {"dump", "to_json"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from modeldeps.manifest import _dump  # noqa: PLC0415

    return getattr(_dump, name)
