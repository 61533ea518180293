"""A channel is always whole: full disks, refusing systems, killed publishers, several at once."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from channels import check_channel, snapshot
from releases import Release, blob_of

from modeldeps.errors import (
    AlreadyPublishedError,
    ChangedFileError,
    ChannelFullError,
    ChannelWriteError,
)
from modeldeps.progress import Reporter
from modeldeps.publish.channel import _publish, publish, yank
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
