"""Make a `Manifest` out of the bytes of a `model.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from modeldeps.errors import ManifestError, Problem
from modeldeps.manifest import _checks
from modeldeps.manifest._consistency import check
from modeldeps.manifest._read import Reader
from modeldeps.manifest._values import (
    SCHEMA,
    Chunk,
    Dataset,
    Example,
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
    from collections.abc import Iterable

MAX_BYTES = 16 << 20
"""Bytes of a `model.json`; chunks of a payload of 400 GB fit."""
MAX_SIZE = 1 << 50
"""Bytes of one file of a payload."""
MAX_CHUNK = 64 << 20
"""Bytes of one chunk; a chunk is held in memory while it is checked."""
MAX_RANK = 64
"""Dimensions of a tensor."""


def parse(data: bytes, *, file: object = "model.json") -> Manifest:
    """
    Read a `model.json`.

    Raises ManifestError with every problem of the file (of a hostile one, the first 1000), each with its
    full key; nothing else, whatever the bytes are. `file` is the name that the error shows.
    """
    return from_json(_decode(data, file), file=file)


def from_json(value: Json, *, file: object = "model.json") -> Manifest:
    """Make a manifest out of decoded JSON. Raises ManifestError with every problem."""
    problems: list[Problem] = []
    reader = Reader(value, "", problems)
    _schema(reader, file)
    manifest = _manifest(reader)
    if not problems:
        check(manifest, reader)
    if problems:
        raise ManifestError(file, problems)
    return manifest


def _decode(data: bytes, file: object) -> Json:
    """Decode JSON strictly: bounded, no duplicate keys, no NaN."""
    if len(data) > MAX_BYTES:
        found = f"expected at most {MAX_BYTES} bytes, found {len(data)}"
        raise ManifestError(file, [Problem("", found)])
    try:
        text = data.decode("utf-8")
        value: Json = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = (
            "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0][:200]
        )
        raise ManifestError(file, [Problem("", f"expected JSON in UTF-8: {reason}")]) from None
    return value


def _unique(pairs: list[tuple[str, Json]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(text: str) -> Json:
    raise ValueError(f"{text} is no JSON number")


def _schema(reader: Reader, file: object) -> None:
    """Refuse an unknown schema at once: its other keys can't be judged."""
    if not isinstance(reader.value, dict):
        raise ManifestError(file, [Problem("", _checks.expected("an object", reader.value))])
    found = reader.child("schema")
    number = found.value if found else None
    if isinstance(number, int) and not isinstance(number, bool) and number == SCHEMA:
        return
    message = _checks.expected(f"schema {SCHEMA}", number) if found else "is missing"
    newer = isinstance(number, int) and number > SCHEMA
    hint = "pip install --upgrade modeldeps" if newer else None
    raise ManifestError(file, [Problem("schema", message)], hint=hint)


def _manifest(reader: Reader) -> Manifest:
    lineage = reader.child("lineage")
    variants = reader.items("variants", _variant, required=True)
    default = reader.items("default", _token)
    return Manifest(
        name=reader.text("name", _checks.name, required=True),
        version=reader.text("version", _checks.version, required=True),
        summary=reader.text("summary", _checks.filled_line, required=True),
        license=reader.text("license", _checks.filled_line, required=True),
        variants=variants,
        default=default or tuple(one.name for one in variants),
        task=reader.text("task", _checks.line),
        homepage=reader.text("homepage", _checks.web_url),
        authors=reader.items("authors", lambda one: one.as_text(_checks.filled_line)),
        inputs=reader.items("inputs", _tensor),
        outputs=reader.items("outputs", _tensor),
        files=reader.items("files", _file),
        examples=reader.items("examples", _example),
        metrics=reader.items("metrics", _metric),
        lineage=_lineage(lineage) if lineage else Lineage(),
        changes=reader.text("changes", _checks.text),
        extra=reader.extra(),
    )


def _token(reader: Reader) -> str:
    return reader.as_text(_checks.token)


def _variant(reader: Reader) -> Variant:
    requires = reader.child("requires")
    return Variant(
        name=reader.text("name", _checks.token, required=True),
        format=reader.text("format", _checks.token, required=True),
        entry=reader.text("entry", _checks.path, required=True),
        files=reader.items("files", _file, required=True),
        precision=reader.text("precision", _checks.line),
        providers=reader.items("providers", _token),
        requires=_requires(requires) if requires else Requires(),
        extra=reader.extra(),
    )


def _requires(reader: Reader) -> Requires:
    ir_version = reader.child("ir_version")
    return Requires(
        ir_version=ir_version.as_integer(1, 1000) if ir_version else None,
        opsets=reader.mapping("opsets", lambda one: one.as_integer(1, 10_000)),
        runtime=reader.text("runtime", _checks.specifier),
        extra=reader.extra(),
    )


def _file(reader: Reader) -> File:
    size = reader.integer("size", 0, MAX_SIZE)
    chunks = _plain_chunks(reader.object().get("chunks"), size)
    if chunks is None:
        chunks = reader.items("chunks", _chunk)
        reader.problem(_cover(chunks, size), "chunks")
    else:
        reader.child("chunks")
    return File(
        path=reader.text("path", _checks.path, required=True),
        size=size,
        sha256=reader.text("sha256", _checks.sha256, required=True),
        chunks=chunks,
        sources=reader.items("sources", lambda one: one.as_text(_checks.url)),
        extra=reader.extra(),
    )


