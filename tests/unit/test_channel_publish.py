"""Publishing: everything is checked first, a version is never replaced, a channel is always whole."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from channels import check_channel, links, snapshot
from releases import Release, file_of, read_json

from modeldeps.errors import (
    AlreadyPublishedError,
    BlobsError,
    ChangedFileError,
    ChannelError,
    ChannelFullError,
    ChannelWriteError,
    IndexPageError,
    ManifestError,
    ModelDepsError,
    NotAChannelError,
    NothingToPublishError,
    NotPublishedError,
    PointerWheelError,
    RemoteChannelError,
)
from modeldeps.progress import Reporter
from modeldeps.publish.channel import _publish, local_folder, publish, yank
from modeldeps.publish.channel._land import Landing
from modeldeps.publish.channel._lock import publisher_lock

PROJECT = "modeldeps-digits"
SUPPORT = Path(__file__).parents[1] / "support"


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


def blob_of(dist: Path, data: bytes) -> Path:
    digest = file_of(data).sha256
    return dist / "blobs" / "sha256" / digest[:2] / digest


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


def test_a_blob_that_changes_while_it_is_copied_is_not_published(tmp_path: Path, channel: Path) -> None:
    release = Release(payload=b"weights of a moved")
    dist = release.build(tmp_path / "dist")

    class Meddler(Reporter):
        def begin(self, label: str, *, total: int | None) -> None:
            del total
            if label.startswith("publishing"):
                blob_of(dist, release.payload).write_bytes(b"another eighteen b")

    with pytest.raises(ChangedFileError):
        publish(dist, channel, reporter=Meddler())
    assert set(check_channel(channel)[PROJECT]) == {"2.0.0"}
    assert not blob_of(channel, release.payload).exists()
    assert not list((channel / ".incoming").glob("*.part"))


def test_a_release_that_could_not_be_named_leaves_no_empty_project(
    tmp_path: Path, channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    monkeypatch.setattr(Landing, "claim", full)
    with pytest.raises(ChannelWriteError):
        publish(Release(name="letters").build(tmp_path / "dist"), channel)
    assert set(check_channel(channel)) == {PROJECT}
    assert not (channel / "simple" / "modeldeps-letters").exists()


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


def test_a_disk_without_room_is_told_before_anything_is_written(
    tmp_path: Path, channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(channel)
    monkeypatch.setattr(_publish, "ROOM", 1 << 62)
    with pytest.raises(ChannelFullError, match="nothing was written"):
        publish(Release(payload=b"new").build(tmp_path / "dist"), channel)
    assert snapshot(channel) == before


LIMITED = """
import resource, signal, sys
from pathlib import Path
from modeldeps.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
sys.exit(main(["publish", sys.argv[1], "--to", sys.argv[2]]))
"""


def test_a_file_that_can_not_be_written_to_its_end_leaves_the_channel_as_it_was(
    tmp_path: Path, channel: Path
) -> None:
    before = snapshot(channel)
    dist = Release(payload=bytes(200_000)).build(tmp_path / "dist")
    words = [sys.executable, "-c", LIMITED, str(dist), str(channel), "100000"]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    assert found.returncode == 3
    assert "error: the channel can't be written" in found.stderr
    assert os.strerror(errno.EFBIG) in found.stderr
    assert "hint: free some space and publish again" in found.stderr
    assert snapshot(channel) == before
    assert not list((channel / ".incoming").glob("*.part"))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


PLAIN_ROOT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root that may write no more than any other user."""


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may write anywhere")
@pytest.mark.parametrize("place", [".incoming", "."])
def test_a_channel_that_may_not_be_written_says_so(place: str, tmp_path: Path, channel: Path) -> None:
    before = snapshot(channel)
    dist = Release(payload=b"new").build(tmp_path / "dist")
    for one in [channel / place, *(channel / place).rglob("*")]:
        one.chmod(0o555 if one.is_dir() else 0o444)
    words = [sys.executable, "-m", "modeldeps", "publish", str(dist), "--to", str(channel)]
    prefix = PLAIN_ROOT if os.geteuid() == 0 else ()
    found = subprocess.run([*prefix, *words], capture_output=True, text=True, check=False)
    for one in [channel / place, *(channel / place).rglob("*")]:
        one.chmod(0o755 if one.is_dir() else 0o644)
    assert found.returncode == 3, found.stderr
    assert "error: the channel can't be written" in found.stderr
    assert "reason:  Permission denied" in found.stderr
    assert "hint: publish as a user who may write" in found.stderr
    assert snapshot(channel) == before


