"""What a user reads where settings are wrong, from commands in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "modeldeps", *words)
    environ = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environ, cwd=cwd, check=False)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "\nhint: " in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("MODELDEPS_ADOPT", "perhaps", "expected 1 or 0, found 'perhaps'"),
        ("MODELDEPS_CACHE", " ", "expected a path, found a blank text"),
        ("MODELDEPS_CACHE", "https://me:hunter2@models.example.com/", "expected a path, found a URL"),
        ("MODELDEPS_CERTIFICATES", "~nobody-has-this-name/x", "found the home of nobody"),
        ("MODELDEPS_CHANNELS", "https:models.example.com", "a URL without its `//`: https:"),
        ("MODELDEPS_CHANNELS", "https://a.example/?key=hunter2", "expected a URL without ? and #"),
        ("MODELDEPS_CHANNELS", "https://a.example,https://b.example", "blanks separate them, not commas"),
        ("MODELDEPS_CLIENT_CERTIFICATE", " ", "expected a path, found a blank text"),
        ("MODELDEPS_CONNECTIONS", "many", "expected a number from 1 to 64, found 'many'"),
        ("MODELDEPS_MIRRORS", "~nobody-has-this-name/x", "found the home of nobody"),
        ("MODELDEPS_OFFLINE", "maybe", "expected 1 or 0, found 'maybe'"),
        ("MODELDEPS_PREFETCH", "2", "expected 1 or 0, found '2'"),
        ("MODELDEPS_STORES", "~nobody-has-this-name/x", "found the home of nobody"),
        ("MODELDEPS_TOKENS", "hunter2", "expected URL=TOKEN"),
    ],
)
def test_a_wrong_variable_is_wrong_usage_and_is_named_with_what_helps(
    tmp_path: Path, variable: str, value: str, told: str
) -> None:
    said = refused(run("sync", cwd=tmp_path, **{variable: value}))
    assert f"  {variable}: " in said
    assert told in said
    assert f"hint: correct or unset {variable}" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("adopt = 'yes'", "adopt: expected true or false, found str"),
        ("cache = 7", "cache: expected text, found int"),
        ("certificates = ' '", "certificates: expected a path, found a blank text"),
        ("channels = 'https://a.example'", "channels: expected an array of texts, found str"),
        ("chanels = []", "chanels: is not a key; did you mean 'channels'?"),
        ("client_certificate = 'x'", "client_certificate: is not a key; did you mean 'client-certificate'?"),
        ("connections = 65", "connections: expected a number from 1 to 64, found '65'"),
        ("mirrors = [3]", "mirrors: expected an array of texts, found list"),
        ("offline = 1", "offline: expected true or false, found int"),
        ("prefetch = ''", "prefetch: expected true or false, found str"),
        ("provider = []", "provider: expected text, found list"),
        ("stores = '/srv'", "stores: expected an array of texts, found str"),
        ("tokens = 'hunter2'", "tokens: expected a table, found str"),
        ("[tool.modeldeps]", "tool: is not a key; settings stand at the top of the file"),
        ("cache", "expected TOML: "),
        (f"cache = {'[' * 5000}", "expected TOML: "),
    ],
)
def test_a_wrong_line_of_the_file_is_wrong_usage_and_is_named_with_the_file(
    tmp_path: Path, line: str, told: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"{line}\n")
    said = refused(run("doctor", cwd=tmp_path, MODELDEPS_CONFIG=str(file), MODELDEPS_CACHE=""))
    assert f"error: {file} has 1 problem\n" in said
    assert told in said
    assert f"hint: correct it in {file}\n" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("variable", ["MODELDEPS_CONFIG", "MODELDEPS_SYSTEM_CONFIG"])
@pytest.mark.parametrize(("place", "reason"), [("missing.toml", "no such file"), (".", "is a directory")])
def test_a_configuration_file_that_a_variable_names_must_be_there(
    tmp_path: Path, variable: str, place: str, reason: str
) -> None:
    said = refused(run("sync", cwd=tmp_path, **{variable: str(tmp_path / place)}))
    assert f"  {variable}: expected a file that can be read, found {tmp_path / place}: {reason}\n" in said
    assert f"hint: correct {variable}, or unset it\n" in said


def test_a_file_with_the_mark_that_windows_editors_write_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xef\xbb\xbfcache = 'here'\n")
    done = run("cache", "path", cwd=tmp_path, MODELDEPS_CONFIG=str(file), MODELDEPS_CACHE="")
    assert done.stdout.strip() == str(tmp_path / "here")


def test_relative_places_of_a_file_are_meant_from_its_folder_and_those_of_variables_from_the_current_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "conf" / "config.toml").write_text("cache = '../store'\n")
    words = ("cache", "path")
    # the file is named relative to the current folder too
    chosen = {"MODELDEPS_CONFIG": "../conf/config.toml"}
    done = run(*words, cwd=tmp_path / "work", **chosen, MODELDEPS_CACHE="")
    assert os.path.normpath(done.stdout.strip()) == str(tmp_path / "store")
    done = run(*words, cwd=tmp_path / "work", **chosen, MODELDEPS_CACHE="mine")
    assert done.stdout.strip() == str(tmp_path / "work" / "mine")
