from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from modeldeps.config import Settings, channel_url, origin, settings, system_config_file
from modeldeps.errors import ConfigError
from modeldeps.tokens import Token


def test_nothing_set_gives_the_platforms_cache_and_no_channel(tmp_path: Path) -> None:
    found = settings({"MODELDEPS_CONFIG": os.devnull})
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
        settings({"MODELDEPS_CONFIG": os.devnull, variable: value})
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


def test_what_the_machine_s_file_sets_counts_until_the_user_s_file_or_a_variable_says_else(
    tmp_path: Path,
) -> None:
    machine, mine = tmp_path / "machine.toml", tmp_path / "mine.toml"
    machine.write_text('cache = "/srv/models"\nstores = ["/opt/models"]\noffline = true\n')
    base = {"MODELDEPS_SYSTEM_CONFIG": str(machine), "MODELDEPS_CONFIG": os.devnull}
    found = settings(base)
    assert (found.cache, found.stores, found.offline) == (Path("/srv/models"), (Path("/opt/models"),), True)
    base["MODELDEPS_CONFIG"] = str(mine)
    mine.write_text("stores = []\noffline = false\n")
    found = settings(base)
    assert (found.cache, found.stores, found.offline) == (Path("/srv/models"), (), False)
    assert settings({**base, "MODELDEPS_CACHE": str(tmp_path)}).cache == tmp_path


def test_a_problem_is_told_of_the_file_that_has_it(tmp_path: Path) -> None:
    machine, mine = tmp_path / "machine.toml", tmp_path / "mine.toml"
    machine.write_text("cache = 7\nstorez = 1\n")
    mine.touch()
    base = {"MODELDEPS_SYSTEM_CONFIG": str(machine), "MODELDEPS_CONFIG": str(mine)}
    with pytest.raises(ConfigError) as caught:
        settings(base)
    assert "machine.toml" in str(caught.value)
    assert "cache: expected text, found int" in str(caught.value)
    assert "storez: is not a key; did you mean 'stores'?" in str(caught.value)
    machine.write_text("")
    mine.write_text("offline = 'no'\n")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        settings(base)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is asked")
def test_the_machine_s_file_is_the_first_that_is_there(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    environ = {"XDG_CONFIG_DIRS": ":".join(["relative", *map(str, folders)])}
    assert system_config_file(environ) == folders[2] / "modeldeps" / "config.toml"
    (folders[1] / "modeldeps").mkdir(parents=True)
    (folders[1] / "modeldeps" / "config.toml").touch()
    assert system_config_file(environ) == folders[1] / "modeldeps" / "config.toml"
    for nothing in ({}, {"XDG_CONFIG_DIRS": ""}, {"XDG_CONFIG_DIRS": "relative"}):
        assert system_config_file(nothing) == Path("/etc/xdg/modeldeps/config.toml")


def test_mirrors_and_connections_come_from_the_file_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('mirrors = ["https://near.example.com"]\nconnections = 4\n')
    named = {"MODELDEPS_CONFIG": str(file)}
    found = settings(named)
    assert (found.mirrors, found.connections) == (("https://near.example.com/",), 4)
    found = settings(
        {**named, "MODELDEPS_MIRRORS": "https://a.example/ /srv/b", "MODELDEPS_CONNECTIONS": "8"}
    )
    assert (found.mirrors, found.connections) == (("https://a.example/", "file:///srv/b/"), 8)
    assert settings({"MODELDEPS_CONFIG": os.devnull}).connections == 16


@pytest.mark.parametrize("text", ["0", "65", "-1", "many", "1.5", "9" * 5000])
def test_a_number_of_connections_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a number from 1 to 64"):
        settings({"MODELDEPS_CONFIG": os.devnull, "MODELDEPS_CONNECTIONS": text})
    file = tmp_path / "config.toml"
    file.write_text("connections = true\n")
    with pytest.raises(ConfigError, match="expected a number, found bool"):
        settings({"MODELDEPS_CONFIG": str(file)})


def test_every_place_of_a_file_is_meant_from_the_folder_of_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine", "machine", "here"):
        (tmp_path / name).mkdir()
    mine, machine = tmp_path / "mine" / "config.toml", tmp_path / "machine" / "config.toml"
    mine.write_text(
        "cache = 'store'\nchannels = ['channel', '/srv/c']\nmirrors = ['m']\nstores = ['s', '/s']\n"
    )
    machine.write_text("certificates = 'ca.pem'\nclient-certificate = 'me.pem'\ncache = 'not this'\n")
    monkeypatch.chdir(tmp_path / "here")
    found = settings({"MODELDEPS_CONFIG": str(mine), "MODELDEPS_SYSTEM_CONFIG": str(machine)})
    folder = tmp_path / "mine"
    assert (found.cache, found.stores) == (folder / "store", (folder / "s", Path("/s")))
    assert found.channels == (f"{folder.as_uri()}/channel/", "file:///srv/c/")
    assert found.mirrors == (f"{folder.as_uri()}/m/",)
    assert found.certificates == tmp_path / "machine" / "ca.pem"
    assert found.client_certificate == tmp_path / "machine" / "me.pem"


def test_an_empty_variable_counts_as_none_and_empty_channels_mean_no_channel(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("channels = ['https://a.example']\noffline = true\nprefetch = false\n")
    names = ("OFFLINE", "PREFETCH", "ADOPT", "CACHE", "CONNECTIONS", "PROVIDER", "STORES", "CHANNELS")
    found = settings({"MODELDEPS_CONFIG": str(file), **{f"MODELDEPS_{name}": "" for name in names}})
    assert (found.offline, found.prefetch, found.adopt, found.connections) == (True, False, True, 16)
    assert found.channels == ()


def test_where_a_setting_comes_from_is_its_variable_or_the_key_of_a_file(tmp_path: Path) -> None:
    mine, machine = tmp_path / "mine.toml", tmp_path / "machine.toml"
    mine.write_text("offline = true\n")
    machine.write_text("offline = false\ncache = 'x'\n")
    named = {"MODELDEPS_CONFIG": str(mine), "MODELDEPS_SYSTEM_CONFIG": str(machine)}
    assert origin("offline", named) == f"`offline` in {mine}"
    assert origin("cache", named) == f"`cache` in {machine}"
    assert origin("client-certificate", named) == ""
    assert origin("offline", {**named, "MODELDEPS_OFFLINE": "1"}) == "MODELDEPS_OFFLINE"


def test_settings_are_shown_without_the_credentials_of_channels() -> None:
    shown = repr(
        Settings(
            Path("/store"),
            channels=("https://me:word@a.example/c/",),
            mirrors=("https://word@b.example/",),
            tokens=(Token("https://a.example/", "word"),),
        )
    )
    assert "word" not in shown
    assert shown.startswith("Settings(cache=")
    assert "channels=('https://a.example/c/',), mirrors=('https://b.example/',)" in shown


@pytest.mark.parametrize(
    "text",
    ["http://[::1]/", "https://me:pw@[::1]:443/c/", "HTTP://a.example:80/", "file:///srv/c/", "http://a:/c/"],
)
def test_urls_of_every_kind_are_channels(text: str) -> None:
    assert channel_url(text) == text
