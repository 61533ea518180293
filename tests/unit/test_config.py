from __future__ import annotations

import os
from pathlib import Path

import pytest

from modeldeps.config import channel_url, settings
from modeldeps.errors import ConfigError


def test_nothing_set_gives_the_platforms_cache_and_no_channel(tmp_path: Path) -> None:
    found = settings({"MODELDEPS_CONFIG": str(tmp_path / "none.toml")})
    assert found.cache.name == "modeldeps"
    assert found.channels == ()
    assert found.prefetch
    assert not found.offline
    assert found.provider == "auto"


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        'cache = "/from/file"\nchannels = ["https://a.example/c"]\noffline = true\n', encoding="utf-8"
    )
    base = {"MODELDEPS_CONFIG": str(file)}
    from_file = settings(base)
    assert from_file.channels == ("https://a.example/c/",)
    assert from_file.offline
    changed = settings(
        {**base, "MODELDEPS_CHANNELS": "https://b.example/ https://c.example", "MODELDEPS_OFFLINE": "0"}
    )
    assert changed.channels == ("https://b.example/", "https://c.example/")
    assert not changed.offline
    assert settings({**base, "MODELDEPS_CACHE": str(tmp_path)}).cache == tmp_path


def test_read_only_stores_are_separated_as_path_is() -> None:
    found = settings({"MODELDEPS_STORES": f"/one{os.pathsep}/two"})
    assert found.stores == (Path("/one"), Path("/two"))


def test_a_folder_is_a_channel_too(tmp_path: Path) -> None:
    assert channel_url(str(tmp_path)) == tmp_path.as_uri() + "/"
    assert channel_url("https://models.example.com") == "https://models.example.com/"


def test_every_problem_of_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('cache = 1\nchannels = "x"\noffline = "maybe"\ncolour = "red"\n', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        settings({"MODELDEPS_CONFIG": str(file)})
    assert {problem.key for problem in caught.value.problems} == {"cache", "channels", "offline", "colour"}


@pytest.mark.parametrize("content", [b"cache = ", b"\xff\xfe"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        settings({"MODELDEPS_CONFIG": str(file)})


NOBODY = "~nobody-has-this-name/x"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MODELDEPS_CACHE", NOBODY),
        ("MODELDEPS_CACHE", " "),
        ("MODELDEPS_STORES", f"/one{os.pathsep}{NOBODY}"),
        ("MODELDEPS_CHANNELS", f"https://a.example {NOBODY}"),
        ("MODELDEPS_CONFIG", NOBODY),
        ("MODELDEPS_OFFLINE", "maybe"),
        ("MODELDEPS_PREFETCH", "2"),
    ],
)
def test_a_variable_with_a_value_that_cannot_be_is_named(variable: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the environment has 1 problem") as caught:
        settings({"MODELDEPS_CONFIG": str(tmp_path / "none.toml"), variable: value})
    assert [problem.key for problem in caught.value.problems] == [variable]


def test_places_of_the_file_that_cannot_be_are_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f'cache = "a\\u0000b"\nchannels = ["", "{NOBODY}"]\nstores = ["{NOBODY}"]', encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"config\.toml has 4 problems") as caught:
        settings({"MODELDEPS_CONFIG": str(file)})
    assert sorted(problem.key for problem in caught.value.problems) == [
        "cache",
        "channels",
        "channels",
        "stores",
    ]


def test_a_channel_that_cannot_be_a_folder_is_named() -> None:
    with pytest.raises(ConfigError, match="nobody-has-this-name"):
        channel_url(NOBODY)
