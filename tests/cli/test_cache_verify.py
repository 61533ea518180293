"""`modeldeps cache verify`, in processes of their own, and what it puts right."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from releases import Release, file_of

if TYPE_CHECKING:
    from pathlib import Path

PAYLOAD = bytes(range(256)) * 100
FILE = file_of(PAYLOAD)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder into which a pointer package was installed, with its bytes in the store."""
    release = Release(payload=PAYLOAD)
    release.build(tmp_path / "dist")
    with zipfile.ZipFile(tmp_path / "dist" / release.filename) as wheel:
        wheel.extractall(tmp_path / "site")
    assert run(tmp_path / "site", "sync", "digits").returncode == 0
    return tmp_path / "site"


def run(site: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    found = {
        **os.environ,
        "PYTHONPATH": str(site),
        "MODELDEPS_CHANNELS": str(site.parent / "dist"),
        **variables,
    }
    command = (sys.executable, "-m", "modeldeps", *words)
    return subprocess.run(command, capture_output=True, text=True, env=found, cwd=site.parent, check=False)


def verify(site: Path, *words: str, status: int = 0, **variables: str) -> dict[str, Any]:
    done = run(site, "cache", "verify", "--json", *words, **variables)
    assert done.returncode == status, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def blob_of(site: Path) -> Path:
    return site.parent / "store" / "blobs" / "sha256" / FILE.sha256[:2] / FILE.sha256


def model_of(site: Path) -> Path:
    (path,) = (site.parent / "store" / "models").rglob("model.onnx")
    return path


def rot(path: Path, data: bytes = b"!") -> None:
    """Alter the first bytes without a trace in the times, as a disk does."""
    status = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(data)
    path.chmod(status.st_mode)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_store_that_is_right_is_said_to_be(site: Path) -> None:
    done = run(site, "cache", "verify")
    assert (done.returncode, done.stdout) == (0, "")
    assert "2 files (25.6 kB): nothing wrong" in done.stderr
    assert verify(site)["findings"] == []


def test_a_wrong_blob_is_put_right_by_its_wrong_chunk_alone(site: Path) -> None:
    rot(blob_of(site))
    found = verify(site)
    (one,) = found["findings"]
    assert (one["state"], one["repaired"], one["model"], one["file"]) == (
        "wrong",
        True,
        "digits 2.1.0",
        "model.onnx",
    )
    assert found["bytes_fetched"] == len(PAYLOAD) // 2
    assert blob_of(site).read_bytes() == PAYLOAD
    assert model_of(site).samefile(blob_of(site))
    assert verify(site)["findings"] == []
    assert list((site.parent / "store" / "partial").iterdir()) == []


@pytest.mark.parametrize("size", [0, 100, len(PAYLOAD) - 1, len(PAYLOAD) + 7])
def test_a_blob_of_another_length_is_put_right(site: Path, size: int) -> None:
    blob_of(site).chmod(0o644)
    os.truncate(blob_of(site), size)
    assert verify(site)["findings"][0]["repaired"]
    assert blob_of(site).read_bytes() == PAYLOAD


def test_without_repair_nothing_travels_and_nothing_goes(site: Path) -> None:
    rot(blob_of(site))
    found = verify(site, "--no-repair", status=1)
    assert (found["bytes_fetched"], found["findings"][0]["repaired"]) == (0, False)
    assert blob_of(site).read_bytes() == b"!" + PAYLOAD[1:]
    done = run(site, "cache", "verify", "--no-repair")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].split()[:4] == ["wrong", "digits", "2.1.0", "model.onnx"]
    assert "its sha256 is" in done.stderr
    assert "1 wrong, 0 put right" in done.stderr


def test_a_repair_that_fails_keeps_what_is_there_and_says_why(site: Path) -> None:
    rot(blob_of(site))
    nowhere = {"MODELDEPS_CHANNELS": "http://127.0.0.1:9/"}
    found = verify(site, status=1, **nowhere)
    assert "could not fetch model.onnx of digits 2.1.0" in found["findings"][0]["error"]
    assert blob_of(site).read_bytes() == b"!" + PAYLOAD[1:]
    assert verify(site, "--offline", status=1, **nowhere)["bytes_fetched"] == 0
    assert verify(site)["bytes_fetched"] == len(PAYLOAD) // 2


