"""A conda package says what its wheel says, and other programs read it so."""

from __future__ import annotations

import io
import json
import os
import zipfile
from typing import TYPE_CHECKING

import pytest
import rattler
from conda_package_streaming.package_streaming import stream_conda_component
from releases import Release, pack, record_of

from modeldeps.cli._own_wheel import write_own_wheel
from modeldeps.digest import record_digest, sha256_bytes
from modeldeps.errors import CondaPackageError, InvalidFileError, PointerWheelError
from modeldeps.progress import Reporter
from modeldeps.publish import build_release
from modeldeps.publish.conda import CondaPackage, conda_package, read_package, write_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Digits = Callable[[str], Path]

STAMP = 1_790_000_000_000
POINTER = Release(requires=("modeldeps>=0.1", "onnxruntime>=1.17; extra == 'cpu'"))
INFO = "modeldeps_digits-2.1.0.dist-info"


def made(release: Release = POINTER) -> CondaPackage:
    return conda_package(release.wheel(), release.filename, timestamp=STAMP)


def plain_wheel(*, files: dict[str, bytes] | None = None, metadata: str = "") -> bytes:
    """Return a wheel of a library `app` 1.0 that is no model's."""
    info = "app-1.0.dist-info"
    contents = {
        "app.py": b"def main():\n    print('runs')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: app\nVersion: 1.0\n{metadata}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **(files or {}),
    }
    contents[f"{info}/RECORD"] = record_of(contents, f"{info}/RECORD")
    return pack(contents)


def unpacked(package: CondaPackage, component: str) -> dict[str, bytes]:
    """Return the files of a package, read by conda's own library."""
    found = {}
    stream = stream_conda_component(package.filename, io.BytesIO(package.data), component=component)
    for archive, entry in stream:
        content = archive.extractfile(entry)
        found[entry.name] = content.read() if content else b""
    return found


def test_a_pointer_package_asks_for_the_runtime_modeldeps_and_python() -> None:
    record = made().record
    assert made().filename == "modeldeps-digits-2.1.0-pointer_1.conda"
    assert record["depends"] == ["python >=3.9", "modeldeps >=0.1", "onnxruntime >=1.17"]
    assert (record["build"], record["build_number"], record["noarch"]) == ("pointer_1", 1, "python")
    assert (record["subdir"], record["timestamp"]) == ("noarch", STAMP)
    assert record["sha256"] == sha256_bytes(bytes(made().data))
    assert record["size"] == len(made().data)


def test_the_files_are_those_of_the_wheel_and_a_true_record() -> None:
    files = unpacked(made(), "pkg")
    wheel = POINTER.contents()
    for name in ("METADATA", "WHEEL", "model.json", "licenses/LICENSE"):
        assert files[f"site-packages/{INFO}/{name}"] == wheel[f"{INFO}/{name}"]
    assert files[f"site-packages/{INFO}/INSTALLER"] == b"conda\n"
    lines = files[f"site-packages/{INFO}/RECORD"].decode().splitlines()
    listed = dict(line.rpartition(",")[0].split(",", 1) for line in lines)
    assert set(listed) == {path.removeprefix("site-packages/") for path in files}
    for path, digest in listed.items():
        expected = "" if path.endswith("/RECORD") else record_digest(files[f"site-packages/{path}"])
        assert digest == expected


def test_what_is_said_of_the_package_is_where_conda_looks_for_it() -> None:
    info = unpacked(made(), "info")
    paths = json.loads(info["info/paths.json"])["paths"]
    files = unpacked(made(), "pkg")
    assert {one["_path"]: (one["sha256"], one["size_in_bytes"]) for one in paths} == {
        path: (sha256_bytes(data), len(data)) for path, data in files.items()
    }
    assert info["info/files"].decode().split() == sorted(files)
    assert json.loads(info["info/link.json"])["noarch"] == {"type": "python"}
    assert json.loads(info["info/about.json"])["summary"] == "Reads handwritten digits"
    assert info["info/licenses/LICENSE"] == b"MIT\n"


def test_another_solver_reads_the_same(tmp_path: Path) -> None:
    file = tmp_path / made().filename
    file.write_bytes(made().data)
    index, record = rattler.IndexJson.from_package_archive(file), made().record
    assert index.depends == record["depends"]
    assert (index.name.normalized, str(index.version)) == (record["name"], record["version"])
    assert (str(index.build), index.build_number) == (record["build"], record["build_number"])
    paths = rattler.PathsJson.from_package_archive(file).paths
    assert sorted(str(one.relative_path) for one in paths) == sorted(unpacked(made(), "pkg"))


def test_the_same_wheel_at_the_same_time_gives_the_same_bytes() -> None:
    assert made().data == made().data
    later = conda_package(POINTER.wheel(), POINTER.filename, timestamp=STAMP + 1000)
    assert later.data != made().data


def test_every_python_on_every_machine_gives_the_same_bytes() -> None:
    assert made().record["sha256"] == "816ff4aeafa8d0e7cd7505d7f0b4e7e67f4ffc9617a453824aefed415dce1ee8"


def test_a_package_reads_back_as_it_was_made() -> None:
    package = made()
    again = read_package(package.data, package.filename)
    assert again == package
    assert again.manifest == POINTER.contents()[f"{INFO}/model.json"]


