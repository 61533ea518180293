"""Every pyproject.toml that the guide shows is one that loses no model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modeldeps.check import check
from modeldeps.project import Pyproject, requirements, static_models
from modeldeps.project import read as read_declaration

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "declare.md"
FILES = [
    text
    for text in re.findall(
        r"^```toml\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    if "[project]" in text
]


@pytest.mark.parametrize("text", FILES, ids=lambda text: re.findall(r'build-backend = "(\w+)', text)[0])
def test_a_file_of_the_guide_has_no_errors_and_asks_for_digits(text: str, tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    assert check(file, offline=True).errors == 0
    declaration = read_declaration(file)
    assert declaration
    asked = [*requirements(declaration)[0], *(one.text for one in static_models(Pyproject.read(file)))]
    assert "modeldeps-digits[cpu]>=2.1" in asked


def test_the_guide_shows_a_file_for_each_plugin_and_one_without() -> None:
    assert len(FILES) == 4
