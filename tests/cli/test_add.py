"""The commands that edit a project touch the one that was named, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modeldeps.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("command", ["add", "remove", "check"])
def test_a_project_folder_that_is_not_there_is_not_the_one_above_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\nname = "app"\nversion = "1"\n', encoding="utf-8")
    words = [] if command == "check" else ["digits"]
    assert main([command, *words, "--project", str(tmp_path / "ap")]) == 2
    assert "there is no pyproject.toml" in capsys.readouterr().err
    assert "digits" not in file.read_text(encoding="utf-8")


def test_a_channel_that_cannot_be_leaves_the_project_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\nname = "app"\nversion = "1"\n', encoding="utf-8")
    before = file.read_bytes()
    words = ["add", "digits", "--channel", "~nobody-has-this-name/x", "--project", str(tmp_path)]
    assert main(words) == 2
    assert "nobody-has-this-name" in capsys.readouterr().err
    assert file.read_bytes() == before
