"""README and guides are run, or at least held against the code."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modeldeps.cli._main import COMMANDS, parser

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
TEST_COMMAND = 'pip install ".[test]" && pytest'
MAIN_COMMAND = 'pip install ".[cpu]" && modeldeps demo'


def blocks(page: Path) -> list[str]:
    return [found[1] for found in FENCE.finditer(page.read_text(encoding="utf-8"))]


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of every `modeldeps` command that stands in a block, as a shell splits them."""
    for block in blocks(page):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\||;", line.removeprefix("RUN ").removeprefix("$ ")):
                found = re.match(r"\s*(?:\w+=\S+\s+)*(?:[\w./-]*/)?modeldeps\s+([a-z].*)", part)
                if found and found[1].split()[0] in COMMANDS:
                    yield shlex.split(found[1], comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_in_the_docs_is_one_that_is_understood(page: Path) -> None:
    if page.name == "cli.md":
        pytest.skip("written from the parser itself, with words in capitals")
    for words in commands(page):
        parsed = parser(words).parse_args(words)
        assert callable(parsed.execute), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_docs_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        assert (page.parent / target).exists(), target


def test_the_generated_pages_are_up_to_date() -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()
    assert [path.name for path, text in pages.items() if path.read_text(encoding="utf-8") != text] == []


def test_the_readme_has_the_two_commands_and_ci_runs_the_second() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert MAIN_COMMAND in text
    assert TEST_COMMAND in text
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert TEST_COMMAND in script.splitlines()


@pytest.mark.installers
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.name == "nt", reason="the README's command is written for a POSIX shell")
def test_the_readmes_main_command_prints_what_the_readme_shows(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    path = f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        ["bash", "-c", MAIN_COMMAND], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (shown,) = [block for block in blocks(ROOT / "README.md") if "travelled" in block]
    printed = {_without_version(line) for line in done.stdout.splitlines()}
    assert [line for line in shown.splitlines() if _without_version(line) not in printed] == []


def _without_version(line: str) -> str:
    """Return a line with ONNX Runtime's version left open: the newest for this Python is taken."""
    return re.sub(r"onnxruntime \d+\.\d+\.\d+", "onnxruntime X", line.rstrip())
