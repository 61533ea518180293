from __future__ import annotations

import json
import time
from typing import Any

import pytest

from modeldeps.errors import ManifestError
from modeldeps.manifest import MAX_BYTES, File, Manifest, Variant, dump, from_json, parse

DIGEST = "0" * 64


def good() -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "digits",
        "version": "2.1.0",
        "summary": "Handwritten digits",
        "license": "Apache-2.0",
        "variants": [
            {
                "name": "fp32",
                "format": "onnx",
                "entry": "model.onnx",
                "files": [{"path": "model.onnx", "size": 10, "sha256": DIGEST}],
            },
        ],
    }


def problems(value: Any) -> dict[str, str]:
    with pytest.raises(ManifestError) as caught:
        from_json(value)
    return {problem.key: problem.message for problem in caught.value.problems}


def test_the_smallest_manifest_is_read_and_its_default_order_is_that_of_its_variants() -> None:
    manifest = from_json(good())
    assert manifest.default == ("fp32",)
    assert manifest.variant("fp32") is manifest.variants[0]
    assert manifest.variant("int8") is None
    assert [file.path for file in manifest.payload(manifest.variants[0])] == ["model.onnx"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../model.onnx", "'..' is not allowed"),
        ("/etc/passwd", "'' is not allowed"),
        ("a//b", "'' is not allowed"),
        ("./a", "'.' is not allowed"),
        ("C:/model.onnx", "a character"),
        ("a\\b", "a character"),
        ("a\nb", "a character"),
        ("nul", "a device on Windows"),
        ("sub/COM1.txt", "a device on Windows"),
        ("model.onnx.", "ends with a dot"),
        (" a", "begins or ends with a space"),
        ("", "1 to 240 bytes"),
        ("x" * 241, "1 to 240 bytes"),
        ("e\u0301.onnx", "NFC"),
        ("a\u202eb", "a character"),
        ("a\ud800", "a character"),
    ],
)
def test_a_hostile_path_is_refused_with_its_reason(path: str, reason: str) -> None:
    value = good()
    value["files"] = [{"path": path, "size": 1, "sha256": DIGEST}]
    assert reason in problems(value)["files[0].path"]


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("name", "Digits"),
        ("name", "../digits"),
        ("version", "2.1"),
        ("version", "2.1.0.post1"),
        ("version", "02.1.0"),
        ("version", "2.1.0\n"),
        ("summary", "  "),
        ("summary", "red \x1b[31m"),
        ("license", ""),
        ("homepage", "javascript:alert(1)"),
        ("homepage", "https://user:secret@models.example.com/"),
        ("homepage", 7),
        ("authors", "me"),
        ("task", "a\nb"),
        ("variants", []),
        ("variants", {}),
        ("default", ["int8"]),
        ("changes", "\x00"),
    ],
)
def test_a_wrong_value_is_refused_under_its_key(key: str, bad: object) -> None:
    value = good()
    value[key] = bad
    assert any(found.split("[")[0] == key for found in problems(value))


@pytest.mark.parametrize("size", [-1, 2**60, 1.5, "10", True, None, 10**400])
def test_a_hostile_size_is_refused(size: object) -> None:
    value = good()
    value["variants"][0]["files"][0]["size"] = size
    assert "expected an integer" in problems(value)["variants[0].files[0].size"]


@pytest.mark.parametrize("digest", ["", "0" * 63, "G" * 64, "A" * 64, 0])
def test_a_hostile_digest_is_refused(digest: object) -> None:
    value = good()
    value["variants"][0]["files"][0]["sha256"] = digest
    assert problems(value)["variants[0].files[0].sha256"].startswith("expected")


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([[0, 9, DIGEST]], "expected chunks for 10 bytes, found chunks for 9"),
        ([[0, 5, DIGEST], [6, 4, DIGEST]], "expected a chunk at offset 5, found one at 6"),
        ([[0, 5, DIGEST], [4, 6, DIGEST]], "expected a chunk at offset 5, found one at 4"),
    ],
)
def test_chunks_must_cover_their_file(chunks: list[object], reason: str) -> None:
    value = good()
    value["variants"][0]["files"][0]["chunks"] = chunks
    assert problems(value)["variants[0].files[0].chunks"] == reason


def test_a_chunk_has_three_parts_and_a_bound() -> None:
    value = good()
    value["variants"][0]["files"][0]["chunks"] = [[0, 10]]
    assert problems(value)["variants[0].files[0].chunks[0]"] == "expected [offset, length, sha256]"
    value["variants"][0]["files"][0]["chunks"] = [[0, 1 << 40, DIGEST]]
    assert "an integer from 1 to" in problems(value)["variants[0].files[0].chunks[0][1]"]


@pytest.mark.parametrize(
    "source", ["file:///etc/passwd", "model.onnx", "https://a:b@x.example/", "https://x y"]
)
def test_a_hostile_source_is_refused(source: str) -> None:
    value = good()
    value["variants"][0]["files"][0]["sources"] = [source]
    assert "variants[0].files[0].sources[0]" in problems(value)


