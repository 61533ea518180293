"""`modeldeps build` makes conda packages: of a project, with its payload, and of a wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.cli import main
from modeldeps.cli._own_wheel import write_own_wheel
from modeldeps.publish.conda import read_package_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    Digits = Callable[[str], Path]


def test_a_build_names_the_conda_package(
    digits_project: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dist = tmp_path / "dist"
    assert main(["build", str(digits_project("2.1.0")), "--output", str(dist)]) == 0
    assert f"conda     {dist / 'modeldeps-digits-2.1.0-pointer_1.conda'} (" in capsys.readouterr().out
    assert not list(dist.glob("*bundled*"))


def test_a_bundled_build_is_made_where_it_is_asked_for(
    digits_project: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dist = tmp_path / "dist"
    assert main(["build", str(digits_project("2.1.0")), "--bundled", "--output", str(dist)]) == 0
    file = dist / "modeldeps-digits-2.1.0-bundled_0.conda"
    assert f"bundled   {file} (" in capsys.readouterr().out
    assert read_package_file(file).record["build_number"] == 0


def test_a_wheel_becomes_a_conda_package_that_can_be_published(tmp_path: Path) -> None:
    wheel, dist = write_own_wheel(tmp_path), tmp_path / "dist"
    assert main(["build", "--wheel", str(wheel), "--output", str(dist)]) == 0
    (made,) = dist.iterdir()
    assert read_package_file(made).record["name"] == "modeldeps"
    assert main(["publish", str(made), "--to", str(tmp_path / "channel")]) == 0
    assert (tmp_path / "channel" / "noarch" / made.name).read_bytes() == made.read_bytes()


def test_words_that_don_t_go_together_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = str(write_own_wheel(tmp_path))
    for words in (["here", "--wheel", wheel], ["--bundled", "--wheel", wheel]):
        assert main(["build", *words, "--output", str(tmp_path / "dist")]) == 2
        assert "--wheel goes neither with a project nor with --bundled" in capsys.readouterr().err
    assert main(["build", "--wheel", str(tmp_path / "nothing"), "--output", str(tmp_path / "dist")]) == 2
    assert "that is no wheel" in capsys.readouterr().err


def test_a_wheel_that_is_broken_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = tmp_path / "app-1.0-py3-none-any.whl"
    wheel.write_bytes(b"no archive at all, but long enough to be one")
    assert main(["build", "--wheel", str(wheel), "--output", str(tmp_path / "dist")]) == 1
    assert "expected a zip archive" in capsys.readouterr().err
