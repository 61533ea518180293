"""A conda package is hostile input."""

from __future__ import annotations

import io
import json
import struct
import sys
import tarfile
import tracemalloc
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from conda_package_streaming.create import conda_builder
from hypothesis import given
from hypothesis import strategies as st
from releases import Release

from modeldeps.digest import sha256_bytes
from modeldeps.errors import BuildToolError, CondaPackageError, ManifestError, ModelDepsError
from modeldeps.publish.conda import MAX_PACKAGE, conda_package, read_package
from modeldeps.publish.conda import _read as read_module
from modeldeps.publish.conda._archive import FORMAT
from modeldeps.publish.conda._package import plan_package
from modeldeps.publish.conda._zstd import BLOCK, HEAD, restored, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STAMP = 1_790_000_000_000
RELEASE = Release(requires=("modeldeps>=0.1",))
GOOD = conda_package(RELEASE.wheel(), RELEASE.filename, timestamp=STAMP)
STEM = GOOD.filename.removesuffix(".conda")
INFO = "site-packages/modeldeps_digits-2.1.0.dist-info"


def tar(entries: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """Return a tar archive; a ready TarInfo goes in without content."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for path, content in entries.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def parts() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the files and the info documents of the good package."""
    plan = plan_package(RELEASE.wheel(), RELEASE.filename, timestamp=STAMP)
    files = {path: content for path, content in plan.files.items() if isinstance(content, bytes)}
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": sha256_bytes(data), "size_in_bytes": len(data)}
        for path, data in files.items()
    ]
    return files, {
        "index": dict(plan.index),
        "paths": {"paths": paths, "paths_version": 1},
        "link": {"noarch": {"type": "python"}, "package_metadata_version": 1},
    }


def forged(files: Mapping[str, bytes | tarfile.TarInfo], info: Mapping[str, Any], **members: bytes) -> bytes:
    """Return a package of these files and documents; `members` replace those of the archive."""
    documents = {
        f"info/{key}.json": value if isinstance(value, bytes) else json.dumps(value).encode()
        for key, value in info.items()
    }
    return zipped(
        {
            "metadata.json": members.get("metadata", FORMAT),
            f"pkg-{STEM}.tar.zst": members.get("pkg", stored(tar(files))),
            f"info-{STEM}.tar.zst": members.get("info", stored(tar(documents))),
        }
    )


def problems(data: bytes, filename: str = GOOD.filename) -> str:
    with pytest.raises(CondaPackageError) as caught:
        read_package(data, filename)
    return str(caught.value)


def test_a_package_made_by_hand_is_good() -> None:
    assert read_package(forged(*parts()), GOOD.filename).manifest == GOOD.manifest


def test_a_package_that_conda_s_own_library_compressed_is_read_too(tmp_path: Path) -> None:
    files, info = parts()
    with conda_builder(STEM, tmp_path) as archive:
        for path, content in {
            **files,
            **{f"info/{key}.json": json.dumps(value).encode() for key, value in info.items()},
        }.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    data = (tmp_path / GOOD.filename).read_bytes()
    assert stored(b"")[:6] not in data
    found = read_package(data, GOOD.filename)
    assert found.manifest == GOOD.manifest
    assert found.record["depends"] == GOOD.record["depends"]


def test_without_a_library_what_modeldeps_made_is_read_and_the_rest_names_what_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from backports import zstd  # noqa: PLC0415 - only to make the frame

    files, info = parts()
    packed = zstd.compress(tar(files))
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    assert read_package(GOOD.data, GOOD.filename) == GOOD
    with pytest.raises(BuildToolError, match="conda-package-streaming isn't installed"):
        read_package(forged(files, info, pkg=packed), GOOD.filename)


