"""A channel holds conda packages: which it takes, which it makes, and what becomes of old channels."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from channels import check_channel, check_conda, snapshot
from conda_releases import OLD, PACKAGE, STAMP, Notes, index, package_of, plain, rebuilt, write
from releases import Release

from modeldeps.errors import (
    AlreadyPublishedError,
    ChangedFileError,
    CondaMismatchError,
    CondaPackageError,
    NotAChannelError,
    NothingToPublishError,
)
from modeldeps.progress import Reporter
from modeldeps.publish.channel import _repodata, publish, yank
from modeldeps.publish.conda import _bundled, read_package, write_bundled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """Return a channel with digits 2.0.0."""
    root = tmp_path / "channel"
    publish(Release(version="2.0.0").build(tmp_path / "dist-2.0.0"), root)
    return root


def without_conda(root: Path) -> Path:
    """Make of a channel what an older release of modeldeps left."""
    for one in ("noarch", *_repodata.PLATFORMS):
        shutil.rmtree(root / one)
    return root


def test_a_release_without_a_conda_package_gets_the_one_that_its_wheel_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(STAMP // 1000))
    root = tmp_path / "channel"
    (found,) = publish(Release().build(tmp_path / "dist"), root)
    assert found.conda == (root / "noarch" / PACKAGE,)
    assert found.conda[0].read_bytes() == package_of(Release()).data
    assert index(root)["packages.conda"] == {PACKAGE: package_of(Release()).record}


def test_a_conda_package_beside_the_wheel_is_published_as_it_is(tmp_path: Path) -> None:
    made = package_of(Release(), stamp=STAMP - 5000)
    dist = write(Release().build(tmp_path / "dist"), made)
    publish(dist, tmp_path / "channel")
    assert (tmp_path / "channel/noarch" / PACKAGE).read_bytes() == made.data
    publish(dist / Release().filename, tmp_path / "other")
    assert (tmp_path / "other/noarch" / PACKAGE).read_bytes() == made.data


def test_an_old_channel_becomes_a_conda_channel_at_the_next_publish(
    tmp_path: Path, channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((channel / "models/digits/2.0.0/release.json").read_bytes())
    before = snapshot(channel)
    without_conda(channel)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    publish(Release(name="letters").build(tmp_path / "dist"), channel)
    after = snapshot(channel)
    assert after[f"noarch/{OLD}"] == before[f"noarch/{OLD}"]
    assert set(index(channel)["packages.conda"]) == {OLD, "modeldeps-letters-2.1.0-pointer_1.conda"}
    assert record["published"].startswith("20")
    assert check_channel(channel)


def test_an_old_channel_becomes_a_conda_channel_by_a_yank_too(tmp_path: Path, channel: Path) -> None:
    publish(Release().build(tmp_path / "dist"), channel)
    without_conda(channel)
    yank(channel, "digits", "2.1.0", reason="bad")
    assert list(check_conda(channel)) == [OLD]
    assert index(channel)["removed"] == [PACKAGE]


def test_what_conda_has_no_words_for_is_published_without_a_package_and_told(tmp_path: Path) -> None:
    heard = Notes()
    dist = Release(requires=("tool===arbitrary",)).build(tmp_path / "dist")
    (found,) = publish(dist, tmp_path / "channel", reporter=heard)
    assert (found.new, found.conda) == (True, ())
    assert check_channel(tmp_path / "channel")
    assert index(tmp_path / "channel")["packages.conda"] == {}
    (note,) = heard.notes
    assert note.startswith("digits 2.1.0 has no conda package: ")


def test_what_a_package_had_to_leave_out_is_told(tmp_path: Path) -> None:
    heard = Notes()
    dist = Release(requires=("tool[much]>=1",)).build(tmp_path / "dist")
    publish(dist, tmp_path / "channel", reporter=heard)
    assert heard.notes == [f"{PACKAGE}: conda has no extras: tool[much]>=1"]


def test_a_damaged_wheel_of_an_old_release_stops_nobody(tmp_path: Path, channel: Path) -> None:
    without_conda(channel)
    (channel / "simple/modeldeps-digits" / Release(version="2.0.0").filename).write_bytes(b"rotten")
    heard = Notes()
    publish(Release(name="letters").build(tmp_path / "dist"), channel, reporter=heard)
    assert list(check_conda(channel)) == ["modeldeps-letters-2.1.0-pointer_1.conda"]
    assert heard.notes == ["1 older releases have no conda package, or one that leaves something out"]


@pytest.mark.parametrize("other", [Release(version="2.2.0"), Release(payload=b"others")])
def test_a_package_that_is_not_that_of_the_wheel_is_refused(
    other: Release, tmp_path: Path, channel: Path
) -> None:
    before = snapshot(channel)
    dist = Release().build(tmp_path / "dist")
    made = package_of(other)
    (dist / PACKAGE).write_bytes(made.data)
    with pytest.raises((CondaMismatchError, CondaPackageError)) as caught:
        publish(dist, channel)
    assert PACKAGE in str(caught.value)
    assert snapshot(channel) == before


def test_a_model_s_package_with_another_manifest_is_told_with_both_digests(tmp_path: Path) -> None:
    dist = write(Release().build(tmp_path / "dist"), package_of(Release(payload=b"others")))
    with pytest.raises(CondaMismatchError) as caught:
        publish(dist, tmp_path / "channel")
    assert str(caught.value).count("a model.json with sha256:") == 2
    assert not (tmp_path / "channel").exists()


def test_a_package_that_was_only_made_at_another_time_is_there_already(tmp_path: Path, channel: Path) -> None:
    dist = write(tmp_path / "dist-2.0.0", package_of(Release(version="2.0.0"), stamp=STAMP))
    before = snapshot(channel)
    (found,) = publish(dist, channel)
    assert not found.new
    assert snapshot(channel) == before


def test_a_package_is_never_replaced_by_one_that_says_other_things(tmp_path: Path, channel: Path) -> None:
    made = rebuilt(Release(version="2.0.0"), depends=["python >=3.12"])
    before = snapshot(channel)
    with pytest.raises(AlreadyPublishedError, match=r"modeldeps-digits 2\.0\.0-pointer_1 is in the channel"):
        publish(write(tmp_path / "dist-2.0.0", made), channel)
    assert snapshot(channel) == before


def test_another_build_of_a_release_can_be_added_later(tmp_path: Path, channel: Path) -> None:
    made = rebuilt(Release(version="2.0.0"), build="cuda_2", build_number=2)
    (found,) = publish(write(tmp_path / "more", made) / made.filename, channel)
    assert found.new
    assert {one.name for one in found.conda} == {OLD, made.filename}
    assert set(check_conda(channel)) == {OLD, made.filename}


def test_a_bundled_build_stands_beside_the_pointer_and_comes_after_it(
    tmp_path: Path, channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist = Release(payload=bytes(200_000)).build(tmp_path / "dist")
    made = write_bundled(dist / Release().filename, dist / "blobs/sha256", dist, timestamp=STAMP)
    monkeypatch.setattr(_bundled, "MAX_PACKAGE", 100_000)  # so that it is mapped, as a large one is
    (found,) = publish(dist, channel)
    assert {one.name for one in found.conda} == {made.name, PACKAGE}
    assert (channel / "noarch" / made.name).read_bytes() == made.read_bytes()
    packages = index(channel)["packages.conda"]
    assert packages[made.name]["build_number"] < packages[PACKAGE]["build_number"]
    assert packages[made.name]["depends"] == packages[PACKAGE]["depends"]
    (channel / "noarch" / made.name).write_bytes(b"rotten")
    publish(dist, channel)
    assert (channel / "noarch" / made.name).read_bytes() == made.read_bytes()


def test_a_mapped_package_that_changes_while_it_is_published_is_not_published(
    tmp_path: Path, channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist = Release(payload=bytes(200_000)).build(tmp_path / "dist")
    made = write_bundled(dist / Release().filename, dist / "blobs/sha256", dist, timestamp=STAMP)
    monkeypatch.setattr(_bundled, "MAX_PACKAGE", 100_000)

    class Meddler(Reporter):
        def begin(self, label: str, *, total: int | None) -> None:
            del total
            if label.startswith("publishing"):
                with made.open("r+b") as stream:
                    stream.seek(150_000)
                    stream.write(b"other")

    with pytest.raises(ChangedFileError):
        publish(dist, channel, reporter=Meddler())
    assert not (channel / "noarch" / made.name).exists()
    assert set(check_conda(channel)) == {OLD, PACKAGE}


def test_a_model_s_package_needs_the_wheel_of_its_release(tmp_path: Path, channel: Path) -> None:
    write(tmp_path / "alone", package_of(Release()))
    with pytest.raises(NothingToPublishError, match="without the wheel of its release"):
        publish(tmp_path / "alone", channel)


def test_a_package_that_is_no_model_s_is_published_alone(tmp_path: Path, channel: Path) -> None:
    made = plain()
    (found,) = publish(write(tmp_path / "dist", made) / made.filename, channel)
    assert (found.name, found.version, found.wheel, found.new) == ("tool", "1.0", None, True)
    assert check_conda(channel)[made.filename] == made.record
    (again,) = publish(tmp_path / "dist", channel)
    assert not again.new


def test_a_channel_may_hold_nothing_but_conda_packages(tmp_path: Path) -> None:
    publish(write(tmp_path / "dist", plain()), tmp_path / "channel")
    assert list(check_conda(tmp_path / "channel")) == ["tool-1.0-py_0.conda"]
    assert "v3" not in index(tmp_path / "channel")


def test_the_name_of_a_model_is_for_models(tmp_path: Path, channel: Path) -> None:
    with pytest.raises(CondaPackageError, match=r"expected a model\.json"):
        publish(write(tmp_path / "dist", plain("modeldeps-digits", "9.0.0")), channel)
    assert publish(write(tmp_path / "own", plain("modeldeps-hooks")), channel)[0].new


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"rotten")])
def test_a_damaged_or_lost_package_is_mended_by_publishing_again(
    damage: Any, tmp_path: Path, channel: Path
) -> None:
    publish(write(tmp_path / "dist", plain()), channel)
    before = snapshot(channel)
    for name in (OLD, "tool-1.0-py_0.conda"):
        damage(channel / "noarch" / name)
    publish(tmp_path / "dist-2.0.0", channel)
    publish(tmp_path / "dist", channel)
    assert snapshot(channel) == before


def test_what_a_killed_publisher_left_without_a_record_is_no_release(tmp_path: Path, channel: Path) -> None:
    (channel / "noarch" / PACKAGE).write_bytes(b"half")
    publish(tmp_path / "dist-2.0.0", channel)
    assert list(index(channel)["packages.conda"]) == [OLD]
    publish(Release().build(tmp_path / "dist"), channel)
    assert read_package((channel / "noarch" / PACKAGE).read_bytes(), PACKAGE).manifest
    assert set(check_conda(channel)) == {OLD, PACKAGE}


def test_what_a_killed_publisher_wrote_whole_is_kept(tmp_path: Path, channel: Path) -> None:
    made = package_of(Release())
    write(channel / "noarch", made)
    publish(Release().build(tmp_path / "dist"), channel)
    assert (channel / "noarch" / PACKAGE).read_bytes() == made.data
    assert check_conda(channel)[PACKAGE] == made.record


def test_somebody_else_s_conda_channel_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs/noarch").mkdir(parents=True)
    with pytest.raises(NotAChannelError, match="with noarch"):
        publish(Release().build(tmp_path / "dist"), tmp_path / "theirs")
