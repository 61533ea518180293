"""The pages of a channel show what a release says, and run nothing that it says."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from manifests import manifests
from releases import Release, file_of

from modeldeps.manifest import Dataset, Lineage, Manifest, Metric, Tensor, Variant
from modeldeps.publish.channel import publish
from modeldeps.publish.channel._pages import channel_page, model_page, release_page, state_mark
from modeldeps.publish.channel._record import Record
from modeldeps.publish.channel._simple import project_html

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;"
RECORD = Record(
    name="digits",
    version="2.1.0",
    filename="modeldeps_digits-2.1.0-py3-none-any.whl",
    size=6700,
    sha256="a" * 64,
    metadata_sha256="b" * 64,
    requires_python=">=3.9",
    summary="Reads digits",
    license="MIT",
    payload=54_100,
    published="2026-01-02T03:04:05Z",
)
HEAD = {"html", "head", "meta", "link", "title", "style", "body"}
TAGS = {
    "nav",
    "h1",
    "h2",
    "p",
    "a",
    "br",
    "div",
    "table",
    "tr",
    "th",
    "td",
    "code",
    "pre",
    "details",
    "summary",
}


class Reading(HTMLParser):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: bytes) -> Reading:
    found = Reading(page)
    assert not found.open
    assert {tag for tag, _ in found.tags} <= HEAD | TAGS
    for _, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")]
        url = attributes.get("href") or ""
        assert url.startswith(("https://", "http://")) or ":" not in url
    return found


def test_a_release_shows_its_card() -> None:
    manifest = Release().make_manifest()
    found = read(release_page(manifest, RECORD))
    for words in (
        "digits 2.1.0",
        "Reads handwritten digits <quickly> & well",
        "batch \N{MULTIPLICATION SIGN} 8 \N{MULTIPLICATION SIGN} 8",
        "0..16",
        "0.975",
        "scikit-learn 1.7",
        "Better at sevens.",
        'models = ["digits~=2.1"]',
        "model.run(image=…)",
        "54.1 kB",
    ):
        assert words in found.text, words
    urls = {attributes.get("href") for tag, attributes in found.tags if tag == "a"}
    digest = file_of(Release().payload).sha256
    assert f"../../../blobs/sha256/{digest[:2]}/{digest}" in urls
    assert f"../../../simple/modeldeps-digits/{RECORD.filename}" in urls
    assert "https://example.com/digits" in urls


def test_a_pre_release_is_offered_by_its_own_version() -> None:
    manifest = replace(Release().make_manifest(), version="3.0.0rc1")
    assert "digits==3.0.0rc1" in read(release_page(manifest, RECORD)).text


def test_a_yanked_release_says_so_first() -> None:
    record = RECORD.withdrawn("wrong labels")
    found = read(release_page(Release().make_manifest(), record))
    assert "Yanked: wrong labels" in found.text
    assert state_mark(record).encode() in release_page(Release().make_manifest(), record)
    assert state_mark(record).encode() not in release_page(Release().make_manifest(), RECORD)


def test_a_model_lists_its_releases_and_a_channel_its_models() -> None:
    old = replace(RECORD, version="2.0.0", yanked="bad")
    found = read(model_page("digits", [RECORD, old]))
    assert "2026-01-02" in found.text
    assert "yanked: bad" in found.text
    assert "2.1.0" in read(channel_page({"digits": RECORD})).text
    assert "Nothing is published yet." in read(channel_page({})).text


def evil_manifest() -> Manifest:
    variant = Variant(EVIL, EVIL, EVIL, (replace(file_of(b"x"), path=EVIL),), EVIL, (EVIL,))
    return replace(
        Release().make_manifest(),
        summary=EVIL,
        license=EVIL,
        task=EVIL,
        authors=(EVIL,),
        inputs=(Tensor(EVIL, EVIL, (EVIL, None, 3), EVIL, EVIL),),
        variants=(variant,),
        default=(EVIL,),
        metrics=(Metric(EVIL, EVIL, 1.0, EVIL, EVIL, {EVIL: 1.0}),),
        lineage=Lineage((Dataset(EVIL, EVIL, EVIL),), EVIL, EVIL, EVIL, EVIL, EVIL, {EVIL: EVIL}),
        changes=EVIL,
    )


def test_no_text_of_a_release_becomes_markup() -> None:
    texts = {one.name: EVIL for one in dataclasses.fields(Record) if one.type == "str"}
    record = replace(RECORD, **texts)  # type: ignore[arg-type]
    for page in (
        release_page(evil_manifest(), replace(RECORD, yanked=EVIL, summary=EVIL)),
        model_page("digits", [record]),
        channel_page({"digits": record}),
        project_html("digits", [record]),
    ):
        assert EVIL in read(page).text
        assert b"<script" not in page


@given(manifests())
def test_every_manifest_can_be_shown(manifest: Manifest) -> None:
    assert manifest.name in read(release_page(manifest, RECORD)).text


@pytest.mark.parametrize("page", ["index.html", "models/digits/index.html", "models/digits/2.1.0/index.html"])
def test_no_link_of_a_channel_is_dead(page: str, tmp_path: Path) -> None:
    root = tmp_path / "channel"
    publish(Release().build(tmp_path / "dist"), root)
    found = read((root / page).read_bytes())
    local = [str(one["href"]) for tag, one in found.tags if tag == "a" and "://" not in str(one["href"])]
    assert local
    assert all(((root / page).parent / url).is_file() for url in local), local
