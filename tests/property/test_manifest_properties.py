"""What holds for every manifest, and for every input that is none."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifests import json_values, manifests

from modeldeps.errors import ManifestError
from modeldeps.manifest import Manifest, dump, from_json, parse, to_json

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs/reference/model-1.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@given(manifests())
def test_a_manifest_is_read_back_as_it_was_written(manifest: Manifest) -> None:
    assert parse(dump(manifest)) == manifest


@given(manifests())
def test_writing_again_what_was_read_gives_the_same_bytes(manifest: Manifest) -> None:
    assert dump(parse(dump(manifest))) == dump(manifest)


@given(manifests())
def test_the_published_schema_accepts_whatever_is_written(manifest: Manifest) -> None:
    VALIDATOR.validate(to_json(manifest))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_the_projects_error(data: bytes) -> None:
    _parse_or_refuse(data)


@given(json_values)
def test_arbitrary_json_gives_the_projects_error(value: Any) -> None:
    _parse_or_refuse(json.dumps(value).encode())
    _parse_or_refuse(
        json.dumps({"schema": 1, "variants": value, "files": [value], "lineage": value}).encode()
    )


@given(manifests(), st.data())
def test_a_manifest_with_one_value_replaced_is_refused_or_read_and_never_breaks(
    manifest: Manifest, data: st.DataObject
) -> None:
    value = copy.deepcopy(to_json(manifest))
    places = list(_places(value))
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(json_values)
    try:
        read = from_json(value)
    except ManifestError as error:
        assert error.problems
        assert str(error)
    else:
        VALIDATOR.validate(value)
        assert parse(dump(read)) == read


@given(manifests(), st.data())
def test_truncated_bytes_are_refused(manifest: Manifest, data: st.DataObject) -> None:
    whole = dump(manifest).rstrip()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(ManifestError):
        parse(cut)


def _places(value: Any) -> Any:
    """Yield every container with each of its keys."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _places(value[key])


def _parse_or_refuse(data: bytes) -> None:
    try:
        manifest = parse(data)
    except ManifestError as error:
        assert error.problems
    else:
        assert parse(dump(manifest)) == manifest
