from __future__ import annotations

import base64
import csv
import email
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import onnx  # noqa: TID253 - a test module may be heavy
import pytest
import tensor_files
from release_models import layers, project, scaled, write

from modeldeps.digest import sha256_file
from modeldeps.errors import CorruptModelError, FileChangedError, ManifestError, ProjectError
from modeldeps.manifest import Lineage, Manifest, Metric, Tolerance, parse
from modeldeps.publish import _release as release_module
from modeldeps.publish import build_release, build_requirements, write_sdist
from modeldeps.publish._floor import TABLE
from modeldeps.publish._gzip import StoredGzip
from modeldeps.publish._project import ExamplePlan, ModelProject, TensorNotes, VariantPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    Digits = Callable[[str], Path]


def _members(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def _metadata(wheel: Path) -> email.message.Message:
    return email.message_from_bytes(_members(wheel)["METADATA"])


def test_the_wheel_is_a_dist_info_folder_and_nothing_else(digits_project: Digits, tmp_path: Path) -> None:
    wheel = build_release(digits_project("2.1.0"), tmp_path / "dist").wheel
    assert wheel.name == "modeldeps_digits-2.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folder = "modeldeps_digits-2.1.0.dist-info"
    assert names == [
        f"{folder}/{one}" for one in ("METADATA", "WHEEL", "licenses/LICENSE", "model.json", "RECORD")
    ]
    assert wheel.stat().st_size < 10_000


def test_the_record_has_the_digest_and_size_of_each_file(digits_project: Digits, tmp_path: Path) -> None:
    wheel = build_release(digits_project("2.1.0"), tmp_path / "dist").wheel
    with zipfile.ZipFile(wheel) as archive:
        record = archive.read("modeldeps_digits-2.1.0.dist-info/RECORD").decode()
        rows = list(csv.reader(io.StringIO(record)))
        assert [row[0] for row in rows] == archive.namelist()
        assert rows[-1][1:] == ["", ""]
        for name, digest, size in rows[:-1]:
            content = archive.read(name)
            plain = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
            assert (digest, int(size)) == (f"sha256={plain}", len(content))


def test_the_metadata_have_the_floor_behind_each_extra(digits_project: Digits, tmp_path: Path) -> None:
    found = _metadata(build_release(digits_project("2.1.0"), tmp_path / "dist").wheel)
    assert found["Metadata-Version"] == "2.4"
    assert found["License-Expression"] == "MIT"
    assert found.get_all("Provides-Extra") == ["cpu", "cuda"]
    assert found.get_all("Requires-Dist") == [
        "modeldeps>=0.1",
        "onnxruntime>=1.17; extra == 'cpu'",
        "onnxruntime-gpu[cuda,cudnn]>=1.17; extra == 'cuda'",
    ]


def test_a_publisher_may_ask_for_more_than_the_file_needs(digits_project: Digits, tmp_path: Path) -> None:
    found = _metadata(build_release(digits_project("3.0.0"), tmp_path / "dist").wheel)
    assert "onnxruntime>=99; extra == 'cpu'" in found.get_all("Requires-Dist", [])


def test_each_extra_has_the_floor_of_the_variant_that_is_meant_for_it(tmp_path: Path) -> None:
    folder = project(
        tmp_path / "p",
        variants='variants = [{ name = "a", entry = "a.onnx", providers = ["cuda"] },\n'
        '{ name = "b", entry = "b.onnx", providers = ["cpu"] }]',
    )
    write(folder / "a.onnx", scaled(opset=22, ir_version=10))
    write(folder / "b.onnx", scaled(opset=18))
    found = _metadata(build_release(folder, tmp_path / "dist").wheel).get_all("Requires-Dist", [])
    assert "onnxruntime>=1.14; extra == 'cpu'" in found
    assert "onnxruntime-gpu[cuda,cudnn]>=1.21; extra == 'cuda'" in found


def test_the_blobs_are_the_files_under_their_digests(digits_project: Digits, tmp_path: Path) -> None:
    folder = digits_project("2.1.0")
    release = build_release(folder, tmp_path / "dist")
    named = {file.sha256: file for file in release.manifest.all_files()}
    assert {one.name for one in release.blobs} == set(named)
    for blob in release.blobs:
        assert blob == tmp_path / "dist" / "blobs" / "sha256" / blob.name[:2] / blob.name
        assert sha256_file(blob) == blob.name
        assert blob.read_bytes() == (folder / named[blob.name].path).read_bytes()


def test_the_manifest_in_the_wheel_says_all_that_the_project_said(
    digits_project: Digits, tmp_path: Path
) -> None:
    release = build_release(digits_project("2.1.0"), tmp_path / "dist")
    manifest: Manifest = parse(_members(release.wheel)["model.json"])
    assert manifest == release.manifest
    assert [one.shape for one in manifest.inputs] == [("batch", 8, 8)]
    assert manifest.inputs[0].unit == "0..16"
    assert manifest.variants[0].requires.opsets == {"ai.onnx": 20}
    assert [file.path for file in manifest.files] == ["labels.txt"]
    assert len(manifest.metrics[0].classes) == 10
    assert manifest.lineage.parent == "digits==2.0.0"
    assert "wider network" in manifest.changes


def test_sources_name_each_blob_of_each_channel(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", 'sources = ["https://a.example.com", "https://b.example.com/m/"]')
    write(folder / "model.onnx", scaled())
    [file] = build_release(folder, tmp_path / "dist").manifest.variants[0].files
    place = f"blobs/sha256/{file.sha256[:2]}/{file.sha256}"
    assert file.sources == (f"https://a.example.com/{place}", f"https://b.example.com/m/{place}")


def test_building_twice_gives_the_same_bytes_whatever_the_clock_and_the_umask(
    digits_project: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = digits_project("2.1.0")
    first = build_release(folder, tmp_path / "one").wheel.read_bytes()
    sdist = write_sdist(folder, tmp_path / "one").read_bytes()
    for file in folder.rglob("*"):
        os.utime(file, (10**9, 10**9))
        file.chmod(0o700)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    old = os.umask(0o077)
    try:
        assert build_release(folder, tmp_path / "two").wheel.read_bytes() == first
        assert write_sdist(folder, tmp_path / "two").read_bytes() == sdist
    finally:
        os.umask(old)


def test_another_python_process_with_another_hash_seed_builds_the_same_bytes(
    digits_project: Digits, tmp_path: Path
) -> None:
    folder = digits_project("2.1.0")
    build_release(folder, tmp_path / "here")
    command = [sys.executable, "-m", "modeldeps", "build", str(folder), "--output", str(tmp_path / "there")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True)
    name = "modeldeps_digits-2.1.0-py3-none-any.whl"
    assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_wheel_from_the_source_distribution_is_the_same(digits_project: Digits, tmp_path: Path) -> None:
    folder = digits_project("2.1.0")
    with tarfile.open(write_sdist(folder, tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    unpacked = tmp_path / "unpacked" / "modeldeps_digits-2.1.0"
    assert (unpacked / "PKG-INFO").read_text().startswith("Metadata-Version: 2.4\nName: modeldeps-digits\n")
    again = build_release(unpacked, tmp_path / "two").wheel.read_bytes()
    assert again == build_release(folder, tmp_path / "one").wheel.read_bytes()


@pytest.mark.parametrize("version", ["2.0.0", "2.1.0", "3.0.0"])
def test_twine_accepts_the_wheel_and_the_source_distribution(
    digits_project: Digits, tmp_path: Path, version: str
) -> None:
    folder = digits_project(version)
    files = [build_release(folder, tmp_path / "dist").wheel, write_sdist(folder, tmp_path / "dist")]
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, files)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def test_twine_accepts_a_release_without_a_readme(tmp_path: Path) -> None:
    folder = project(
        tmp_path / "p", 'authors = ["A. Person", "B <b@example.com>"]\nhomepage = "https://example.com/"'
    )
    write(folder / "model.onnx", scaled())
    wheel = build_release(folder, tmp_path / "dist").wheel
    command = [sys.executable, "-m", "twine", "check", "--strict", str(wheel)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    found = _metadata(wheel)
    assert (found["Author"], found["Author-email"]) == ("A. Person", "B <b@example.com>")


def test_external_data_travel_with_their_variant(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", variants='variants = [{ name = "fp32", entry = "net/model.onnx" }]')
    (folder / "net").mkdir()
    onnx.save_model(
        layers(300_000, 40_000),
        folder / "net" / "model.onnx",
        save_as_external_data=True,
        location="model.data",
        size_threshold=0,
    )
    release = build_release(folder, tmp_path / "dist")
    entry, data = release.manifest.variants[0].files
    assert (entry.path, data.path) == ("net/model.onnx", "net/model.data")
    assert data.size >= 340_000 * 4
    assert data.chunks[0].length in range(1_200_000, 1_204_097)
    assert build_requirements(folder) == ["onnx>=1.16"]
    with tarfile.open(write_sdist(folder, tmp_path / "dist")) as archive:
        assert "modeldeps_tiny-1.0.0/net/model.data" in archive.getnames()


def test_a_large_file_of_another_format_is_cut_with_numpy(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", variants='variants = [{ name = "a", entry = "m.ort" }]')
    (folder / "m.ort").write_bytes(b"weights")
    assert build_requirements(folder) == []
    with (folder / "m.ort").open("ab") as stream:
        stream.truncate(40 << 20)
    assert build_requirements(folder) == ["numpy"]


def test_external_data_of_every_onnx_file_are_released(tmp_path: Path) -> None:
    """An encoder and its decoder, each with weights beside it."""
    folder = project(
        tmp_path / "p",
        'files = ["shared/third.onnx"]',
        variants='variants = [{ name = "a", entry = "model.onnx", files = ["decoder.onnx"] }]',
    )
    write(folder / "model.onnx", scaled())
    (folder / "shared").mkdir()
    for name in ("decoder", "shared/third"):
        onnx.save_model(
            layers(300_000, 40_000),
            folder / f"{name}.onnx",
            save_as_external_data=True,
            location=f"{Path(name).name}.data",
            size_threshold=0,
        )
    manifest = build_release(folder, tmp_path / "dist").manifest
    assert [one.path for one in manifest.variants[0].files] == ["model.onnx", "decoder.onnx", "decoder.data"]
    assert [one.path for one in manifest.files] == ["shared/third.onnx", "shared/third.data"]
    assert all(file.chunks for file in manifest.all_files() if file.path.endswith(".data"))


@pytest.mark.parametrize("name", ["second.onnx", "shard.safetensors", "second.gguf"])
def test_a_further_file_that_is_not_what_its_name_says_is_refused(tmp_path: Path, name: str) -> None:
    folder = project(tmp_path / "p", f'files = ["{name}"]')
    write(folder / "model.onnx", scaled())
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    with pytest.raises(CorruptModelError, match=name):
        build_release(folder, tmp_path / "dist")


def test_one_file_in_two_variants_is_one_blob(tmp_path: Path) -> None:
    folder = project(
        tmp_path / "p",
        variants='variants = [{ name = "a", entry = "m.onnx" }, { name = "b", entry = "m.onnx" }]',
    )
    write(folder / "m.onnx", scaled())
    assert len(build_release(folder, tmp_path / "dist").blobs) == 1


def test_two_paths_that_are_one_where_case_does_not_count_are_refused(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", 'files = ["Labels.txt", "labels.txt"]')
    write(folder / "model.onnx", scaled())
    for name in ("Labels.txt", "labels.txt"):
        (folder / name).write_text(name)
    with pytest.raises(ManifestError, match="one file where case does not count"):
        build_release(folder, tmp_path / "dist")


def test_a_readme_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", 'readme = "README.md"')
    write(folder / "model.onnx", scaled())
    (folder / "README.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ProjectError, match="readme: expected text in UTF-8"):
        build_release(folder, tmp_path / "dist")


def test_a_licence_pattern_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", 'license-files = ["LICENSES/*"]')
    write(folder / "model.onnx", scaled())
    with pytest.raises(ProjectError, match=r"license-files\[0\]"):
        build_release(folder, tmp_path / "dist")


def test_a_corrupt_model_leaves_nothing_behind(digits_project: Digits, tmp_path: Path) -> None:
    folder = digits_project("2.1.0")
    file = folder / "digits-int8.onnx"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(CorruptModelError, match=r"digits-int8\.onnx"):
        build_release(folder, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_a_damaged_blob_in_the_output_is_replaced(digits_project: Digits, tmp_path: Path) -> None:
    folder = digits_project("2.1.0")
    blob = build_release(folder, tmp_path / "dist").blobs[0]
    blob.write_bytes(b"damage")
    build_release(folder, tmp_path / "dist")
    assert sha256_file(blob) == blob.name


def test_a_file_that_changes_after_it_was_digested_is_not_released(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(b"other bytes")
    with pytest.raises(FileChangedError):
        release_module._land("0" * 64, source, tmp_path / "dist")
    assert [one for one in (tmp_path / "dist").rglob("*") if one.is_file()] == []


def test_a_link_that_leads_out_of_the_project_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", 'files = ["labels.txt", "inside.txt"]')
    write(folder / "model.onnx", scaled())
    (tmp_path / "secret").write_text("secret")
    (folder / "labels.txt").symlink_to(tmp_path / "secret")
    (folder / "inside.txt").symlink_to(folder / "model.onnx")
    with pytest.raises(ProjectError) as caught:
        build_release(folder, tmp_path / "dist")
    assert [str(one) for one in caught.value.problems] == [
        "labels.txt is a link that leads out of the project; copy the file instead"
    ]


def test_the_reference_lists_every_row_of_the_floors_and_every_key() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "model-project.md").read_text("utf-8")
    for row in TABLE:
        major, minor = row.runtime
        assert f"| {major}.{minor} | {row.ir_version} | {row.opset} | {row.ml} |" in text
    for kind in (ModelProject, VariantPlan, ExamplePlan, TensorNotes, Metric, Lineage, Tolerance):
        for one in fields(kind):
            if one.name not in ("folder", "extra"):
                assert f"`{one.name.replace('license_files', 'license-files')}" in text, (kind, one.name)


@pytest.mark.parametrize("sizes", [[], [0], [1], [65_535], [65_536], [65_534, 1, 1], [200_000, 3, 131_070]])
def test_bytes_that_are_wrapped_as_gzip_come_out_again(sizes: list[int]) -> None:
    data = [bytes([index]) * size for index, size in enumerate(sizes)]
    target = io.BytesIO()
    with StoredGzip(target) as stream:
        for part in data:
            assert stream.write(part) == len(part)
    assert gzip.decompress(target.getvalue()) == b"".join(data)


def test_a_release_has_the_same_digests_with_every_python_on_every_machine(tmp_path: Path) -> None:
    """Versions that were published can be built again only while these stay as they are."""
    variants = 'variants = [{ name = "a", entry = "m.safetensors" }]'
    folder = project(tmp_path / "p", 'readme = "README.md"', variants=variants)
    (folder / "m.safetensors").write_bytes(tensor_files.safetensors({"b": b"1", "w": bytes(100_000)}))
    (folder / "README.md").write_bytes("# Ein kleines Modell für Tests\n".encode())
    (folder / "LICENSE").write_bytes(b"Do what you want.\n")
    files = [build_release(folder, tmp_path / "dist").wheel, write_sdist(folder, tmp_path / "dist")]
    assert [sha256_file(file) for file in files] == [
        "945de93474453a4f196c6127719218b667df2846b46aa0b14df54a08019b3ff9",
        "58053a2a3f2b573e1fa7de26cea6c7d30341e8e261d45fee52119b952a6ed00b",
    ]