@given(st.integers(0, len(GOOD.data) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing_that_counts(place: int, flip: int) -> None:
    data = bytearray(GOOD.data)
    data[place] ^= flip
    try:
        found = read_package(bytes(data), GOOD.filename)
    except ModelDepsError:
        return
    assert found.manifest == GOOD.manifest
    assert found.record["depends"] == GOOD.record["depends"]


@given(st.integers(0, len(GOOD.data) - 1))
def test_a_truncated_package_is_refused_wherever_it_ends(length: int) -> None:
    assert problems(GOOD.data[:length])


def test_something_behind_the_end_or_a_further_member_is_refused() -> None:
    assert "expected a zip archive" in problems(bytes(GOOD.data) + b"x")
    with zipfile.ZipFile(io.BytesIO(GOOD.data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert "a conda package holds no such member" in problems(zipped({**members, "more": b""}))
    assert "metadata.json: is missing" in problems(zipped({k: members[k] for k in list(members)[1:]}))
    assert "expected it stored as it is" in problems(zipped(members, zipfile.ZIP_DEFLATED))


def test_another_format_version_is_refused() -> None:
    assert "conda_pkg_format_version 2" in problems(
        forged(*parts(), metadata=b'{"conda_pkg_format_version": 3}')
    )


def test_more_than_the_bound_is_refused_before_it_is_read() -> None:
    assert "expected at most" in problems(bytes(MAX_PACKAGE + 1))


def test_a_bomb_is_refused_with_little_memory() -> None:
    from backports import zstd  # noqa: PLC0415 - only to make the frame

    bomb = zstd.compress(bytes(1 << 28), level=1)
    data = forged(*parts(), pkg=bomb)
    tracemalloc.start()
    try:
        assert "are allowed" in problems(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_PACKAGE


def link(kind: bytes, path: str = f"{INFO}/x", target: str = "/etc/passwd") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        link(tarfile.SYMTYPE),
        link(tarfile.LNKTYPE),
        link(tarfile.CHRTYPE),
        link(tarfile.FIFOTYPE),
        link(tarfile.DIRTYPE),
    ],
)
def test_what_is_no_plain_file_is_refused(entry: tarfile.TarInfo) -> None:
    files, info = parts()
    assert "expected a plain file" in problems(forged({**files, "x": entry}, info))


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "site-packages/../../x", "C:/x", "site-packages//x", "a\\b"]
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    files, info = parts()
    assert "expected a relative path to a file" in problems(forged({**files, path: b"x"}, info))


def test_two_names_that_are_one_where_case_does_not_count_are_refused() -> None:
    files, info = parts()
    more = {f"{INFO}/Model.json": files[f"{INFO}/model.json"]}
    assert "stands twice" in problems(forged({**files, **more}, info))


def with_file(path: str, content: bytes = b"x", **entry: object) -> bytes:
    """Return a package with one more file, listed as it should be but for `entry`."""
    files, info = parts()
    info["paths"]["paths"].append(
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": sha256_bytes(content),
            "size_in_bytes": len(content),
            **entry,
        }
    )
    return forged({**files, path: content}, info)


@pytest.mark.parametrize(
    "path", ["bin/.digits-post-link.sh", "etc/conda/activate.d/x.sh", "Scripts/.x-pre-link.bat", "lib/x.so"]
)
def test_files_that_an_installer_or_a_shell_would_run_are_refused(path: str) -> None:
    assert "expected a file in site-packages/" in problems(with_file(path))


def test_files_that_would_be_changed_while_they_are_linked_are_refused() -> None:
    data = with_file("share/x", prefix_placeholder="/opt", file_mode="text")
    assert "linked as it is" in problems(data)
    assert "linked as it is" in problems(with_file("share/x", path_type="softlink"))


def test_a_file_with_another_digest_or_size_and_a_file_that_is_not_listed_are_refused() -> None:
    assert "its digest or size" in problems(with_file("share/x", sha256="0" * 64))
    assert "its digest or size" in problems(with_file("share/x", size_in_bytes=2))
    files, info = parts()
    assert "stands in the archive only" in problems(forged({**files, "share/x": b"x"}, info))
    del files[f"{INFO}/WHEEL"]
    assert "stands in paths.json only" in problems(forged(files, info))


def _set(document: str, key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda info: info[document].update({key: value})


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_set("index", "name", "Bad Name"), "info/index.json: name"),
        (_set("index", "name", ["x"]), "info/index.json: name"),
        (_set("index", "version", "1-2"), "info/index.json: version"),
        (_set("index", "build", "a b"), "info/index.json: build"),
        (_set("index", "build_number", -1), "info/index.json: build_number"),
        (_set("index", "build_number", "1"), "info/index.json: build_number"),
        (_set("index", "timestamp", 1e300), "info/index.json: timestamp"),
        (_set("index", "depends", "python"), "info/index.json: depends"),
        (_set("index", "depends", ["python\n"]), "info/index.json: depends"),
        (_set("index", "depends", ["x"] * 2000), "info/index.json: depends"),
        (_set("index", "constrains", [1]), "info/index.json: constrains"),
        (_set("index", "license", 1), "info/index.json: license"),
        (_set("index", "subdir", "linux-64"), "info/index.json: subdir"),
        (_set("index", "noarch", None), "info/index.json: noarch"),
        (_set("index", "version", "2.1.1"), "file name"),
        (_set("link", "noarch", {"type": "generic"}), "info/link.json: noarch.type"),
        (_set("link", "noarch", {"type": "python", "entry_points": "x"}), "entry_points"),
        (_set("link", "noarch", {"type": "python", "entry_points": ["x = y:z\nw"]}), "entry_points"),
        (_set("paths", "paths", None), "info/paths.json: paths"),
        (_set("paths", "paths", [1]), "info/paths.json: paths"),
    ],
)
def test_a_document_that_says_what_it_may_not_is_refused(
    change: Callable[[dict[str, Any]], None], found: str
) -> None:
    files, info = parts()
    change(info)
    assert found in problems(forged(files, info))


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_a_document_that_is_no_object_is_refused(text: bytes) -> None:
    files, info = parts()
    assert "info/index.json" in problems(forged(files, {**info, "index": text}))