def test_one_blob_that_can_t_be_had_keeps_no_other_away(site: Path) -> None:
    labels = file_of(Release().labels)
    other = blob_of(site).parents[1] / labels.sha256[:2] / labels.sha256
    for blob in (blob_of(site), other):
        rot(blob)
    (site.parent / "dist" / "blobs" / "sha256" / FILE.sha256[:2] / FILE.sha256).unlink()
    found = verify(site, status=1)
    assert {one["file"]: one["repaired"] for one in found["findings"]} == {
        "labels.txt": True,
        "model.onnx": False,
    }
    assert other.read_bytes() == Release().labels


def test_a_copy_in_a_layer_serves_for_a_repair(site: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    assert run(site, "sync", "digits", MODELDEPS_CACHE=str(layer)).returncode == 0
    rot(blob_of(site))
    found = verify(site, MODELDEPS_STORES=str(layer), MODELDEPS_CHANNELS="")
    assert (found["findings"][0]["repaired"], found["bytes_fetched"]) == (True, 0)
    assert blob_of(site).read_bytes() == PAYLOAD


def test_a_wrong_file_in_a_layer_is_told_and_left(site: Path, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (tmp_path / "store").rename(layer)
    blob = layer / blob_of(site).relative_to(tmp_path / "store")
    rot(blob)
    done = run(site, "cache", "verify", MODELDEPS_STORES=str(layer))
    assert done.returncode == 1
    assert "it is in a read-only store, whose owner must put it right" in done.stderr
    assert blob.read_bytes() == b"!" + PAYLOAD[1:]


def test_a_model_that_was_named_is_brought_where_it_lacks(site: Path) -> None:
    blob_of(site).unlink()
    model_of(site).unlink()
    assert verify(site)["findings"][0]["state"] == "missing"
    assert model_of(site).read_bytes() == PAYLOAD
    shutil.rmtree(site.parent / "store" / "models")
    blob_of(site).unlink()
    assert verify(site)["findings"] == []
    assert verify(site, "digits")["bytes_fetched"] == len(PAYLOAD)
    assert blob_of(site).read_bytes() == PAYLOAD


def test_a_file_without_seal_is_told_and_is_no_fault(site: Path) -> None:
    blob_of(site).touch()
    found = verify(site)
    assert [one["state"] for one in found["findings"]] == ["proved"]
    blob_of(site).touch()
    assert run(site, "cache", "verify").stdout.splitlines()[1].split()[:2] == ["newly", "proved"]


def test_a_blob_that_no_model_names_is_fetched_whole(site: Path) -> None:
    rot(blob_of(site))
    shutil.rmtree(site.parent / "store" / "roots", ignore_errors=True)
    found = verify(site, PYTHONPATH="")
    assert (found["findings"][0]["repaired"], found["findings"][0]["model"]) == (True, None)
    assert blob_of(site).read_bytes() == PAYLOAD


def test_an_unknown_name_is_guessed(site: Path) -> None:
    done = run(site, "cache", "verify", "digit")
    assert done.returncode == 3
    assert "did you mean 'digits'?" in done.stderr


def test_a_requirement_names_the_release_to_look_at(site: Path) -> None:
    newer = Release(version="3.0.0", payload=b"newer" * 100)
    newer.build(site.parent / "dist")
    with zipfile.ZipFile(site.parent / "dist" / newer.filename) as wheel:
        wheel.extractall(site.parent / "newer")
    assert run(site.parent / "newer", "sync").returncode == 0
    rot(blob_of(site))
    assert verify(site.parent / "newer", "digits==3.0.0")["findings"] == []
    assert verify(site.parent / "newer", "modeldeps-digits>=3")["findings"] == []
    found = verify(site.parent / "newer", "digits<3", "--no-repair", status=1)
    assert [one["sha256"] for one in found["findings"]] == [FILE.sha256]


@pytest.mark.parametrize(
    ("word", "status", "text"),
    [
        ("digits==9", 3, "known: digits==2.1.0\nhint: modeldeps cache verify digits\n"),
        ("digits=2", 2, "that is not a model requirement"),
        ("digits[cpu]", 2, "here only a name and a specifier have a meaning"),
    ],
)
def test_a_requirement_that_nothing_meets_or_nobody_can_read_is_told(
    site: Path, word: str, status: int, text: str
) -> None:
    done = run(site, "cache", "verify", word)
    assert (done.returncode, done.stdout) == (status, "")
    assert text in done.stderr


def test_a_note_of_a_place_that_can_t_be_looked_at_keeps_no_other_from_being_checked(site: Path) -> None:
    (note,) = (site.parent / "store" / "roots").glob("*/*")
    told = json.loads(note.read_text())
    told["evidence"] = f"/{'x' * 300}/model.json"
    note.with_name("other").write_text(json.dumps(told))
    assert verify(site)["findings"] == []
