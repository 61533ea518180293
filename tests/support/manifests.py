"""Hypothesis strategies for manifests: everything that a `model.json` may say."""

from __future__ import annotations

import string
from typing import TypeVar

from hypothesis import strategies as st

from modeldeps.manifest import (
    Chunk,
    Dataset,
    Example,
    File,
    Lineage,
    Manifest,
    Metric,
    Requires,
    Tensor,
    Tolerance,
    Variant,
)

T = TypeVar("T")

words = st.text(string.ascii_letters + string.digits + " äß語'\"\\", min_size=1, max_size=30).filter(
    str.strip
)
lines = st.one_of(st.just(""), words)
tokens = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._+-]{0,8}[A-Za-z0-9])?", fullmatch=True)
digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
names = st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
versions = st.from_regex(
    r"(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,3})){2}((a|b|rc)(0|[1-9][0-9]?))?", fullmatch=True
)
numbers = st.floats(min_value=-1e9, max_value=1e9)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
extras = st.dictionaries(st.from_regex(r"x-[a-z]{1,6}", fullmatch=True), json_values, max_size=2)
parts = st.from_regex(r"[a-z][a-z0-9_]{0,6}(\.onnx|\.txt)?", fullmatch=True).filter(
    lambda part: part.split(".")[0] not in {"con", "prn", "aux", "nul"} and part[:3] not in {"com", "lpt"}
)
urls = st.from_regex(r"https://[a-z]{1,8}\.example/[a-z0-9/]{0,10}", fullmatch=True)


def tuples(items: st.SearchStrategy[T], most: int = 2) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=most).map(tuple)


@st.composite
def files(draw: st.DrawFn, path: str) -> File:
    lengths = draw(st.lists(st.integers(1, 1 << 20), max_size=3))
    offsets = [sum(lengths[:index]) for index in range(len(lengths))]
    chunks = tuple(
        Chunk(offset, length, draw(digests)) for offset, length in zip(offsets, lengths, strict=True)
    )
    size = sum(lengths) if lengths else draw(st.integers(0, 1 << 50))
    return File(path, size, draw(digests), chunks, draw(tuples(urls)), draw(extras))


tensors = st.builds(
    Tensor,
    name=words,
    dtype=st.sampled_from(["float32", "int64", "uint8", "string", "bfloat16"]),
    shape=tuples(st.none() | st.integers(0, 4096) | words, 4),
    description=lines,
    unit=lines,
    extra=extras,
)
tolerance = st.builds(
    Tolerance,
    rtol=st.none() | st.floats(0, 1),
    atol=st.none() | st.floats(0, 1),
    top_1=st.booleans(),
    extra=extras,
)
lineages = st.builds(
    Lineage,
    data=tuples(st.builds(Dataset, name=words, uri=lines, digest=lines, extra=extras)),
    repository=lines,
    commit=lines,
    parent=lines,
    framework=lines,
    date=st.just("") | st.dates().map(lambda day: day.isoformat()),
    parameters=st.dictionaries(words, st.none() | st.booleans() | numbers | words, max_size=3),
    extra=extras,
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Draw one release that is right in every respect."""
    paths = iter(draw(st.lists(parts, min_size=12, max_size=12, unique=True)))
    variant_names = draw(st.lists(tokens, min_size=1, max_size=3, unique=True))
    variants = []
    for name in variant_names:
        own = [draw(files(path=next(paths))) for _ in range(draw(st.integers(1, 2)))]
        requires = Requires(
            ir_version=draw(st.none() | st.integers(1, 20)),
            opsets=draw(
                st.dictionaries(st.sampled_from(["ai.onnx", "ai.onnx.ml"]), st.integers(1, 30), max_size=2)
            ),
            runtime=draw(st.sampled_from(["", ">=1.20", "<2,>=1.17"])),
            extra=draw(extras),
        )
        variants.append(
            Variant(
                name,
                "onnx",
                own[0].path,
                tuple(own),
                draw(lines),
                draw(tuples(tokens)),
                requires,
                draw(extras),
            )
        )
    examples: tuple[Example, ...] = ()
    if draw(st.booleans()):
        kept = draw(st.dictionaries(words, tolerance, max_size=2))
        override = draw(
            st.dictionaries(st.sampled_from(variant_names), st.dictionaries(words, tolerance, max_size=2))
        )
        one, two = draw(files(path=next(paths))), draw(files(path=next(paths)))
        examples = (Example(draw(tokens), one, two, kept, override, draw(extras)),)
    metric = st.builds(
        Metric,
        dataset=words,
        metric=words,
        value=numbers,
        split=lines,
        variant=st.sampled_from(["", *variant_names]),
        classes=st.dictionaries(words, numbers, max_size=3),
        extra=extras,
    )
    return Manifest(
        name=draw(names),
        version=draw(versions),
        summary=draw(words),
        license=draw(st.sampled_from(["MIT", "Apache-2.0"])),
        variants=tuple(variants),
        default=tuple(draw(st.permutations(variant_names))),
        task=draw(lines),
        homepage=draw(st.just("") | urls),
        authors=draw(tuples(words)),
        inputs=tuple({one.name: one for one in draw(tuples(tensors))}.values()),
        outputs=tuple({one.name: one for one in draw(tuples(tensors))}.values()),
        files=(draw(files(path=next(paths))),) if draw(st.booleans()) else (),
        examples=examples,
        metrics=draw(tuples(metric)),
        lineage=draw(lineages),
        changes=draw(lines),
        extra=draw(extras),
    )
