"""What a user reads where settings are wrong, from commands in processes of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import blob_server
import pytest
import scripted

from modeldeps.cli import _waiting, main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[blob_server.BlobServer]:
    with blob_server.running() as found:
        yield found


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
        ("MODELDEPS_CHANNELS", "htp://a.example/", "a URL of http, https or file, found one of 'htp'"),
        ("MODELDEPS_CHANNELS", "http://", "expected a URL with a host, found one without"),
        ("MODELDEPS_CHANNELS", "http://me:hunter2/x@host/", "a slash in a password is written %2F"),
        ("MODELDEPS_CHANNELS", "http://[::1]:99999/", "expected a number as the port"),
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


def looked(cwd: Path, status: str = "1", **variables: str) -> list[tuple[str, str, str, str]]:
    done = run("doctor", "--json", cwd=cwd, **variables)
    assert str(done.returncode) == status, done.stderr
    found = json.loads(done.stdout)
    return [(one["state"], one["subject"], one["text"], one["hint"] or "") for one in found]


def test_read_only_stores_that_are_none_are_told_by_every_command_that_looks(tmp_path: Path) -> None:
    store, other, file, gone = (tmp_path / name for name in ("layer", "other", "file", "gone"))
    assert run("cache", "init", str(store), cwd=tmp_path).returncode == 0
    other.mkdir()
    file.touch()
    variables = {"MODELDEPS_STORES": os.pathsep.join(map(str, (store, other, file, gone)))}
    found = [one for one in looked(tmp_path, **variables) if one[1] == "read-only store"]
    hint = "correct it in MODELDEPS_STORES"
    assert found == [
        ("wrong", "read-only store", f"{other} is no store", hint),
        ("wrong", "read-only store", f"{file} is no folder", hint),
        ("wrong", "read-only store", f"{gone} is not there", hint),
        ("ok", "read-only store", str(store), ""),
    ]
    info = run("cache", "info", cwd=tmp_path, **variables)
    assert info.returncode == 0
    lines = [line.strip() for line in info.stdout.splitlines()]
    for expected in (f"{other} (is no store)", f"{file} (is no folder)", f"{gone} (is not there)"):
        assert expected in lines
    told = json.loads(run("cache", "info", "--json", cwd=tmp_path, **variables).stdout)
    assert told["wrong_stores"] == {
        str(other): "is no store",
        str(file): "is no folder",
        str(gone): "is not there",
    }
    done = run("sync", cwd=tmp_path, **variables)
    assert done.returncode == 0
    assert done.stderr.count(f"note: the read-only store {gone} is not there\n") == 1
    assert str(store) + " " not in done.stderr


def test_doctor_asks_mirrors_too(tmp_path: Path, server: blob_server.BlobServer) -> None:
    page = {"meta": {"api-version": "1.1"}, "projects": [{"name": "modeldeps-digits"}]}
    server.blobs["/simple/index.json"] = json.dumps(page).encode()
    with socket.socket() as taken, blob_server.running() as bare:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        gone = tmp_path / "gone"
        mirrors = " ".join((server.url.replace("//", "//me:hidden@"), bare.url, dead, str(gone)))
        found = [one for one in looked(tmp_path, MODELDEPS_MIRRORS=mirrors) if one[1] == "mirror"]
        assert [one[:3] for one in found] == [
            ("ok", "mirror", f"{server.url} has 1 model"),
            ("ok", "mirror", f"{bare.url} answers; it has no index, and needs none"),
            ("wrong", "mirror", f"{dead} can't be asked: connection refused"),
            ("wrong", "mirror", f"{gone.as_uri()}/ can't be asked: its folder {gone} is not there"),
        ]
        assert found[2][3] == "is its host up, and is it spelt right in MODELDEPS_MIRRORS?"
        asked = len(bare.requests)
        (note,) = [
            one
            for one in looked(tmp_path, "0", MODELDEPS_MIRRORS=bare.url, MODELDEPS_OFFLINE="1")
            if one[1] == "mirror"
        ]
        assert note[:3] == ("note", "mirror", f"{bare.url} was not asked, offline")
        assert len(bare.requests) == asked


def test_doctor_names_where_a_wrong_provider_stands_and_what_looks_like_a_setting(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("provider = 'bogus'\n")
    found = looked(
        tmp_path,
        MODELDEPS_CONFIG=str(file),
        MODELDEPS_CHANEL="x",
        MODELDEPS_MY_OWN="x",
        MODELDEPS_CERTIFICATES=str(tmp_path / "gone.pem"),
    )
    states = {subject: (state, text, hint) for state, subject, text, hint in found}
    state, text, hint = states[f"`provider` in {file}"]
    assert (state, hint) == ("wrong", f"correct `provider` in {file}")
    told = [one for one in found if one[1] == "settings"]
    assert told == [
        (
            "note",
            "settings",
            "MODELDEPS_CHANEL is set, and is no setting",
            "did you mean MODELDEPS_CHANNELS?",
        ),
        ("note", "settings", "MODELDEPS_MY_OWN is set, and is no setting", ""),
    ]
    state, text, hint = states["certificates"]
    assert state == "wrong"
    assert f"MODELDEPS_CERTIFICATES: expected certificates in PEM, found {tmp_path / 'gone.pem'}: " in text
    assert hint == "correct or unset MODELDEPS_CERTIFICATES"


def test_doctor_says_whom_it_waits_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, scripted.scripted(lambda _: time.sleep(1)) as slow:
        patch.setattr(_waiting, "WAIT", 0.2)
        patch.setenv("MODELDEPS_CHANNELS", slow.url.replace("//", "//me:hidden@"))
        patch.chdir(tmp_path)
        main(["doctor"])
    assert f"{slow.url}: no answer for 0 s; still waiting\n" in capsys.readouterr().err
