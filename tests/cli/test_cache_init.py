"""`modeldeps cache init`, in processes of its own."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from stores import root_only

from modeldeps.config import settings
from modeldeps.store import Store

posix = pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")


def init(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = (sys.executable, "-m", "modeldeps", "cache", "init", *words)
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, check=False)


def test_a_store_of_one_s_own_is_made_and_may_be_made_twice(tmp_path: Path) -> None:
    for _ in range(2):
        done = init("models", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert f'MODELDEPS_CACHE="{tmp_path / "models"}"' in done.stdout
    assert (tmp_path / "models" / "layout").read_text() == "1\n"


@posix
def test_what_a_shared_store_says_about_the_machine_s_file_works_as_it_stands(tmp_path: Path) -> None:
    done = init("--shared", 'mo "dels', folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = [one.strip() for one in done.stdout.splitlines() if one.strip().startswith("cache =")]
    (tmp_path / "system.toml").write_text(line)
    found = settings(
        {"MODELDEPS_SYSTEM_CONFIG": str(tmp_path / "system.toml"), "MODELDEPS_CONFIG": os.devnull}
    )
    assert found.cache == tmp_path / 'mo "dels'
    assert str(Store.open(found).root) in done.stdout


@posix
def test_walls_around_a_shared_store_are_told(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    said = init("--shared", "private/models", folder=tmp_path).stderr
    assert f"note: not everybody may enter {tmp_path / 'private'}; to let them: chmod a+x" in said
    said = init("--shared", "open/models", folder=tmp_path).stderr
    assert f"note: others can rename what lies in {tmp_path / 'open'}" in said


@root_only
def test_the_rights_of_a_group_s_store(tmp_path: Path) -> None:
    done = init("--shared", "--group", "games", "models", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    modes = {
        one.name: stat.S_IMODE(one.stat().st_mode)
        for one in (tmp_path / "models", *(tmp_path / "models").iterdir())
        if one.is_dir()
    }
    assert modes == {"models": 0o2750, "modeldeps-members": 0o3770, "locks": 0o3770, "roots": 0o3770}


@posix
@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["--group", "games", "new"], 2, "--group needs --shared"),
        (["--shared", "--group", "nobody-has-this", "new"], 3, "no group 'nobody-has-this'"),
        (["--shared", "used"], 3, "a folder with other files: thesis"),
        (
            ["--shared", "used"],
            3,
            "hint: name a new or empty folder: modeldeps cache init --shared {here}/used/models",
        ),
        (["used"], 3, "hint: name a new or empty folder: modeldeps cache init {here}/used/models"),
        (["--shared", "used/thesis"], 3, "a file in its way"),
        (["shared"], 3, "hint: it is ready, set MODELDEPS_CACHE to it"),
        (["--shared", "--group", "nobody-has-this", "new"], 3, "sudo groupadd NAME"),
        (["used"], 3, "a folder with other files: thesis"),
        (["used/thesis"], 3, "a file in its way"),
        (["shared"], 3, "a store that several users share"),
        (["--shared", "plain"], 3, "the store of one user"),
        (["--shared", "/dev/null/x"], 3, "a file in its way: /dev/null"),
    ],
)
def test_what_can_t_be_a_store_is_refused_and_left_alone(
    tmp_path: Path, words: list[str], status: int, text: str
) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis").touch()
    assert init("--shared", "shared", folder=tmp_path).returncode == 0
    assert init("plain", folder=tmp_path).returncode == 0
    done = init(*words, folder=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert text.replace("{here}", str(tmp_path)) in done.stderr
    assert "hint: " in done.stderr
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "used" / "thesis").is_file()


@pytest.mark.parametrize("path", ["", "~nobody-has-this/models"])
def test_what_names_no_folder_is_wrong_usage(tmp_path: Path, path: str) -> None:
    done = init(path, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: that is no folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


@root_only
def test_a_store_of_a_group_is_not_opened_to_all_by_leaving_the_group_out(tmp_path: Path) -> None:
    assert init("--shared", "--group", "games", "models", folder=tmp_path).returncode == 0
    done = init("--shared", "models", folder=tmp_path)
    assert done.returncode == 3
    assert "it is for the members of games alone" in done.stderr
    assert f"hint: modeldeps cache init --shared --group games {tmp_path / 'models'}" in done.stderr
    assert stat.S_IMODE((tmp_path / "models").stat().st_mode) == 0o2750
    assert init("--shared", "--group", "games", "models", folder=tmp_path).returncode == 0


@root_only
def test_mending_rights_follows_no_link_that_somebody_planted(tmp_path: Path) -> None:
    assert init("--shared", "models", folder=tmp_path).returncode == 0
    (tmp_path / "secret").mkdir(mode=0o700)
    (tmp_path / "models" / "locks").rmdir()
    (tmp_path / "models" / "locks").symlink_to(tmp_path / "secret")
    done = init("--shared", "models", folder=tmp_path)
    assert done.returncode == 3
    assert "not a directory" in done.stderr
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o700


@posix
def test_what_an_interrupted_run_made_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "models" / "modeldeps-members").mkdir(parents=True)
    done = init("--shared", "models", folder=tmp_path)
    assert done.returncode == 0, done.stderr


@posix
@pytest.mark.parametrize("words", [["--shared"], []])
@pytest.mark.parametrize("place", ["/proc/x", "/sys/x"])
def test_a_file_system_that_keeps_no_files_is_refused_as_one(
    tmp_path: Path, place: str, words: list[str]
) -> None:
    if not Path(place).parent.is_mount():
        pytest.skip(f"{place} is no such place here")
    done = init(*words, place, folder=tmp_path)
    assert done.returncode == 3
    assert f"found:    a file system that keeps no files: {place[:-2]}" in done.stderr
