"""`modeldeps sync` and `modeldeps cache`, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from releases import Release

PAYLOAD = len(Release().payload) + len(Release().labels)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder into which a pointer package was installed; its blobs lie in the channel `dist`."""
    release = Release()
    release.build(tmp_path / "dist")
    with zipfile.ZipFile(tmp_path / "dist" / release.filename) as wheel:
        wheel.extractall(tmp_path / "site")
    return tmp_path / "site"


def run(*words: str, site: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    found = {
        **os.environ,
        "PYTHONPATH": str(site),
        "MODELDEPS_CHANNELS": str(site.parent / "dist"),
        **variables,
    }
    words = (sys.executable, "-m", "modeldeps", *words)
    return subprocess.run(words, capture_output=True, text=True, env=found, cwd=site.parent, check=False)


def models(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["bytes_fetched"] == sum(one["bytes_fetched"] for one in found["models"])
    return [one for one in found["models"] if one["name"] == "digits"]


def test_sync_fetches_once_and_tells_what_and_where(site: Path, tmp_path: Path) -> None:
    first = models(run("sync", "digits", "--json", site=site))
    path = first[0].pop("path")
    assert first == [{"name": "digits", "version": "2.1.0", "variant": "fp32", "bytes_fetched": PAYLOAD}]
    assert sorted(one.name for one in Path(str(path)).iterdir()) == ["labels.txt", "model.onnx"]
    assert str(path).startswith(str(tmp_path / "store"))
    again = models(run("sync", "modeldeps-digits", "--json", site=site))
    assert again[0]["bytes_fetched"] == 0
    assert again[0]["path"] == path


def test_sync_speaks_in_a_table_and_on_stderr(site: Path) -> None:
    done = run("sync", "digits", site=site)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["MODEL", "VERSION", "VARIANT", "FETCHED", "PATH"]
    assert lines[1].split()[:5] == ["digits", "2.1.0", "fp32", str(PAYLOAD), "B"]
    assert f"digits 2.1.0 fp32 ({PAYLOAD} B)" in done.stderr


def test_sync_without_a_channel_says_where_to_name_one(site: Path) -> None:
    done = run("sync", "digits", site=site, MODELDEPS_CHANNELS="")
    assert done.returncode == 3
    assert "error: could not fetch model.onnx of digits 2.1.0 fp32" in done.stderr
    assert "hint: run `modeldeps sync` in the project that names its channels" in done.stderr
    assert done.stdout == ""


def test_sync_takes_the_channels_of_the_project_around_it(site: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.modeldeps]\nchannels = ["./dist"]\n')
    assert (
        models(run("sync", "digits", "--json", site=site, MODELDEPS_CHANNELS=""))[0]["bytes_fetched"]
        == PAYLOAD
    )


def test_offline_fails_until_the_bytes_are_here(site: Path) -> None:
    elsewhere = {"MODELDEPS_CHANNELS": "http://127.0.0.1:9/"}
    done = run("sync", "digits", "--offline", site=site, **elsewhere)
    assert done.returncode == 3
    assert "the store lacks 2 files of digits 2.1.0 fp32, and the network is off" in done.stderr
    assert run("sync", "digits", site=site).returncode == 0
    done = run("sync", "digits", "--json", site=site, **elsewhere, MODELDEPS_OFFLINE="1")
    assert models(done)[0]["bytes_fetched"] == 0


def test_offline_the_hint_names_what_turned_the_network_off(site: Path, tmp_path: Path) -> None:
    elsewhere = {"MODELDEPS_CHANNELS": "http://127.0.0.1:9/"}
    begin = "hint: run `modeldeps sync` where there is a network, "
    done = run("sync", "--offline", site=site, **elsewhere)
    assert f"{begin}without --offline\n" in done.stderr
    done = run("sync", site=site, **elsewhere, MODELDEPS_OFFLINE="yes")
    assert f"{begin}or unset MODELDEPS_OFFLINE\n" in done.stderr
    file = tmp_path / "mine.toml"
    file.write_text("offline = true\n")
    done = run("sync", "--offline", site=site, **elsewhere, MODELDEPS_CONFIG=str(file))
    assert f"{begin}or change `offline` in {file}\n" in done.stderr


@pytest.mark.parametrize("spelling", ["path", "url"])
def test_a_channel_whose_folder_is_missing_is_named_so_with_what_helps(
    spelling: str, site: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    done = run("sync", site=site, MODELDEPS_CHANNELS=str(gone) if spelling == "path" else gone.as_uri())
    assert done.returncode == 3
    assert f": its folder {gone} is not there\n" in done.stderr
    assert f"hint: mount {gone}, or correct it where the channels or mirrors are set\n" in done.stderr
    done = run("sync", "--offline", site=site, MODELDEPS_CHANNELS=str(gone))
    assert done.returncode == 3
    assert f": its folder {gone} is not there\n" in done.stderr


def test_a_model_that_is_not_installed_is_guessed(site: Path) -> None:
    done = run("sync", "digit", site=site)
    assert done.returncode == 3
    assert "hint: did you mean 'digits'?" in done.stderr


def test_altered_bytes_of_a_channel_are_found_wrong(site: Path, tmp_path: Path) -> None:
    blobs = [one for one in (tmp_path / "dist" / "blobs").rglob("*") if one.is_file()]
    for blob in blobs:
        blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    done = run("sync", "digits", site=site)
    assert done.returncode == 1
    assert " of digits 2.1.0 fp32 is not what its manifest says; it was not used" in done.stderr
    assert "  source:   file://" in done.stderr


def test_cache_tells_what_the_store_holds(site: Path, tmp_path: Path) -> None:
    assert run("cache", "path", site=site).stdout == f"{tmp_path / 'store'}\n"
    empty = json.loads(run("cache", "info", "--json", site=site).stdout)
    assert (empty["blobs"], empty["models"], empty["writable"]) == (0, 0, True)
    assert not (tmp_path / "store").exists()
    run("sync", "digits", site=site)
    full = json.loads(run("cache", "info", "--json", site=site).stdout)
    assert (full["blobs"], full["bytes"], full["models"], full["partial"]) == (2, PAYLOAD, 1, 0)
    assert full["path"] == str(tmp_path / "store")
    lines = run("cache", "info", site=site, MODELDEPS_STORES=str(tmp_path / "other")).stdout.splitlines()
    assert f"read-only stores  {tmp_path / 'other'} (is not there)" in lines
    assert f"blobs             2 ({PAYLOAD} B)" in lines


def test_what_came_of_an_interrupted_fetch_is_told_without_its_holes(site: Path, tmp_path: Path) -> None:
    (tmp_path / "store" / "partial").mkdir(parents=True)
    with (tmp_path / "store" / "partial" / ("a" * 64)).open("wb") as part:
        part.truncate(50_000_000)
        part.write(b"\1" * 100_000)
    found = json.loads(run("cache", "info", "--json", site=site).stdout)
    assert found["partial"] == 1
    assert 100_000 <= found["partial_bytes"] < 1_000_000


@pytest.mark.parametrize("words", [("info",), ("gc",), ("gc", "--dry-run"), ("verify",), ("adopt",)])
def test_what_is_no_store_is_not_looked_at_as_an_empty_one(
    site: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    done = run("cache", *words, site=site, MODELDEPS_CACHE=str(tmp_path / "other"))
    assert (done.returncode, done.stdout) == (3, "")
    assert "the store can't be where it was set to be" in done.stderr
    assert "a folder with other files: thesis.tex" in done.stderr
    assert [one.name for one in (tmp_path / "other").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("place", ["file", "file/store"])
def test_doctor_finds_what_is_in_the_way_of_a_store(site: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    done = run("doctor", "--json", site=site, MODELDEPS_CACHE=str(tmp_path / place))
    assert done.returncode == 1
    [store] = [one for one in json.loads(done.stdout) if one["subject"] == "store"]
    assert store["state"] == "wrong"
    assert "a file in its way" in store["text"]
    assert "MODELDEPS_CACHE" in store["hint"]


def test_a_store_whose_name_is_too_long_is_told_as_one_with_a_hint(site: Path, tmp_path: Path) -> None:
    done = run("sync", "digits", site=site, MODELDEPS_CACHE=str(tmp_path / ("x" * 300)))
    assert done.returncode == 3
    assert "the store can't be where it was set to be" in done.stderr
    assert "hint: set MODELDEPS_CACHE" in done.stderr


def test_cache_alone_is_wrong_usage_and_an_unknown_layout_is_told(site: Path, tmp_path: Path) -> None:
    assert run("cache", site=site).returncode == 2
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "layout").write_text("99\n")
    done = run("cache", "info", site=site)
    assert done.returncode == 3
    assert "expected: layout 1" in done.stderr
