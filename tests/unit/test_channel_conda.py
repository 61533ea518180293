"""A channel is a conda channel: packages, what solvers read about them, and what becomes of old channels."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from channels import check_channel, check_conda, snapshot
from releases import Release, pack, record_of

from modeldeps.errors import (
    AlreadyPublishedError,
    ChangedFileError,
    CondaMismatchError,
    CondaPackageError,
    IndexPageError,
    NotAChannelError,
    NothingToPublishError,
    NotPublishedError,
)
from modeldeps.progress import Reporter
from modeldeps.publish.channel import _repodata, publish, yank
from modeldeps.publish.conda import CondaPackage, _bundled, conda_package, read_package, write_bundled
from modeldeps.publish.conda._package import plan_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Solved = Callable[..., list[str]]

STAMP = 1_700_000_000_000
PACKAGE = "modeldeps-digits-2.1.0-pointer_1.conda"
WHEELS = "modeldeps-digits-2.0.0-py3_none_any_0"
OLD = "modeldeps-digits-2.0.0-pointer_1.conda"


class Notes(Reporter):
    """Keep what a publisher is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """Return a channel with digits 2.0.0."""
    root = tmp_path / "channel"
    publish(Release(version="2.0.0").build(tmp_path / "dist-2.0.0"), root)
    return root


@pytest.fixture
def zstd() -> Any:
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return pytest.importorskip(name, reason="conda-package-streaming is not installed")


def package_of(release: Release, *, stamp: int = STAMP) -> CondaPackage:
    return conda_package(release.wheel(), release.filename, timestamp=stamp)


def rebuilt(release: Release, **changes: object) -> CondaPackage:
    """Return a package with other words in its index, as a publisher's own tool might make it."""
    plan = plan_package(release.wheel(), release.filename, timestamp=STAMP)
    plan = replace(plan, index={**plan.index, **changes})
    target = io.BytesIO()
    plan.write(target)
    return read_package(target.getvalue(), f"{plan.stem}.conda")