def _plain_chunks(value: Json, size: int) -> tuple[Chunk, ...] | None:
    """
    Return chunks with which nothing is wrong, None where a closer look must say what is.

    A file may have thousands, and every `load()` reads them: a reader for each takes three times as long.
    """
    if not isinstance(value, list) or not value:
        return None
    end, digests = 0, []
    for one in value:
        if not isinstance(one, list) or len(one) != 3:  # noqa: PLR2004 - offset, length, digest
            return None
        offset, length, digest = one
        if type(offset) is not int or type(length) is not int or offset != end or length > MAX_CHUNK:
            return None
        if length < 1 or not isinstance(digest, str) or len(digest) != 64:  # noqa: PLR2004 - 256 bits
            return None
        end += length
        digests.append(digest)
    fine = end == size and _is_hexadecimal("".join(digests))
    return tuple(Chunk(*one) for one in value) if fine else None  # type: ignore[misc]


def _is_hexadecimal(text: str) -> bool:
    """Tell whether a text, such as many digests put together, is bytes in lower-case digits."""
    try:
        return bytes.fromhex(text).hex() == text
    except ValueError:
        return False


def _chunk(reader: Reader) -> Chunk:
    parts = reader.array()
    if len(parts) != 3:  # noqa: PLR2004 - offset, length, digest
        reader.problem("expected [offset, length, sha256]")
        return Chunk(0, 1, "")
    offset, length, digest = parts
    return Chunk(
        offset.as_integer(0, MAX_SIZE), length.as_integer(1, MAX_CHUNK), digest.as_text(_checks.sha256)
    )


def _cover(chunks: Iterable[Chunk], size: int) -> str | None:
    """Say where chunks leave a gap, overlap, or miss the end of the file."""
    end, any_chunk = 0, False
    for chunk in chunks:
        if chunk.offset != end:
            return f"expected a chunk at offset {end}, found one at {chunk.offset}"
        end, any_chunk = end + chunk.length, True
    return f"expected chunks for {size} bytes, found chunks for {end}" if any_chunk and end != size else None


def _tensor(reader: Reader) -> Tensor:
    shape = reader.items("shape", _dimension)
    reader.problem(f"expected at most {MAX_RANK} dimensions" if len(shape) > MAX_RANK else None, "shape")
    return Tensor(
        name=reader.text("name", _checks.filled_line, required=True),
        dtype=reader.text("dtype", _checks.dtype, required=True),
        shape=shape,
        description=reader.text("description", _checks.text),
        unit=reader.text("unit", _checks.line),
        extra=reader.extra(),
    )


def _dimension(reader: Reader) -> int | str | None:
    if reader.value is None:
        return None
    return reader.as_text(_checks.filled_line) if isinstance(reader.value, str) else reader.as_integer(0)


def _example(reader: Reader) -> Example:
    def tolerances(one: Reader) -> dict[str, Tolerance]:
        return {
            key: _tolerance(Reader(value, f"{one.key}.{key}", one.problems))
            for key, value in one.object().items()
        }

    inputs, outputs = reader.child("inputs", required=True), reader.child("outputs", required=True)
    nothing = File("", 0, "")
    return Example(
        name=reader.text("name", _checks.token, required=True),
        inputs=_file(inputs) if inputs else nothing,
        outputs=_file(outputs) if outputs else nothing,
        tolerances=reader.mapping("tolerances", _tolerance),
        overrides=reader.mapping("overrides", tolerances),
        extra=reader.extra(),
    )


def _tolerance(reader: Reader) -> Tolerance:
    rtol, atol, top_1 = reader.child("rtol"), reader.child("atol"), reader.child("top_1")
    if top_1 and not isinstance(top_1.value, bool):
        top_1.problem(_checks.expected("true or false", top_1.value))
    return Tolerance(
        rtol=rtol.as_number(0) if rtol else None,
        atol=atol.as_number(0) if atol else None,
        top_1=bool(top_1 and top_1.value is True),
        extra=reader.extra(),
    )


def _metric(reader: Reader) -> Metric:
    value = reader.child("value", required=True)
    return Metric(
        dataset=reader.text("dataset", _checks.filled_line, required=True),
        metric=reader.text("metric", _checks.filled_line, required=True),
        value=value.as_number() if value else 0.0,
        split=reader.text("split", _checks.line),
        variant=reader.text("variant", _checks.line),
        classes=reader.mapping("classes", lambda one: one.as_number()),
        extra=reader.extra(),
    )


def _lineage(reader: Reader) -> Lineage:
    return Lineage(
        data=reader.items("data", _dataset),
        repository=reader.text("repository", _checks.line),
        commit=reader.text("commit", _checks.line),
        parent=reader.text("parent", _checks.line),
        framework=reader.text("framework", _checks.line),
        date=reader.text("date", _checks.date),
        parameters=reader.mapping("parameters", _scalar),
        extra=reader.extra(),
    )


def _dataset(reader: Reader) -> Dataset:
    return Dataset(
        name=reader.text("name", _checks.filled_line, required=True),
        uri=reader.text("uri", _checks.line),
        digest=reader.text("digest", _checks.line),
        extra=reader.extra(),
    )


def _scalar(reader: Reader) -> Scalar:
    if isinstance(reader.value, str):
        return reader.as_text(_checks.text)
    if isinstance(reader.value, (dict, list)):
        reader.problem(_checks.expected("text, a number, true, false or null", reader.value))
        return None
    return reader.value
