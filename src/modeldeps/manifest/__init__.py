"""The manifest of a model release (`model.json`): its values, how it is read, how it is written."""

from __future__ import annotations

from modeldeps.manifest._dump import dump, to_json
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
