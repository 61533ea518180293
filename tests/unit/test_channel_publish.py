"""Publishing: everything is checked first, and a version is never replaced."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from channels import check_channel, snapshot
from releases import Release, blob_of, file_of, read_json

from modeldeps.errors import (
    AlreadyPublishedError,
    BlobsError,
    ChannelError,
    IndexPageError,
    ManifestError,
    ModelDepsError,
    NotAChannelError,
    NothingToPublishError,
    PointerWheelError,
    RemoteChannelError,
)
from modeldeps.progress import Reporter
from modeldeps.publish.channel import local_folder, publish, yank

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = "modeldeps-digits"


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """Return a channel with digits 2.0.0."""
    root = tmp_path / "channel"
    publish(Release(version="2.0.0").build(tmp_path / "dist-2.0.0"), root)
    return root


def test_a_release_is_whole_once_it_is_published(tmp_path: Path) -> None:
    root = tmp_path / "new" / "channel"
    (found,) = publish(Release().build(tmp_path / "dist"), root)
    assert (found.name, found.version, found.new) == ("digits", "2.1.0", True)
    assert found.bytes_copied == len(Release().payload) + len(Release().labels)
    assert found.wheel
    assert check_channel(root) == {PROJECT: {"2.1.0": snapshot(root)[str(found.wheel.relative_to(root))]}}


def test_a_channel_can_be_made_again_byte_for_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for root in (tmp_path / "one", tmp_path / "two"):
        for version in ("2.0.0", "2.1.0"):
            publish(Release(version=version).build(tmp_path / version), root)
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    record = read_json(tmp_path / "one/models/digits/2.0.0/release.json")
    assert record["published"] == "2023-11-14T22:13:20Z"


def test_one_wheel_is_published_with_the_blobs_beside_it(tmp_path: Path) -> None:
    dist = Release().build(tmp_path / "dist")
    Release(version="2.2.0").build(dist)
    publish(dist / Release().filename, tmp_path / "channel")
    assert set(check_channel(tmp_path / "channel")[PROJECT]) == {"2.1.0"}


def test_a_blob_that_is_right_beside_the_wheel_is_hashed_once(tmp_path: Path) -> None:
    class Count(Reporter):
        checked = 0

        def advance(self, count: int) -> None:
            self.checked += count

    dist = Release().build(tmp_path / "dist")
    publish(dist, tmp_path / "channel")
    again = Count()
    publish(dist, tmp_path / "channel", reporter=again)
    assert again.checked == len(Release().payload) + len(Release().labels)


def test_a_folder_with_several_releases_is_published_as_a_whole(tmp_path: Path) -> None:
    dist = Release().build(tmp_path / "dist")
    Release(name="letters", payload=b"other").build(dist)
    (dist / "notes.txt").write_text("left alone")
    found = publish(dist, tmp_path / "channel")
    assert [one.name for one in found] == ["digits", "letters"]
    assert set(check_channel(tmp_path / "channel")) == {PROJECT, "modeldeps-letters"}


def test_nothing_is_published_where_one_release_of_several_is_wrong(tmp_path: Path, channel: Path) -> None:
    before = snapshot(channel)
    dist = Release().build(tmp_path / "dist")
    (dist / Release(version="2.2.0").filename).write_bytes(b"no wheel")
    with pytest.raises(PointerWheelError):
        publish(dist, channel)
    assert snapshot(channel) == before


def test_the_same_bytes_again_are_fine_and_change_nothing(tmp_path: Path, channel: Path) -> None:
    before = snapshot(channel)
    (found,) = publish(tmp_path / "dist-2.0.0", channel)
    assert (found.new, found.bytes_copied) == (False, 0)
    assert snapshot(channel) == before


def test_a_version_is_never_replaced_by_other_bytes(tmp_path: Path, channel: Path) -> None:
    before = snapshot(channel)
    other = Release(version="2.0.0", payload=b"other weights").build(tmp_path / "other")
    with pytest.raises(AlreadyPublishedError) as caught:
        publish(other, channel)
    assert "digits 2.0.0 is in the channel already" in str(caught.value)
    assert "hint: a version is never replaced" in str(caught.value)
    assert snapshot(channel) == before


def test_releases_share_blobs(tmp_path: Path, channel: Path) -> None:
    (found,) = publish(Release(payload=b"new weights").build(tmp_path / "dist"), channel)
    assert found.bytes_copied == len(b"new weights")


def test_blobs_that_the_channel_holds_need_not_be_in_the_dist_folder(tmp_path: Path, channel: Path) -> None:
    dist = Release().build(tmp_path / "dist")
    shutil.rmtree(dist / "blobs")
    publish(dist, channel)
    assert set(check_channel(channel)[PROJECT]) == {"2.0.0", "2.1.0"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "has 17 bytes, not 18"),
        (lambda path: path.write_bytes(b"x" * 18), "has other bytes in the chunk at offset 0"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "in the chunk at offset 9"),
        (lambda path: (path.unlink(), path.mkdir()), "is missing"),
    ],
)
def test_a_blob_that_is_not_what_the_manifest_says_stops_everything(
    damage: object, reason: str, tmp_path: Path, channel: Path
) -> None:
    before = snapshot(channel)
    release = Release(payload=b"weights of a moved")
    dist = release.build(tmp_path / "dist")
    damage(blob_of(dist, release.payload))  # type: ignore[operator]
    with pytest.raises(BlobsError) as caught:
        publish(dist, channel)
    assert f"model.onnx ({file_of(release.payload).sha256}) " in str(caught.value)
    assert reason in str(caught.value)
    assert snapshot(channel) == before


def test_a_file_without_chunks_is_proved_by_its_digest(tmp_path: Path, channel: Path) -> None:
    base = Release(payload=b"one")
    manifest = base.make_manifest()
    files = tuple(replace(one, chunks=()) for one in manifest.variants[0].files)
    variants = (replace(manifest.variants[0], files=files),)
    dist = replace(base, manifest=replace(manifest, variants=variants)).build(tmp_path / "dist")
    blob_of(dist, b"one").write_bytes(b"two")
    with pytest.raises(BlobsError, match="has the digest"):
        publish(dist, channel)


def test_chunks_that_lie_about_a_good_file_stop_everything(tmp_path: Path, channel: Path) -> None:
    base = Release()
    manifest = base.make_manifest()
    file = manifest.variants[0].files[0]
    lie = replace(file, chunks=(file.chunks[0], replace(file.chunks[1], sha256="0" * 64)))
    variants = (replace(manifest.variants[0], files=(lie,)),)
    dist = replace(base, manifest=replace(manifest, variants=variants)).build(tmp_path / "dist")
    with pytest.raises(BlobsError, match="chunk at offset 9"):
        publish(dist, channel)


def test_all_wrong_blobs_are_told_at_once(tmp_path: Path) -> None:
    dist = Release().build(tmp_path / "dist")
    shutil.rmtree(dist / "blobs")
    with pytest.raises(BlobsError) as caught:
        publish(dist, tmp_path / "channel")
    assert str(caught.value).count("is missing") == 2
    assert not (tmp_path / "channel").exists()


def test_a_damaged_wheel_or_blob_of_a_channel_is_mended_by_publishing_again(
    tmp_path: Path, channel: Path
) -> None:
    before = snapshot(channel)
    blob_of(channel, Release().payload).write_bytes(b"rotten")
    wheel = channel / "simple" / PROJECT / Release(version="2.0.0").filename
    wheel.write_bytes(wheel.read_bytes()[:100])
    publish(tmp_path / "dist-2.0.0", channel)
    assert snapshot(channel) == before


def test_lost_indexes_and_pages_are_made_again(tmp_path: Path, channel: Path) -> None:
    before = snapshot(channel)
    for name in (
        "index.html",
        "simple/index.json",
        f"simple/{PROJECT}/index.html",
        "models/digits/2.0.0/index.html",
    ):
        (channel / name).unlink()
    publish(tmp_path / "dist-2.0.0", channel)
    assert snapshot(channel) == before


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: path.mkdir(), NothingToPublishError),
        (lambda _: None, NothingToPublishError),
        (lambda path: path.write_text("words"), NothingToPublishError),
        (lambda path: (path.mkdir(), (path / "x.whl").mkdir()), PointerWheelError),
        (lambda path: (path.mkdir(), (path / "x.whl").write_bytes(b"")), PointerWheelError),
        (
            lambda path: Release().with_members({"INFO/model.json": b"{}"}).build(path),
            ManifestError,
        ),
    ],
)
def test_what_is_no_release_is_refused_and_no_channel_is_made(
    make: object, error: type[ModelDepsError], tmp_path: Path
) -> None:
    make(tmp_path / "dist")  # type: ignore[operator]
    with pytest.raises(error):
        publish(tmp_path / "dist", tmp_path / "channel")
    assert not (tmp_path / "channel").exists()


def test_files_of_somebody_else_are_never_replaced(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("my home page")
    with pytest.raises(NotAChannelError, match=r"without channel\.json, with index\.html"):
        publish(Release().build(tmp_path / "dist"), site)
    assert snapshot(site).keys() == {"index.html"}


def test_a_folder_with_other_files_becomes_a_channel(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / ".git").mkdir(parents=True)
    (site / "CNAME").write_text("models.example.com")
    publish(Release().build(tmp_path / "dist"), site)
    assert check_channel(site)
    assert (site / "CNAME").read_text() == "models.example.com"


@pytest.mark.parametrize("text", ['{"layout": 2}', '{"layout": true}', "{}", "[1]", "words", ""])
def test_a_channel_of_another_layout_is_left_alone(text: str, tmp_path: Path, channel: Path) -> None:
    (channel / "channel.json").write_text(text)
    before = snapshot(channel)
    for work in (
        lambda: publish(Release().build(tmp_path / "dist"), channel),
        lambda: yank(channel, "digits", "2.0.0", reason="x"),
    ):
        with pytest.raises(NotAChannelError) as caught:
            work()
        assert ("--upgrade modeldeps" in str(caught.value)) == (text == '{"layout": 2}')
    assert snapshot(channel) == before


def test_a_channel_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("words")
    with pytest.raises(NotAChannelError):
        publish(Release().build(tmp_path / "dist"), tmp_path / "file")
    with pytest.raises(ChannelError):
        publish(tmp_path / "dist", tmp_path / "file" / "below")


def test_a_damaged_record_is_told_and_nothing_is_unyanked_by_it(tmp_path: Path, channel: Path) -> None:
    record = channel / "models/digits/2.0.0/release.json"
    for text in ("", "{}", "[]", record.read_text().replace('"size": ', '"size": "x')):
        record.write_text(text)
        with pytest.raises(IndexPageError, match=r"release\.json"):
            publish(Release().build(tmp_path / "dist"), channel)


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    class Counter(Reporter):
        def __init__(self) -> None:
            self.work: list[list[int | None]] = []

        def begin(self, label: str, *, total: int | None) -> None:
            del label
            self.work.append([total, 0])

        def advance(self, count: int) -> None:
            self.work[-1][1] = (self.work[-1][1] or 0) + count

    counter = Counter()
    publish(Release().build(tmp_path / "dist"), tmp_path / "channel", reporter=counter)
    assert counter.work == [[24, 24], [24, 24]]


def test_files_are_readable_for_a_web_server(channel: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    for one in channel.rglob("*"):
        assert one.stat().st_mode & 0o777 == (0o777 if one.is_dir() else 0o666) & ~mask, one


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@models.example.com/",
        "s3://bucket/x",
        "file://host/share",
        "http://[x",
        "file:///a%00b",
    ],
)
def test_a_url_is_no_place_to_publish_to(url: str) -> None:
    with pytest.raises(RemoteChannelError) as caught:
        local_folder(url)
    assert "secret" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_file_url_is_a_folder() -> None:
    assert local_folder("file:///srv/my%20models/") == "/srv/my models/"
    assert local_folder("relative/folder") == "relative/folder"
