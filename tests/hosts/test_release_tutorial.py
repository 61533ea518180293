"""The tutorial is run as it stands, and must print what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from modeldeps.cli._own_wheel import write_own_wheel

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(
    r"^```(?P<kind>.*?)\n(?:(?P<caption>:caption: .*?)\n\n)?(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.mark.installers
@pytest.mark.skipif(os.name == "nt", reason="the tutorial is written for a POSIX shell")
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    write_own_wheel(wheels)
    script, promised = ["set -eu"], list[str]()
    for block in BLOCK.finditer(TUTORIAL.read_text("utf-8")):
        if block["caption"]:
            file = tmp_path / block["caption"].removeprefix(":caption: ")
            file.parent.mkdir(exist_ok=True)
            file.write_text(block["body"], "utf-8")
        elif block["kind"] == "bash":
            script.append(block["body"])
        else:
            promised += block["body"].splitlines()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "PIP_FIND_LINKS": str(wheels)}
    words = ["bash", "-c", "\n".join(script)]
    done = subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout.splitlines()
    assert [line for line in promised if line not in shown] == []
