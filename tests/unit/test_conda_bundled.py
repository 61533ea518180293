"""A bundled build brings its payload itself, and the store takes it from there."""

from __future__ import annotations

import io
import mmap
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from conda_package_streaming.package_streaming import stream_conda_component
from releases import Release

from modeldeps import environment
from modeldeps.conda._fetch import Linked, Target
from modeldeps.conda._sizes import lines_of
from modeldeps.config import settings
from modeldeps.errors import BlobMissingError, CondaPackageError, FileChangedError, OfflineError
from modeldeps.progress import Reporter
from modeldeps.publish.conda import _bundled as bundled_module
from modeldeps.publish.conda import _read as read_module
from modeldeps.publish.conda import read_package, read_package_file, write_bundled
from modeldeps.publish.conda._package import Plan, plan_package
from modeldeps.store import Store
from modeldeps.sync import ensure, sync

if TYPE_CHECKING:
    from pathlib import Path

STAMP = 1_790_000_000_000
RELEASE = Release(requires=("modeldeps>=0.1",))


def bundled(folder: Path, release: Release = RELEASE) -> Path:
    dist = release.build(folder / "dist")
    return write_bundled(dist / release.filename, dist / "blobs" / "sha256", dist, timestamp=STAMP)


def install(package: Path, site: Path) -> environment.Pointer:
    """Lay out a package's files as an installer does, and return its pointer."""
    with package.open("rb") as stream:
        for archive, entry in stream_conda_component(package.name, stream, component="pkg"):
            content = archive.extractfile(entry)
            target = site / entry.name.removeprefix("site-packages/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read() if content else b"")
    found = environment.find("digits", [str(site)])
    assert found is not None
    return found


def test_a_solver_prefers_the_pointer_package(tmp_path: Path) -> None:
    found = read_package_file(bundled(tmp_path))
    assert found.filename == "modeldeps-digits-2.1.0-bundled_0.conda"
    assert (found.record["build"], found.record["build_number"]) == ("bundled_0", 0)
    assert found.manifest == RELEASE.contents()["modeldeps_digits-2.1.0.dist-info/model.json"]


def test_the_same_release_gives_the_same_bytes(tmp_path: Path) -> None:
    assert bundled(tmp_path / "one").read_bytes() == bundled(tmp_path / "two").read_bytes()


def test_a_model_comes_out_of_its_package_without_a_channel_or_a_network(tmp_path: Path) -> None:
    pointer = install(bundled(tmp_path), tmp_path / "site")
    store = Store.open(settings())
    done = sync(
        [pointer],
        lambda manifest: manifest.variants,
        store=store,
        channels=(),
        reporter=Reporter(),
        offline=True,
    )
    assert [one.bytes_fetched for one in done] == [0]
    assert (done[0].path / "model.onnx").read_bytes() == RELEASE.payload


def test_nothing_is_said_to_come_for_what_a_package_carries(tmp_path: Path) -> None:
    pointer = install(bundled(tmp_path), tmp_path / "site")
    target = Target(tmp_path / "site", SimpleNamespace(offline=True))
    assert list(lines_of(Linked(((None, pointer),), ()), target)) == [
        "  digits 2.1.0 fp32  24 B, already here",
        "  in all 0 B to fetch",
    ]


def test_load_s_own_way_takes_it_too_and_without_looking_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDEPS_ADOPT", "0")
    pointer = install(bundled(tmp_path), tmp_path / "site")
    manifest = pointer.manifest()
    done = ensure(
        manifest,
        manifest.variants[0],
        store=Store.open(settings()),
        channels=(),
        reporter=Reporter(),
        offline=True,
        carried=pointer.carried,
    )
    assert (done.path / "model.onnx").read_bytes() == RELEASE.payload


@pytest.mark.parametrize("damage", ["other bytes", "a link"])
def test_a_payload_that_was_altered_is_not_taken(tmp_path: Path, damage: str) -> None:
    pointer = install(bundled(tmp_path), tmp_path / "site")
    digest = pointer.manifest().variants[0].files[0].sha256
    blob = pointer.carried / "sha256" / digest[:2] / digest
    right = blob.read_bytes()
    blob.unlink()
    if damage == "a link":
        (tmp_path / "elsewhere").write_bytes(right)
        blob.symlink_to(tmp_path / "elsewhere")
    else:
        blob.write_bytes(bytes(len(right)))
    with pytest.raises((OfflineError, BlobMissingError)):
        sync(
            [pointer],
            lambda manifest: manifest.variants,
            store=Store.open(settings()),
            channels=(),
            reporter=Reporter(),
            offline=True,
        )


def test_a_blob_that_changed_after_it_was_digested_is_not_packed(tmp_path: Path) -> None:
    dist = RELEASE.build(tmp_path / "dist")
    blob = next(one for one in (dist / "blobs").rglob("*") if one.is_file())
    blob.write_bytes(bytes(blob.stat().st_size))
    with pytest.raises(FileChangedError):
        write_bundled(dist / RELEASE.filename, dist / "blobs" / "sha256", dist, timestamp=STAMP)
    assert not list(dist.glob("*.conda"))
    assert not list(dist.glob(".*"))


def test_a_blob_that_lost_its_end_is_not_packed(tmp_path: Path) -> None:
    dist = RELEASE.build(tmp_path / "dist")
    blob = next(one for one in (dist / "blobs").rglob("*") if one.is_file())
    os.truncate(blob, 1)
    with pytest.raises(FileChangedError):
        write_bundled(dist / RELEASE.filename, dist / "blobs" / "sha256", dist, timestamp=STAMP)


def test_more_than_a_package_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled_module, "MAX_PAYLOAD", 3)
    with pytest.raises(CondaPackageError, match="bundled build: expected at most 3 B of payload"):
        bundled(tmp_path)


def test_a_large_package_is_read_without_being_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = bundled(tmp_path, Release(payload=os.urandom(1 << 20)))
    expected = read_package(package.read_bytes(), package.name)
    monkeypatch.setattr(bundled_module, "MAX_PACKAGE", 1000)
    monkeypatch.setattr(read_module, "MAX_PACKAGE", 1000)
    found = read_package_file(package)
    assert isinstance(found.data, mmap.mmap)
    assert (found.record, found.manifest) == (expected.record, expected.manifest)


def test_a_package_with_a_part_of_its_payload_is_refused(tmp_path: Path) -> None:
    plan = plan_package(RELEASE.wheel(), RELEASE.filename, timestamp=STAMP)
    folder = "site-packages/modeldeps_digits-2.1.0.dist-info"
    files = {**plan.files, f"{folder}/blobs/sha256/00/more": b"more"}
    target = io.BytesIO()
    Plan(plan.index, files, plan.contents, ()).write(target)
    with pytest.raises(CondaPackageError, match="expected all files of the manifest, and no other"):
        read_package(target.getvalue(), f"{plan.stem}.conda")