def test_modeldeps_itself_becomes_a_package_with_its_command(tmp_path: Path) -> None:
    wheel = write_own_wheel(tmp_path)
    package = conda_package(wheel.read_bytes(), wheel.name, timestamp=STAMP)
    assert (package.record["build"], package.record["build_number"]) == ("py_0", 0)
    assert package.manifest is None
    link = json.loads(unpacked(package, "info")["info/link.json"])
    assert link["noarch"]["entry_points"] == ["modeldeps = modeldeps.cli:main"]
    assert "site-packages/modeldeps/__init__.py" in unpacked(package, "pkg")
    depends = package.record["depends"]
    assert isinstance(depends, list)
    assert {"python >=3.10", "packaging >=23.1", "tomlkit >=0.12"} <= set(depends)
    assert read_package(package.data, package.filename) == package


def test_what_conda_can_not_do_for_all_platforms_is_told() -> None:
    wheel = plain_wheel(metadata="Requires-Dist: pywin32; sys_platform == 'win32'\n")
    package = conda_package(wheel, "app-1.0-py3-none-any.whl", timestamp=STAMP)
    assert package.record["depends"] == ["python"]
    assert "pywin32" in package.notes[0]


@pytest.mark.parametrize(
    ("metadata", "license_"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: BSD", "BSD"),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT License"),
        ("", "unknown"),
    ],
)
def test_the_licence_is_the_wheel_s(metadata: str, license_: str) -> None:
    package = conda_package(plain_wheel(metadata=metadata), "app-1.0-py3-none-any.whl", timestamp=STAMP)
    assert package.record["license"] == license_


def test_a_wheel_with_files_outside_of_site_packages_is_refused() -> None:
    wheel = plain_wheel(files={"app-1.0.data/scripts/run": b"#!/bin/sh\n"})
    with pytest.raises(CondaPackageError, match="conda has no place for it"):
        conda_package(wheel, "app-1.0-py3-none-any.whl", timestamp=STAMP)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"other-1.0.dist-info/METADATA": b""}, "expected one .dist-info folder, found 2"),
        ({"../app.py": b""}, "expected a relative path"),
        ({"app-1.0.dist-info/METADATA": b"Name: app!\nVersion: 1.0\n"}, "METADATA: Name"),
        ({"app-1.0.dist-info/METADATA": b"Name: app\nVersion: one\n"}, "METADATA: Version"),
        (
            {"app-1.0.dist-info/METADATA": b"Name: app\nVersion: 1\nRequires-Dist: x===y*z\n"},
            "METADATA: Requires-Dist",
        ),
        (
            {"app-1.0.dist-info/METADATA": b"Name: app\nVersion: 1\nRequires-Dist: x @ https://a.b/c\n"},
            "METADATA: Requires-Dist",
        ),
    ],
)
def test_a_wheel_that_is_hostile_or_says_what_conda_can_not_say_is_refused(
    files: dict[str, bytes], found: str
) -> None:
    with pytest.raises(InvalidFileError) as caught:
        conda_package(plain_wheel(files=files), "app-1.0-py3-none-any.whl", timestamp=STAMP)
    assert found in str(caught.value)


def test_a_wheel_of_one_platform_is_refused() -> None:
    wheel = plain_wheel(files={"app-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nTag: cp312-cp312-linux\n"})
    with pytest.raises(PointerWheelError, match="py3-none-any"):
        conda_package(wheel, "app-1.0-py3-none-any.whl", timestamp=STAMP)


def test_an_altered_wheel_is_refused() -> None:
    with pytest.raises(PointerWheelError, match="its digest or size"):
        made(
            POINTER.with_members({"INFO/RECORD": POINTER.contents()[f"{INFO}/RECORD"], "INFO/METADATA": b"x"})
        )


def test_a_build_leaves_the_package_beside_the_wheel(digits_project: Digits, tmp_path: Path) -> None:
    release = build_release(digits_project("2.1.0"), tmp_path / "dist")
    assert release.conda == tmp_path / "dist" / "modeldeps-digits-2.1.0-pointer_1.conda"
    found = read_package(release.conda.read_bytes(), release.conda.name)
    with zipfile.ZipFile(release.wheel) as archive:
        assert found.manifest == archive.read(f"{INFO}/model.json")


def test_building_again_at_another_time_leaves_the_package_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / POINTER.filename
    wheel.write_bytes(POINTER.wheel())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    written = write_package(wheel, tmp_path, reporter=Reporter())
    before = written.read_bytes()
    assert json.loads(unpacked(read_package(before, written.name), "info")["info/index.json"])[
        "timestamp"
    ] == (1_700_000_000_000)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    os.utime(written, (0, 0))
    assert write_package(wheel, tmp_path, reporter=Reporter()) == written
    assert (written.read_bytes(), written.stat().st_mtime) == (before, 0)


def test_a_package_that_was_damaged_is_written_again(tmp_path: Path) -> None:
    wheel = tmp_path / POINTER.filename
    wheel.write_bytes(POINTER.wheel())
    written = write_package(wheel, tmp_path, reporter=Reporter())
    written.write_bytes(written.read_bytes()[:-1])
    write_package(wheel, tmp_path, reporter=Reporter())
    assert read_package(written.read_bytes(), written.name).record["name"] == "modeldeps-digits"