def test_a_system_that_refuses_names_the_place_and_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ChannelWriteError) as caught:
        publish(Release().build(tmp_path / "dist"), Path("/proc/channel"))
    assert "/proc/channel" in str(caught.value)


def test_what_killed_publishers_left_is_removed_after_a_day(tmp_path: Path, channel: Path) -> None:
    old, new = channel / ".incoming" / "old.part", channel / ".incoming" / "new.part"
    old.write_bytes(b"half a blob")
    new.write_bytes(b"somebody is at work")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    publish(tmp_path / "dist-2.0.0", channel)
    assert not old.exists()
    assert new.exists()


def test_files_are_readable_for_a_web_server(channel: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    for one in channel.rglob("*"):
        assert one.stat().st_mode & 0o777 == (0o777 if one.is_dir() else 0o666) & ~mask, one


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
def test_a_file_system_without_hard_links_is_enough(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    root = tmp_path / "channel"
    publish(Release().build(tmp_path / "dist"), root)
    assert not publish(tmp_path / "dist", root)[0].new
    with pytest.raises(AlreadyPublishedError):
        publish(Release(payload=b"other").build(tmp_path / "other"), root)
    part = root / ".incoming" / "x.part"
    assert not Landing(part.parent).claim(root / "channel.json", b"other")
    assert set(check_channel(root)[PROJECT]) == {"2.1.0"}


# yank


def attributes(channel: Path) -> dict[str, str | None]:
    found = links(channel / "simple" / PROJECT / "index.html")
    return {str(one["href"]).split("-")[1]: one.get("data-yanked") for one in found}


def test_a_yank_is_seen_everywhere_and_can_be_taken_back(tmp_path: Path, channel: Path) -> None:
    publish(Release().build(tmp_path / "dist"), channel)
    before = snapshot(channel)
    reason = 'labels of "7" & <1>\nwere swapped'
    words = 'labels of "7" & <1> were swapped'
    assert yank(channel, "Digits", "2.0.0", reason=reason)
    assert attributes(channel) == {"2.1.0": None, "2.0.0": words}
    page = json.loads((channel / "simple" / PROJECT / "index.json").read_bytes())
    assert {one["filename"].split("-")[1]: one["yanked"] for one in page["files"]} == {
        "2.1.0": False,
        "2.0.0": words,
    }
    assert "Yanked: labels of" in (channel / "models/digits/2.0.0/index.html").read_text()
    assert "yanked: labels of" in (channel / "models/digits/index.html").read_text()
    assert check_channel(channel)
    assert not yank(channel, "digits", "2.0.0", reason=reason)
    assert yank(channel, "digits", "2.0.0", reason="", undo=True)
    assert snapshot(channel) == before
    assert not yank(channel, "digits", "2.0.0", reason="", undo=True)


def test_a_yank_without_words_is_one_all_the_same(channel: Path) -> None:
    assert yank(channel, "digits", "2.0.0", reason="  ")
    assert attributes(channel) == {"2.0.0": "no reason given"}


def test_publishing_again_does_not_take_a_yank_back(tmp_path: Path, channel: Path) -> None:
    yank(channel, "digits", "2.0.0", reason="bad")
    publish(tmp_path / "dist-2.0.0", channel)
    assert attributes(channel) == {"2.0.0": "bad"}


@pytest.mark.parametrize(
    ("name", "version"), [("digits", "9.9.9"), ("digit", "2.0.0"), ("digits", "../2.0.0")]
)
def test_a_release_that_is_not_there_can_not_be_yanked(name: str, version: str, channel: Path) -> None:
    before = snapshot(channel)
    with pytest.raises(NotPublishedError, match="is not in the channel") as caught:
        yank(channel, name, version, reason="x")
    assert ("there:" in str(caught.value), "did you mean digits?" in str(caught.value)) == (
        True,
        name == "digit",
    )
    assert snapshot(channel) == before


def test_a_folder_that_is_no_channel_is_not_made_one_by_a_yank(tmp_path: Path) -> None:
    for place in (tmp_path / "nothing", tmp_path):
        with pytest.raises(NotAChannelError):
            yank(place, "digits", "2.0.0", reason="x")
    assert not list(tmp_path.iterdir())


def test_the_first_page_shows_the_release_that_installers_take(tmp_path: Path, channel: Path) -> None:
    for version in ("2.10.0", "2.9.0", "3.0.0rc1", "2.11.0"):
        publish(Release(version=version).build(tmp_path / version), channel)
    yank(channel, "digits", "2.11.0", reason="bad")
    page = (channel / "index.html").read_text()
    assert "<td>2.10.0</td>" in page
    for version in ("2.10.0", "2.9.0", "2.0.0"):
        yank(channel, "digits", version, reason="bad")
    assert "<td>3.0.0rc1</td>" in (channel / "index.html").read_text()
    yank(channel, "digits", "3.0.0rc1", reason="bad")
    assert "<td>2.11.0</td>" in (channel / "index.html").read_text()


def test_a_channel_out_of_a_clone_can_be_yanked_from(tmp_path: Path, channel: Path) -> None:
    shutil.rmtree(channel / ".incoming")
    assert yank(channel, "digits", "2.0.0", reason="bad")


# the lock


def test_a_publisher_who_is_stopped_holds_nobody_up_for_ever(channel: Path) -> None:
    notes: list[str] = []

    class Listener(Reporter):
        def note(self, text: str) -> None:
            notes.append(text)

    lock = channel / ".incoming" / "lock"
    with publisher_lock(lock, Reporter()) as first, publisher_lock(lock, Listener(), patience=1.2) as second:
        assert first
        assert not second
    assert notes == ["waiting for another publisher of this channel"]
    with publisher_lock(lock, Reporter(), patience=0) as again:
        assert again


def test_a_lock_dies_with_its_owner(channel: Path) -> None:
    lock = channel / ".incoming" / "lock"
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom modeldeps.progress import Reporter\n"
        "from modeldeps.publish.channel._lock import publisher_lock\n"
        "with publisher_lock(Path(sys.argv[1]), Reporter()) as got:\n"
        "    print(got, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "True\n"
        with publisher_lock(lock, Reporter(), patience=0) as got:
            assert not got
        owner.kill()
        owner.wait()
    with publisher_lock(lock, Reporter(), patience=5) as got:
        assert got


def test_a_file_system_without_locks_is_enough(channel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert yank(channel, "digits", "2.0.0", reason="bad")


# where


@pytest.mark.parametrize(
    "url", ["https://me:secret@models.example.com/", "s3://bucket/x", "file://host/share"]
)
def test_a_url_is_no_place_to_publish_to(url: str) -> None:
    with pytest.raises(RemoteChannelError) as caught:
        local_folder(url)
    assert "secret" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_file_url_is_a_folder() -> None:
    assert local_folder("file:///srv/my%20models/") == "/srv/my models/"
    assert local_folder("relative/folder") == "relative/folder"


# killed, full, at once: see tests/support/publisher_faults.py


def trial(what: str, folder: Path, *rounds: str) -> int:
    words = [sys.executable, "-W", "error", str(SUPPORT / "publisher_faults.py"), what, str(folder), *rounds]
    found = subprocess.run(words, capture_output=True, text=True, check=False, timeout=250)
    assert found.returncode == 0, found.stderr
    return int(found.stdout)


@pytest.mark.parametrize("what", ["kill", "full", "kill-yank", "full-yank"])
def test_a_publisher_may_be_stopped_before_any_change(what: str, tmp_path: Path) -> None:
    assert trial(what, tmp_path) >= 15


@pytest.mark.parametrize("what", ["together", "together-without-lock"])
def test_publishers_at_once_lose_nothing(what: str, tmp_path: Path) -> None:
    assert trial(what, tmp_path, "8") == 32


@pytest.mark.parametrize("what", ["clash", "clash-without-lock"])
def test_of_publishers_of_one_version_one_wins_and_the_others_are_told(what: str, tmp_path: Path) -> None:
    assert trial(what, tmp_path, "8") == 8
