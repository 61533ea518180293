"""What the user changes while a process runs is heeded by its next fetch."""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

import blob_server
import pytest
import scripted
import trustme

from modeldeps.errors import ConfigError, UnreachableError
from modeldeps.fetch import read_url
from modeldeps.fetch._open import transport
from modeldeps.fetch._stamps import stamps

if TYPE_CHECKING:
    from pathlib import Path

    from blob_server import BlobServer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder that knows nothing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("MODELDEPS_CONFIG", raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    (tmp_path / "modeldeps").mkdir()
    return tmp_path


def said(server: BlobServer) -> str | None:
    server.blobs["/x"] = b"x"
    assert read_url(f"{server.url}x", limit=1) == b"x"
    return server.requests[-1].headers.get("authorization")


def test_a_token_that_is_changed_in_the_configuration_is_sent_from_then_on(
    server: BlobServer, home: Path
) -> None:
    config = home / "modeldeps" / "config.toml"
    assert said(server) is None
    for token in ("first", "other", "third"):
        config.write_text(f'[tokens]\n"{server.url}" = "{token}"\n')
        assert said(server) == f"Bearer {token}"
    config.unlink()
    assert said(server) is None


def test_a_configuration_that_breaks_is_told(server: BlobServer, home: Path) -> None:
    assert said(server) is None
    (home / "modeldeps" / "config.toml").write_text("tokens = 3\n")
    with pytest.raises(ConfigError):
        said(server)


def test_a_password_that_is_changed_in_netrc_is_sent_from_then_on(server: BlobServer, home: Path) -> None:
    assert said(server) is None
    heard = set()
    for number, name in enumerate(["_netrc", ".netrc", ".netrc"]):
        (home / name).write_text(f"machine 127.0.0.1 login me password word{number}\n")
        (home / name).chmod(0o600)
        heard.add(said(server))
    assert len(heard) == 3
    assert None not in heard


def test_certificates_that_are_replaced_are_believed_from_then_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = trustme.CA(), trustme.CA()
    place = home / "certificates"
    place.mkdir()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    second.issue_cert("127.0.0.1").configure_cert(context)
    with scripted.scripted(scripted.always(scripted.ok(b"x")), context) as server:
        for named in (place, place / "ca.pem"):
            monkeypatch.setenv("MODELDEPS_CERTIFICATES", str(named))
            first.cert_pem.write_to_path(str(place / "ca.pem"))
            with pytest.raises(UnreachableError, match="certificate verify failed"):
                read_url(server.url, limit=1)
            second.cert_pem.write_to_path(str(place / "ca.pem"))
            assert read_url(server.url, limit=1) == b"x"


def test_connections_are_kept_as_long_as_nothing_changes(server: BlobServer, home: Path) -> None:
    (home / "modeldeps" / "config.toml").write_text(f'[tokens]\n"{server.url}" = "token"\n')
    assert {said(server) for _ in range(5)} == {"Bearer token"}
    assert server.connections == 1
    assert transport(server.url) is transport(f"{server.url}x")


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_differs(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    for one in (file, other):
        one.write_bytes(b"same")
        os.utime(one, (1, 1))
    before = stamps([file, tmp_path / "nothing", "a\0b"])
    assert before == stamps([file, tmp_path / "nothing", "a\0b"])
    other.replace(file)
    assert before != stamps([file, tmp_path / "nothing", "a\0b"])


def test_a_redirect_that_was_learned_is_not_followed_with_a_token_that_is_gone(
    server: BlobServer, mirror: BlobServer, home: Path
) -> None:
    (home / "modeldeps" / "config.toml").write_text(f'[tokens]\n"{mirror.url}" = "token"\n')
    server.faults["/x"] = [blob_server.redirect(f"{mirror.url}x")] * 9
    mirror.blobs["/x"] = b"x"
    assert read_url(f"{server.url}x", limit=1) == b"x"
    (home / "modeldeps" / "config.toml").unlink()
    assert read_url(f"{server.url}x", limit=1) == b"x"
    assert [one.headers.get("authorization") for one in mirror.requests] == ["Bearer token", None]
