from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from modeldeps.cli import _main, main
from modeldeps.cli._output import facts, table
from modeldeps.errors import ModelDepsError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modeldeps", *words], capture_output=True, text=True, cwd=cwd, check=False
    )


@pytest.mark.parametrize("name", _main.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"])
    assert caught.value.code == 0
    assert f"usage: modeldeps {name}" in capsys.readouterr().out


def test_no_command_and_an_unknown_command_are_wrong_usage() -> None:
    assert run().returncode == 2
    done = run("instal")
    assert done.returncode == 2
    assert "invalid choice: 'instal'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("modeldeps ")


def test_an_error_of_the_project_is_told_without_a_traceback_and_gives_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fail_with(monkeypatch, ModelDepsError("it broke", ("expected", 1), ("found", 2), hint="mend it"))
    assert main(["list"]) == 3
    assert capsys.readouterr().err == "error: it broke\n  expected: 1\n  found:    2\nhint: mend it\n"


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (KeyboardInterrupt(), 130, "error: interrupted"),
        (PermissionError(13, "Permission denied", "/x"), 3, "error: Permission denied: /x"),
        (OSError(28, "No space left", "a", None, "b/a"), 3, "error: No space left: a to b/a"),
        (OSError("odd"), 3, "error: odd"),
    ],
)
def test_what_the_system_says_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    text: str,
) -> None:
    _fail_with(monkeypatch, error)
    assert main(["list"]) == status
    assert text in capsys.readouterr().err


def _fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def execute(args: argparse.Namespace) -> int:
        raise error

    def configure(name: str, command: argparse.ArgumentParser) -> None:
        command.set_defaults(execute=execute)

    monkeypatch.setattr(_main, "configure", configure)


def test_a_reader_that_goes_away_leaves_no_traceback() -> None:
    code = "import sys; from modeldeps.cli import main; sys.exit(main(['list', '--json']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=60)
    assert b"Traceback" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="the shell's way to close a stream")
@pytest.mark.parametrize(
    ("streams", "status"), [(">&-", 0), (">&- 2>&-", 0), ("2>&-", 0), ("2>/dev/full", 0), (">/dev/full", 3)]
)
def test_streams_that_are_closed_or_full_leave_no_traceback(streams: str, status: int) -> None:
    command = f'"{sys.executable}" -m modeldeps cache path {streams}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - the shell closes them
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    if status:
        assert done.stderr.startswith("error: No space left on device")


@pytest.mark.skipif(sys.platform == "win32", reason="the shell's way to close a stream")
@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full"])
def test_an_error_that_nobody_can_read_still_gives_its_status(streams: str) -> None:
    command = f'"{sys.executable}" -m modeldeps show no-such-model {streams}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - the shell closes them
    assert (done.returncode, done.stdout) == (3, "")


def test_characters_that_the_encoding_lacks_are_escaped(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "PYTHONIOENCODING": "ascii",
        "MODELDEPS_CACHE": str(tmp_path / "Gr\u00f6\u00dfe"),
        "PYTHONUTF8": "1",
    }
    words = [sys.executable, "-m", "modeldeps", "cache"]
    plain = subprocess.run([*words, "path"], capture_output=True, env=environ, check=True)
    assert plain.stdout.rstrip().endswith(b"Gr\\xf6\\xdfe")
    told = subprocess.run([*words, "info", "--json"], capture_output=True, env=environ, check=True)
    assert json.loads(told.stdout)["path"].endswith("Gr\u00f6\u00dfe")


def test_only_the_named_command_is_imported() -> None:
    code = (
        "import sys; from modeldeps.cli._main import parser; parser(['list']);"
        "print(*[name for name in sys.modules if name.startswith('modeldeps.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"modeldeps.cli.list"} <= set(done.stdout.split())
    assert "modeldeps.cli.demo" not in done.stdout


def test_a_table_is_aligned_and_has_no_trailing_spaces() -> None:
    assert table(["name", "version"], [["digits", "2.1.0"], ["wake-word", None]]) == [
        "name       version",
        "digits     2.1.0",
        "wake-word",
    ]


def test_facts_are_aligned_and_those_without_a_value_are_left_out() -> None:
    assert facts([("task", "a\nb"), ("homepage", ""), ("license", "MIT")]) == [
        "task     a",
        "         b",
        "license  MIT",
    ]