@pytest.mark.parametrize("schema", [0, 2, "1", None, True, [], 1.5])
def test_an_unknown_schema_is_refused_before_anything_else(schema: object) -> None:
    value = good() | {"schema": schema, "name": "also wrong"}
    assert list(problems(value)) == ["schema"]


def test_a_newer_schema_names_the_upgrade() -> None:
    with pytest.raises(ManifestError, match="pip install --upgrade modeldeps"):
        from_json(good() | {"schema": 2})


def test_two_paths_that_are_one_where_case_does_not_count_are_refused() -> None:
    value = good()
    value["files"] = [{"path": "MODEL.onnx", "size": 1, "sha256": DIGEST}]
    assert "one file where case does not count" in problems(value)["variants[0].files"]


def test_a_path_that_is_a_file_and_a_folder_is_refused() -> None:
    value = good()
    value["files"] = [{"path": "model.onnx/labels.txt", "size": 1, "sha256": DIGEST}]
    assert "is a file, and a folder of" in problems(value)["variants[0].files"]


def test_the_entry_must_be_a_file_of_its_variant() -> None:
    value = good()
    value["variants"][0]["entry"] = "other.onnx"
    assert "the path of one of its files" in problems(value)["variants[0].entry"]


def test_names_may_not_stand_twice() -> None:
    value = good()
    value["variants"] *= 2
    value["inputs"] = [{"name": "image", "dtype": "float32"}] * 2
    found = problems(value)
    assert found["variants"] == "'fp32' stands twice"
    assert found["inputs"] == "'image' stands twice"


def test_all_problems_of_a_file_are_told_at_once() -> None:
    value = good()
    del value["license"]
    value["version"] = "x"
    value["variants"][0]["files"][0] |= {"path": "..", "size": -1}
    value["metrics"] = [{"dataset": "d", "metric": "m", "value": "high"}]
    assert set(problems(value)) == {
        "license",
        "version",
        "variants[0].files[0].path",
        "variants[0].files[0].size",
        "metrics[0].value",
    }


def test_a_metric_and_an_override_name_a_variant_that_exists() -> None:
    value = good()
    value["metrics"] = [{"dataset": "d", "metric": "m", "value": 1, "variant": "int4"}]
    assert "the name of a variant" in problems(value)["metrics[0]"]


def test_unknown_keys_are_kept_wherever_they_stand() -> None:
    value = good() | {"x-signed": {"by": ["me"]}}
    value["variants"][0]["x-speed"] = 3
    value["variants"][0]["files"][0]["x-cdn"] = None
    assert json.loads(dump(from_json(value))) == value | {"default": ["fp32"]}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "expected JSON"),
        (b"\xff", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b"[]", "expected an object"),
        (b'{"schema": 1, "schema": 1}', "stands twice"),
        (b'{"schema": NaN}', "no JSON number"),
        (b'{"schema": 1' + b"0" * 5000 + b"}", "expected"),
        (b" " * (MAX_BYTES + 1), "at most"),
    ],
)
def test_what_is_no_json_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        parse(data)


def test_the_error_shows_the_files_name() -> None:
    with pytest.raises(ManifestError, match=r"^digits/model\.json has 1 problem"):
        parse(b"{}", file="digits/model.json")


def test_each_blob_of_a_release_is_listed_once() -> None:
    file, other = File("a.onnx", 1, DIGEST), File("b.txt", 1, "1" * 64)
    variants = (Variant("a", "onnx", "a.onnx", (file,)), Variant("b", "onnx", "a.onnx", (file,)))
    manifest = Manifest("digits", "1.0.0", "s", "MIT", variants, ("a", "b"), files=(other,))
    assert list(manifest.all_files()) == [file, other]
    assert variants[0].size == 1


def test_a_tolerance_of_zero_is_not_no_tolerance() -> None:
    value = good()
    file = {"size": 1, "sha256": DIGEST}
    value["examples"] = [
        {
            "name": "held-out",
            "inputs": {"path": "in.npz", **file},
            "outputs": {"path": "out.npz", **file},
            "tolerances": {"probabilities": {"rtol": 0.0, "atol": 0.0}},
        }
    ]
    manifest = from_json(value)
    assert parse(dump(manifest)) == manifest
    assert manifest.examples[0].tolerances["probabilities"].atol == 0.0


def test_a_hostile_file_with_a_million_problems_gets_an_error_that_can_be_read() -> None:
    data = json.dumps({**good(), "files": [0] * 1_000_000}).encode()
    with pytest.raises(ManifestError) as caught:
        parse(data)
    assert len(caught.value.problems) == 1000
    assert len(str(caught.value)) < 100_000


def test_a_hostile_file_with_many_variants_and_many_shared_files_is_judged_quickly() -> None:
    value = good()
    [one] = value["variants"]
    value["variants"] = [{**one, "name": f"v{number}"} for number in range(20_000)]
    value["files"] = [{"path": f"f{number}", "size": 1, "sha256": DIGEST} for number in range(20_000)]
    start = time.process_time()
    assert problems(value) == {"variants": "expected 1 to 1000 variants, found 20000"}
    assert time.process_time() - start < 20