def test_another_model_s_manifest_is_refused() -> None:
    files, info = parts()
    other = Release(version="9.0.0").contents()["modeldeps_digits-9.0.0.dist-info/model.json"]
    files[f"{INFO}/model.json"] = other
    for one in info["paths"]["paths"]:
        if one["_path"] == f"{INFO}/model.json":
            one.update(sha256=sha256_bytes(other), size_in_bytes=len(other))
    assert "info/index.json: version: expected '9.0.0', found '2.1.0'" in problems(forged(files, info))


def test_a_manifest_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = len(GOOD.manifest or b"") - 1
    monkeypatch.setattr(read_module, "MAX_DOCUMENT", limit)
    assert f"model.json: expected at most {limit} bytes" in problems(bytes(GOOD.data))


def test_a_broken_manifest_is_refused_with_its_own_problems() -> None:
    files, info = parts()
    files[f"{INFO}/model.json"] = b"{}"
    for one in info["paths"]["paths"]:
        if one["_path"] == f"{INFO}/model.json":
            one.update(sha256=sha256_bytes(b"{}"), size_in_bytes=2)
    with pytest.raises(ManifestError, match=r"model\.json in modeldeps-digits"):
        read_package(forged(files, info), GOOD.filename)


@given(st.binary(max_size=3 * BLOCK // 2))
def test_bytes_in_a_frame_come_out_again(content: bytes) -> None:
    assert restored(stored(content), limit=len(content)) == content


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK])
def test_conda_s_own_library_reads_our_frames(size: int) -> None:
    from backports import zstd  # noqa: PLC0415 - the other reader

    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert zstd.decompress(stored(content)) == content


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        HEAD,
        HEAD + b"\x09",
        HEAD + struct.pack("<I", 1 | 100 << 3)[:3],
        stored(b"abc") + b"more",
        HEAD + b"\x02\x00\x00",
        HEAD + (1 | 3 << 1).to_bytes(3, "little"),
        b"not a frame at all",
    ],
)
def test_a_frame_that_is_none_is_refused(frame: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|behind its end|can't be decompressed"):
        restored(frame, limit=1000)


def test_a_frame_that_holds_more_than_is_allowed_is_refused() -> None:
    with pytest.raises(ValueError, match="3 bytes that are allowed"):
        restored(stored(b"abcd"), limit=3)
