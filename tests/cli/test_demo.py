"""The demo's parts; the README's test runs it whole."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from installers import UV, run

import modeldeps
from modeldeps.cli import demo
from modeldeps.cli._own_wheel import digits_folder, package_folder, write_own_wheel
from modeldeps.cli._stage import Stage
from modeldeps.errors import StepFailedError


def test_the_own_wheel_holds_every_file_of_the_package_and_its_record_is_right(tmp_path: Path) -> None:
    wheel = write_own_wheel(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        record = archive.read(next(name for name in names if name.endswith("/RECORD"))).decode()
        for line in record.splitlines():
            name, digest, size = line.rsplit(",", 2)
            if digest:
                data = archive.read(name)
                wanted = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert (digest, int(size)) == (f"sha256={wanted}", len(data))
    assert {line.rsplit(",", 2)[0] for line in record.splitlines()} == names
    code = {
        f"modeldeps/{one.relative_to(package_folder()).as_posix()}" for one in package_folder().rglob("*.py")
    }
    assert code <= names
    assert {f"modeldeps/_digits/{version}/pyproject.toml" for version in demo.VERSIONS} <= names


def test_the_own_wheel_is_the_same_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = (write_own_wheel(tmp_path / name).read_bytes() for name in ("one", "two"))
    assert one == two


def test_what_is_installed_from_the_own_wheel_writes_that_wheel_again(tmp_path: Path) -> None:
    wheel = write_own_wheel(tmp_path)
    assert UV
    run([UV, "pip", "install", "--no-index", "--no-deps", "--target", tmp_path / "site", wheel])
    (tmp_path / "again").mkdir()
    code = (
        "import sys, pathlib; from modeldeps.cli._own_wheel import write_own_wheel;"
        "print(write_own_wheel(pathlib.Path(sys.argv[1])))"
    )
    run([sys.executable, "-c", code, tmp_path / "again"], env={"PYTHONPATH": str(tmp_path / "site")})
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(tmp_path / "again" / wheel.name) as second:
        code_of = [
            {name: a.read(name) for name in a.namelist() if "/RECORD" not in name} for a in (first, second)
        ]
    assert code_of[0] == code_of[1]


def test_a_step_that_fails_is_told_with_what_it_printed(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    with pytest.raises(StepFailedError, match="no such thing") as caught:
        stage.run([sys.executable, "-c", "raise SystemExit('no such thing')"], shown="x", hint="look")
    assert caught.value.hint == "look"


def test_steps_see_the_demos_store_and_none_of_the_users_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDEPS_CHANNELS", "https://models.example.com/")
    code = "import os; print(*sorted(name for name in os.environ if name.startswith('MODELDEPS_')))"
    said = Stage(tmp_path).run([sys.executable, "-c", code], shown="x")
    assert said.split() == ["MODELDEPS_CACHE", "MODELDEPS_CONFIG"]


@pytest.mark.parametrize("keep", [True, False])
def test_the_folder_goes_away_unless_it_is_kept(
    keep: bool,  # noqa: FBT001 - a parameter set
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with demo._folder(keep=keep) as folder:
        (folder / "file").touch()
    assert folder.exists() is keep
    assert (f"kept: {folder}" in capsys.readouterr().err) is keep


@pytest.mark.installers
def test_a_demo_without_any_package_index_says_what_it_lacks_and_cleans_up(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "modeldeps", "demo"]
    environ = {"PIP_NO_INDEX": "1", "TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "error: a step of the demo failed" in done.stderr
    assert "hint: packages come from the index that pip is set up for" in done.stderr
    assert "Traceback (most recent call last)" not in done.stderr
    assert not list(tmp_path.glob("modeldeps-demo-*"))


def test_the_digits_projects_are_found() -> None:
    assert {one.name for one in digits_folder().iterdir()} == {*demo.VERSIONS, "app"}
    assert Path(modeldeps.__file__).parent == package_folder()
