"""A yank is seen everywhere, and can be taken back."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from channels import check_channel, links, snapshot
from releases import Release

from modeldeps.errors import (
    NotAChannelError,
    NotPublishedError,
)
from modeldeps.publish.channel import publish, yank

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = "modeldeps-digits"


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """Return a channel with digits 2.0.0."""
    root = tmp_path / "channel"
    publish(Release(version="2.0.0").build(tmp_path / "dist-2.0.0"), root)
    return root


def attributes(channel: Path) -> dict[str, str | None]:
    found = links(channel / "simple" / PROJECT / "index.html")
    return {str(one["href"]).split("-")[1]: one.get("data-yanked") for one in found}


def test_a_yank_is_seen_everywhere_and_can_be_taken_back(tmp_path: Path, channel: Path) -> None:
    publish(Release().build(tmp_path / "dist"), channel)
    before = snapshot(channel)
    reason = 'labels of "7" & <1>\nwere swapped'
    words = 'labels of "7" & <1> were swapped'
    assert yank(channel, "Digits", "2.0.0", reason=reason)
    assert attributes(channel) == {"2.1.0": None, "2.0.0": words}
    page = json.loads((channel / "simple" / PROJECT / "index.json").read_bytes())
    assert {one["filename"].split("-")[1]: one["yanked"] for one in page["files"]} == {
        "2.1.0": False,
        "2.0.0": words,
    }
    assert "Yanked: labels of" in (channel / "models/digits/2.0.0/index.html").read_text()
    assert "yanked: labels of" in (channel / "models/digits/index.html").read_text()
    assert check_channel(channel)
    assert not yank(channel, "digits", "2.0.0", reason=reason)
    assert yank(channel, "digits", "2.0.0", reason="", undo=True)
    assert snapshot(channel) == before
    assert not yank(channel, "digits", "2.0.0", reason="", undo=True)


def test_a_yank_without_words_is_one_all_the_same(channel: Path) -> None:
    assert yank(channel, "digits", "2.0.0", reason="  ")
    assert attributes(channel) == {"2.0.0": "no reason given"}


def test_publishing_again_does_not_take_a_yank_back(tmp_path: Path, channel: Path) -> None:
    yank(channel, "digits", "2.0.0", reason="bad")
    publish(tmp_path / "dist-2.0.0", channel)
    assert attributes(channel) == {"2.0.0": "bad"}


@pytest.mark.parametrize(
    ("name", "version"), [("digits", "9.9.9"), ("digit", "2.0.0"), ("digits", "../2.0.0")]
)
def test_a_release_that_is_not_there_can_not_be_yanked(name: str, version: str, channel: Path) -> None:
    before = snapshot(channel)
    with pytest.raises(NotPublishedError, match="is not in the channel") as caught:
        yank(channel, name, version, reason="x")
    assert ("there:" in str(caught.value), "did you mean digits?" in str(caught.value)) == (
        True,
        name == "digit",
    )
    assert snapshot(channel) == before


def test_a_folder_that_is_no_channel_is_not_made_one_by_a_yank(tmp_path: Path) -> None:
    for place in (tmp_path / "nothing", tmp_path):
        with pytest.raises(NotAChannelError):
            yank(place, "digits", "2.0.0", reason="x")
    assert not list(tmp_path.iterdir())


def test_the_first_page_shows_the_release_that_installers_take(tmp_path: Path, channel: Path) -> None:
    for version in ("2.10.0", "2.9.0", "3.0.0rc1", "2.11.0"):
        publish(Release(version=version).build(tmp_path / version), channel)
    yank(channel, "digits", "2.11.0", reason="bad")
    page = (channel / "index.html").read_text()
    assert "<td>2.10.0</td>" in page
    for version in ("2.10.0", "2.9.0", "2.0.0"):
        yank(channel, "digits", version, reason="bad")
    assert "<td>3.0.0rc1</td>" in (channel / "index.html").read_text()
    yank(channel, "digits", "3.0.0rc1", reason="bad")
    assert "<td>2.11.0</td>" in (channel / "index.html").read_text()


def test_a_channel_out_of_a_clone_can_be_yanked_from(tmp_path: Path, channel: Path) -> None:
    shutil.rmtree(channel / ".incoming")
    assert yank(channel, "digits", "2.0.0", reason="bad")
