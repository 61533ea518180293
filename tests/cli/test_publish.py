"""`modeldeps publish` and `modeldeps yank` as a person uses them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from channels import check_channel
from conda_releases import plain, write
from releases import Release

from modeldeps.cli import main
from modeldeps.fetch.index import Channel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """Return a built release."""
    return Release().build(tmp_path / "dist")


@pytest.fixture
def here(dist: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the folder that the dist folder is in."""
    monkeypatch.chdir(dist.parent)
    return dist.parent


def test_publish_tells_what_became_of_each_release(
    dist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Release(name="letters", payload=bytes(3000)).build(dist)
    assert main(["publish", str(dist), "--to", str(tmp_path / "channel")]) == 0
    found = capsys.readouterr()
    assert found.out.splitlines() == [
        "MODEL    VERSION  STATE      COPIED",
        "digits   2.1.0    published  24 B",
        "letters  2.1.0    published  3.0 kB",
    ]
    assert found.err == f"channel: {(tmp_path / 'channel').as_uri()}/\n"
    assert main(["publish", str(dist), "--to", str(tmp_path / "channel")]) == 0
    assert capsys.readouterr().out.count("was there already") == 2


def test_publish_speaks_json(dist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", str(dist), "--to", (tmp_path / "channel").as_uri(), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["releases"]
    assert found["wheel"].endswith("modeldeps_digits-2.1.0-py3-none-any.whl")
    assert [one.rpartition("/")[2] for one in found["conda"]] == ["modeldeps-digits-2.1.0-pointer_1.conda"]
    del found["wheel"], found["conda"]
    assert found == {"name": "digits", "version": "2.1.0", "new": True, "yanked": None, "bytes_copied": 24}


def test_a_conda_package_that_is_no_model_s_is_published_and_yanked_by_its_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here / "more", plain())
    assert main(["publish", "more/tool-1.0-py_0.conda", "--to", "channel", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["releases"]
    assert (found["name"], found["version"], found["wheel"]) == ("tool", "1.0", None)
    assert main(["yank", "tool", "1.0", "--from", "channel", "--reason", "bad"]) == 0
    assert main(["publish", "more", "--to", "channel"]) == 0
    assert "was there already, yanked: bad" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (
            ["publish", "dist", "--to", "https://models.example.com/"],
            2,
            "published to a folder, not to a URL",
        ),
        (["publish", "nothing", "--to", "channel"], 2, "hint: modeldeps build DIR --output DIST"),
        (["publish", "dist", "--to", "/proc/channel"], 3, "the channel can't be written"),
        (["yank", "digits", "2.1.0", "--from", "nothing", "--reason", "x"], 3, "that is not a channel"),
        (["yank", "digits", "2.1.0", "--from", "s3://models", "--undo"], 2, "not to a URL"),
        (["yank", "-digits", "2.1.0", "--from", "channel", "--undo"], 2, "usage:"),
        (["yank", "digits", "2.1.0", "--from", "channel"], 2, "--reason"),
        (["publish", "dist"], 2, "--to"),
    ],
)
def test_wrong_words_have_a_clear_answer(
    words: list[str],
    status: int,
    said: str,
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        found = main(words)
    except SystemExit as leaving:
        found = int(str(leaving.code))
    assert found == status
    assert said in capsys.readouterr().err
    assert not (here / "channel").exists()


def test_another_release_of_the_same_version_is_refused(
    dist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    channel = tmp_path / "channel"
    assert main(["publish", str(dist), "--to", str(channel)]) == 0
    other = Release(payload=b"other").build(tmp_path / "other")
    assert main(["publish", str(other), "--to", str(channel)]) == 1
    said = capsys.readouterr().err
    assert "error: digits 2.1.0 is in the channel already, and it is not this one" in said
    assert "hint: a version is never replaced: raise the version" in said
    assert set(check_channel(channel)) == {"modeldeps-digits"}


def test_yank_and_undo_say_what_they_did(
    dist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    channel = tmp_path / "channel"
    main(["publish", str(dist), "--to", str(channel)])
    capsys.readouterr()
    words = ["yank", "digits", "2.1.0", "--from", str(channel)]
    assert main([*words, "--reason", "wrong labels"]) == 0
    assert Channel(str(channel)).releases("digits")[0].yanked == "wrong labels"
    assert main([*words, "--reason", "wrong labels"]) == 0
    assert main([*words, "--undo", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["digits 2.1.0 is yanked", "digits 2.1.0 is yanked (it was so before)"]
    assert json.loads("\n".join(lines[2:])) == {
        "name": "digits",
        "version": "2.1.0",
        "yanked": False,
        "changed": True,
    }


def test_yanking_what_is_not_there_names_what_is(
    dist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["publish", str(dist), "--to", str(tmp_path / "channel")])
    capsys.readouterr()
    status = main(["yank", "digits", "9.0.0", "--from", str(tmp_path / "channel"), "--reason", "x"])
    assert status == 1
    assert "there: 2.1.0" in capsys.readouterr().err
