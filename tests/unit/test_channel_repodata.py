"""What solvers read about a channel's conda packages is true, and rattler understands it."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from channels import check_channel, snapshot
from conda_releases import OLD, PACKAGE, WHEELS, index, plain, write
from releases import Release

from modeldeps.errors import IndexPageError, NotPublishedError
from modeldeps.publish.channel import _repodata, publish, yank

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Solved = Callable[..., list[str]]


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