def plain(name: str = "tool", version: str = "1.0", *, stamp: int = STAMP) -> CondaPackage:
    """Return the package of a distribution that is no model's."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {
        f"{name.replace('-', '_')}.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{info}/RECORD"] = record_of(contents, f"{info}/RECORD")
    return conda_package(pack(contents), f"{info[:-10]}-py3-none-any.whl", timestamp=stamp)


def write(folder: Path, *packages: CondaPackage) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for one in packages:
        (folder / one.filename).write_bytes(one.data)
    return folder


def index(root: Path, subdir: str = "noarch") -> dict[str, Any]:
    value = json.loads((root / subdir / "repodata.json").read_bytes())
    assert isinstance(value, dict)
    return value


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


def test_the_index_and_its_compressed_twin_say_the_same(zstd: Any, channel: Path) -> None:
    data = (channel / "noarch/repodata.json").read_bytes()
    assert zstd.decompress((channel / "noarch/repodata.json.zst").read_bytes()) == data


@pytest.mark.parametrize("size", [0, 5, 128 << 10, (128 << 10) + 1, 1_000_000])
def test_without_a_library_the_twin_is_not_compressed(
    size: int, zstd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    made = _repodata.compressed(bytes(size))
    assert zstd.decompress(made) == bytes(size)
    assert len(made) >= size


def test_platforms_have_an_index_that_is_empty_and_is_never_replaced(tmp_path: Path, channel: Path) -> None:
    assert index(channel, "linux-64")["packages.conda"] == {}
    assert index(channel, "linux-64")["info"] == {"subdir": "linux-64"}
    (channel / "win-64/repodata.json").write_text("mine")
    publish(Release().build(tmp_path / "dist"), channel)
    assert (channel / "win-64/repodata.json").read_text() == "mine"


def test_a_wheel_stands_beside_a_conda_package_of_its_version(channel: Path) -> None:
    (key,) = index(channel)["v3"]["whl"]
    one = index(channel)["v3"]["whl"][key]
    assert key == WHEELS
    assert (channel / "noarch" / one["url"]).resolve() == channel / "simple/modeldeps-digits" / one["fn"]
    assert one["build_number"] < index(channel)["packages.conda"][OLD]["build_number"]
    assert one["depends"] == index(channel)["packages.conda"][OLD]["depends"]


def test_a_yanked_release_is_no_longer_solved_and_its_package_stays(tmp_path: Path, channel: Path) -> None:
    publish(Release().build(tmp_path / "dist"), channel)
    before = snapshot(channel)
    yank(channel, "digits", "2.1.0", reason="bad")
    assert list(index(channel)["packages.conda"]) == [OLD]
    assert index(channel)["removed"] == [PACKAGE]
    assert list(index(channel)["v3"]["whl"]) == [WHEELS]
    assert (channel / "noarch" / PACKAGE).exists()
    assert yank(channel, "digits", "2.1.0", reason="", undo=True)
    assert snapshot(channel) == before


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


def test_a_package_that_is_no_model_s_can_be_yanked(tmp_path: Path, channel: Path) -> None:
    publish(write(tmp_path / "dist", plain()), channel)
    before = snapshot(channel)
    assert yank(channel, "tool", "1.0", reason="bad")
    assert index(channel)["removed"] == ["tool-1.0-py_0.conda"]
    assert publish(tmp_path / "dist", channel)[0].yanked == "bad"
    assert not yank(channel, "tool", "1.0", reason="bad")
    with pytest.raises(NotPublishedError, match=r"there: +1\.0"):
        yank(channel, "tool", "2.0", reason="bad")
    assert yank(channel, "tool", "1.0", reason="", undo=True)
    assert snapshot(channel) == before


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


@pytest.mark.parametrize(
    "words",
    [
        "",
        "[]",
        "{}",
        '{"package": 3}',
        '{"package": {}}',
        "[" * 100_000,
        '{"model": 1, "yanked": 2, "package": {}}',
    ],
)
def test_a_damaged_record_is_told(words: str, tmp_path: Path, channel: Path) -> None:
    (channel / "noarch" / f"{OLD}.json").write_text(words)
    with pytest.raises(IndexPageError, match=r"pointer_1\.conda\.json"):
        publish(tmp_path / "dist-2.0.0", channel)


def test_a_record_under_another_name_is_told(tmp_path: Path, channel: Path) -> None:
    shutil.copy(channel / "noarch" / f"{OLD}.json", channel / "noarch" / f"{PACKAGE}.json")
    with pytest.raises(IndexPageError, match="expected that of"):
        publish(tmp_path / "dist-2.0.0", channel)


def test_somebody_else_s_conda_channel_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs/noarch").mkdir(parents=True)
    with pytest.raises(NotAChannelError, match="with noarch"):
        publish(Release().build(tmp_path / "dist"), tmp_path / "theirs")


@pytest.fixture
def rattler() -> Any:
    return pytest.importorskip("rattler", reason="py-rattler is not installed")


def test_rattler_s_own_index_of_the_same_packages_says_the_same(
    rattler: Any, tmp_path: Path, channel: Path
) -> None:
    publish(write(Release(requires=("tool~=1.2",)).build(tmp_path / "dist"), plain()), channel)
    mine = index(channel)["packages.conda"]
    (tmp_path / "theirs/noarch").mkdir(parents=True)
    for one in mine:
        shutil.copy(channel / "noarch" / one, tmp_path / "theirs/noarch")
    asyncio.run(rattler.index.index_fs(tmp_path / "theirs", write_zst=True, write_shards=False))
    theirs = index(tmp_path / "theirs")["packages.conda"]
    for one in theirs.values():
        one.pop("indexed_timestamp", None)
        one.setdefault("constrains", [])
    assert mine == theirs


def test_rattler_reads_the_index_as_it_was_written(rattler: Any, channel: Path) -> None:
    place = rattler.Channel(channel.as_uri())
    read = rattler.RepoData.from_path(channel / "noarch/repodata.json").into_repo_data(place)
    (one,) = (one for one in read if one.file_name == OLD)
    record = index(channel)["packages.conda"][OLD]
    assert (one.sha256.hex(), one.md5.hex(), one.size) == (record["sha256"], record["md5"], record["size"])
    assert (list(one.depends), str(one.build), one.build_number) == (record["depends"], "pointer_1", 1)
    assert one.timestamp.timestamp() * 1000 == record["timestamp"]
    assert one.url == f"{channel.as_uri()}/noarch/{OLD}"


def test_rattler_finds_a_wheel_where_installers_find_it(rattler: Any, channel: Path) -> None:
    sparse = rattler.SparseRepoData(
        rattler.Channel(channel.as_uri()), "noarch", channel / "noarch/repodata.json"
    )
    whole = rattler.PackageFormatSelection.PREFER_CONDA_WITH_WHL
    found = sparse.load_records("modeldeps-digits", package_format_selection=whole)
    assert {one.file_name: one.url.removeprefix(channel.as_uri()) for one in found} == {
        OLD: f"/noarch/{OLD}",
        f"{WHEELS}.whl": "/simple/modeldeps-digits/modeldeps_digits-2.0.0-py3-none-any.whl",
    }


@pytest.fixture
def solved(rattler: Any, tmp_path: Path, channel: Path) -> Solved:
    """Return what gives the files that a solver takes of the channel, which has a Python now."""
    publish(write(tmp_path / "python", plain("python", "3.12.1")), channel)

    def solve(*specs: str) -> list[str]:
        work = rattler.solve(
            [rattler.Channel(channel.as_uri())],
            specs,
            gateway=rattler.Gateway(cache_dir=tmp_path / secrets.token_hex(4)),
            platforms=["linux-64", "freebsd-64", "noarch"],
        )
        return [one.file_name for one in asyncio.run(work) if one.name.normalized != "python"]

    return solve


def test_rattler_solves_from_the_channel_as_it_is(solved: Solved, tmp_path: Path, channel: Path) -> None:
    publish(Release().build(tmp_path / "dist"), channel)
    assert solved("modeldeps-digits") == [PACKAGE]
    yank(channel, "digits", "2.1.0", reason="bad")
    assert solved("modeldeps-digits") == [OLD]


def test_a_prerelease_is_taken_where_it_is_asked_for(solved: Solved, tmp_path: Path, channel: Path) -> None:
    publish(Release(version="3.0.0rc1").build(tmp_path / "dist"), channel)
    publish(Release(name="letters", version="1.0.0a1").build(tmp_path / "letters"), channel)
    assert solved("modeldeps-digits") == [OLD]
    assert solved("modeldeps-digits >=3.0.0rc1") == ["modeldeps-digits-3.0.0rc1-pointer_1.conda"]
    assert solved("modeldeps-letters") == ["modeldeps-letters-1.0.0a1-pointer_1.conda"]
    assert check_channel(channel)
