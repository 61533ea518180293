"""A channel's index is hostile input, and what it says is proved."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from releases import Release
from static_site import static_site

from modeldeps.digest import sha256_bytes
from modeldeps.errors import (
    ChangedFileError,
    IndexPageError,
    InvalidNameError,
    ModelDepsError,
    NotAChannelError,
    PointerWheelError,
    UnreachableError,
)
from modeldeps.fetch.index import Channel
from modeldeps.fetch.index._page import parse_project, parse_projects
from modeldeps.publish.channel import publish, yank

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://models.example.com/simple/modeldeps-digits/index.json"
DIGEST = "0123456789abcdef" * 4
Json = dict[str, object]


def entry(version: str = "2.1.0", /, **changes: object) -> Json:
    name = f"modeldeps_digits-{version}-py3-none-any.whl"
    return {"filename": name, "url": name, "hashes": {"sha256": DIGEST}, **changes}


def page(*files: object, **changes: object) -> bytes:
    return json.dumps({"meta": {"api-version": "1.1"}, "files": files, **changes}).encode()


def wrong(data: bytes) -> str:
    with pytest.raises(IndexPageError) as caught:
        parse_project(data, URL, "digits")
    return str(caught.value)


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """Return a channel with four releases of digits and one of letters."""
    root = tmp_path / "channel"
    for version in ("2.9.0", "2.10.0", "3.0.0rc1", "2.0.0"):
        publish(Release(version=version, requires=("numpy>=2",)).build(tmp_path / version), root)
    publish(Release(name="letters").build(tmp_path / "letters"), root)
    return root


def test_models_are_listed_by_name(channel: Path) -> None:
    assert Channel(str(channel)).models() == ("digits", "letters")


def test_releases_are_newest_first_as_versions_not_as_text(channel: Path) -> None:
    found = Channel(channel.as_uri()).releases("Digits")
    assert [one.version for one in found] == ["3.0.0rc1", "2.10.0", "2.9.0", "2.0.0"]


def test_a_release_says_what_its_index_says(channel: Path) -> None:
    (found,) = Channel(str(channel)).releases("letters")
    wheel = channel / "simple/modeldeps-letters/modeldeps_letters-2.1.0-py3-none-any.whl"
    assert found.filename == wheel.name
    assert found.url == wheel.as_uri()
    assert found.size == wheel.stat().st_size
    assert found.requires_python == ">=3.9"
    assert not found.yanked
    assert found.upload_time.endswith("Z")


def test_metadata_and_manifest_are_proved_and_read(channel: Path) -> None:
    reader = Channel(str(channel))
    newest = reader.releases("digits")[0]
    assert reader.metadata(newest).requires == ("numpy>=2",)
    assert reader.metadata(newest).version == "3.0.0rc1"
    assert reader.manifest(newest).name == "digits"


def test_the_same_is_read_over_http(channel: Path) -> None:
    with static_site(channel) as url:
        reader, local = Channel(url), Channel(str(channel))
        assert reader.models() == local.models()
        newest, same = reader.releases("digits")[0], local.releases("digits")[0]
        assert newest.url.startswith(url)
        assert newest.sha256 == same.sha256
        assert reader.metadata(newest) == local.metadata(same)
        assert reader.manifest(newest) == local.manifest(same)


def test_a_yanked_release_says_why(channel: Path) -> None:
    yank(channel, "digits", "2.9.0", reason="wrong\nlabels")
    found = {one.version: one.yanked for one in Channel(str(channel)).releases("digits")}
    assert found == {"3.0.0rc1": "", "2.10.0": "", "2.9.0": "wrong labels", "2.0.0": ""}


def test_a_model_that_nobody_publishes_has_no_releases(channel: Path) -> None:
    assert Channel(str(channel)).releases("digit") == ()


def test_a_name_that_is_none_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(InvalidNameError):
        Channel("/nowhere").releases("../digits")


def test_a_place_without_an_index_is_not_a_channel(tmp_path: Path) -> None:
    with static_site(tmp_path) as url:
        for place in (str(tmp_path), url.replace("//", "//me:secret@", 1)):
            for ask in (Channel(place).models, partial(Channel(place).releases, "digits")):
                with pytest.raises(NotAChannelError) as caught:
                    ask()
                assert "secret" not in str(caught.value)


def test_a_channel_that_is_down_is_unreachable() -> None:
    with pytest.raises(UnreachableError):
        Channel("http://127.0.0.1:9/").releases("digits")


def test_an_altered_wheel_is_refused(channel: Path) -> None:
    (found,) = Channel(str(channel)).releases("letters")
    wheel = channel / "simple/modeldeps-letters" / found.filename
    wheel.write_bytes(wheel.read_bytes()[:-1] + b"x")
    with pytest.raises(ChangedFileError) as caught:
        Channel(str(channel)).manifest(found)
    assert f"expected: sha256:{found.sha256}" in str(caught.value)


def test_altered_metadata_is_refused(channel: Path) -> None:
    (found,) = Channel(str(channel)).releases("letters")
    (channel / "simple/modeldeps-letters" / f"{found.filename}.metadata").write_bytes(b"Name: other\n")
    with pytest.raises(ChangedFileError):
        Channel(str(channel)).metadata(found)


def test_metadata_comes_from_the_wheel_where_the_index_has_none(channel: Path) -> None:
    folder = channel / "simple/modeldeps-letters"
    found = json.loads((folder / "index.json").read_bytes())
    del found["files"][0]["core-metadata"]
    (folder / "index.json").write_text(json.dumps(found))
    for one in folder.glob("*.metadata"):
        one.unlink()
    reader = Channel(str(channel))
    assert reader.metadata(reader.releases("letters")[0]).name == "modeldeps-letters"


@pytest.mark.parametrize(
    "wrong_lines",
    [
        b"Name: modeldeps-letters\nVersion: 2.1.0\nRequires-Dist: ?\n",
        b"Name: modeldeps-letters\nVersion: 2.2.0\n",
        b"Name: numpy\nVersion: 2.1.0\n",
    ],
)
def test_metadata_that_is_wrong_though_its_digest_is_right_is_refused(
    wrong_lines: bytes, channel: Path
) -> None:
    folder = channel / "simple/modeldeps-letters"
    bad = b"Metadata-Version: 2.1\n" + wrong_lines
    found = json.loads((folder / "index.json").read_bytes())
    found["files"][0]["core-metadata"]["sha256"] = sha256_bytes(bad)
    (folder / "index.json").write_text(json.dumps(found))
    (folder / f"{found['files'][0]['filename']}.metadata").write_bytes(bad)
    reader = Channel(str(channel))
    with pytest.raises(PointerWheelError):
        reader.metadata(reader.releases("letters")[0])


def test_foreign_files_of_a_project_are_left_out() -> None:
    foreign = [
        {"filename": "modeldeps_digits-2.1.0.tar.gz"},
        {"filename": "modeldeps_digits-2.1.0-cp311-cp311-linux_x86_64.whl"},
        {"filename": "modeldeps_letters-2.1.0-py3-none-any.whl"},
        {"filename": "modeldeps_digits-..-py3-none-any.whl"},
        {"filename": None},
        {},
    ]
    assert [one.version for one in parse_project(page(*foreign, entry()), URL, "digits")] == ["2.1.0"]


def test_keys_that_this_version_does_not_know_are_no_problem() -> None:
    data = page(entry(provenance=None) | {"gpg-sig": True}, alternates=["https://other.example/"])
    assert len(parse_project(data, URL, "digits")) == 1


@pytest.mark.parametrize(
    "url",
    [
        "modeldeps_digits-2.1.0-py3-none-any.whl",
        "./modeldeps_digits-2.1.0-py3-none-any.whl#sha256=" + DIGEST,
        "modeldeps%5Fdigits-2.1.0-py3-none-any.whl",
        "https://models.example.com/simple/modeldeps-digits/modeldeps_digits-2.1.0-py3-none-any.whl",
        "/simple/modeldeps-digits/modeldeps_digits-2.1.0-py3-none-any.whl",
    ],
)
def test_every_spelling_of_the_file_beside_the_page_is_understood(url: str) -> None:
    (found,) = parse_project(page(entry(url=url)), URL, "digits")
    assert found.url == URL.replace("index.json", "modeldeps_digits-2.1.0-py3-none-any.whl")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/modeldeps_digits-2.1.0-py3-none-any.whl",
        "file:///etc/passwd",
        "../../secret/modeldeps_digits-2.1.0-py3-none-any.whl",
        "//evil.example/modeldeps_digits-2.1.0-py3-none-any.whl",
        "http://[",
        "",
        7,
        None,
    ],
)
def test_a_wheel_elsewhere_is_refused(url: object) -> None:
    assert "files[0].url" in wrong(page(entry(url=url)))


@pytest.mark.parametrize(
    "hashes",
    [{}, None, [], {"sha256": "short"}, {"sha256": DIGEST.upper()}, {"md5": "0" * 32}, {"sha256": 1}],
)
def test_a_release_without_a_sha256_is_refused(hashes: object) -> None:
    assert "files[0].hashes.sha256: expected 64" in wrong(page(entry(hashes=hashes)))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"requires-python": "soon"}, "requires-python"),
        ({"requires-python": 3}, "requires-python"),
        ({"size": -1}, "size"),
        ({"size": "big"}, "size"),
        ({"size": True}, "size"),
        ({"core-metadata": True}, "core-metadata.sha256"),
        ({"core-metadata": {"sha256": "x"}}, "core-metadata.sha256"),
        ({"upload-time": 1}, "upload-time"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(changes: Json, key: str) -> None:
    assert f"files[0].{key}: expected" in wrong(page(entry() | changes))


def test_all_problems_of_a_page_are_told_but_not_endlessly() -> None:
    assert wrong(page(entry("1.0.0", size=-1), entry("1.1.0", url=""))).count("files[") == 2
    assert wrong(page(*[entry(f"1.{one}.0", size=-1) for one in range(1000)])).count("files[") == 20


def test_a_version_that_stands_twice_is_refused() -> None:
    assert "files[1]: 2.1.0 stands twice" in wrong(page(entry(), entry()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!DOCTYPE html>",
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        b'{"meta": {"api-version": "2.0"}, "files": []}',
        b'{"meta": {"api-version": 1}, "files": []}',
        b'{"meta": {"api-version": "1.1"}}',
        b'{"meta": {"api-version": "1.1"}, "files": {}}',
        b'{"meta": {"api-version": "1.1"}, "files": [1]}',
    ],
)
def test_a_page_that_is_none_is_refused(data: bytes) -> None:
    wrong(data)


def test_a_reason_can_not_paint_on_a_terminal() -> None:
    (found,) = parse_project(page(entry(yanked="bad \x1b[31m\r\nnews")), URL, "digits")
    assert found.yanked == "bad [31m news"
    (found,) = parse_project(page(entry(yanked=True)), URL, "digits")
    assert found.yanked == "no reason given"


def test_the_list_of_projects_holds_models_and_nothing_else() -> None:
    names = ["numpy", "modeldeps", "ModelDeps_Digits", "modeldeps-digits", "modeldeps.letters"]
    data = json.dumps({"meta": {"api-version": "1.0"}, "projects": [{"name": one} for one in names]})
    assert parse_projects(data.encode(), URL) == ("digits", "letters")


@pytest.mark.parametrize(
    "name", ["modeldeps-../x", "modeldeps-", "modeldeps-a b", "modeldeps-" + "x" * 200, 1, None]
)
def test_a_project_with_a_hostile_name_is_refused(name: object) -> None:
    data = json.dumps({"meta": {"api-version": "1.0"}, "projects": [{"name": name}]})
    with pytest.raises(IndexPageError, match=r"projects\[0\]\.name"):
        parse_projects(data.encode(), URL)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "filename": st.just("modeldeps_digits-2.1.0-py3-none-any.whl") | json_values,
        "url": st.just("modeldeps_digits-2.1.0-py3-none-any.whl") | st.text() | json_values,
        "hashes": st.just({"sha256": DIGEST}) | json_values,
        "yanked": json_values,
        "size": json_values,
        "requires-python": st.text() | json_values,
        "core-metadata": json_values,
        "upload-time": json_values,
    },
)


@given(st.lists(entries | json_values, max_size=3), json_values)
def test_no_page_raises_anything_but_the_projects_own_error(files: list[object], other: object) -> None:
    for value in (page(*files, projects=files), json.dumps(other).encode()):
        with suppress(ModelDepsError):
            parse_project(value, URL, "digits")
        with suppress(ModelDepsError):
            parse_projects(value, URL)
