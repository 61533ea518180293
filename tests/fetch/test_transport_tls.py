"""Whom a transport believes."""

from __future__ import annotations

import datetime as dt
import random
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

import pytest
import scripted
import trustme

from modeldeps.errors import BrokenTransferError, ConfigError, RefusedError, SourceError
from modeldeps.fetch import Request, _http, _trust_roots
from modeldeps.fetch._open import _http as kept_transport
from modeldeps.fetch._open import transport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = random.Random(9).randbytes(3_000_000)  # noqa: S311 - no secret
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    kept_transport.cache_clear()
    yield
    kept_transport.cache_clear()


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    monkeypatch.setenv("MODELDEPS_CERTIFICATES", str(tmp_path / "ca.pem"))
    return authority


def serving(certificate: trustme.LeafCert, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if version:
        context.maximum_version = version
    return context


def read(url: str) -> bytes:
    with transport(url).open(Request(url)) as body:
        return b"".join(bytes(block) for block in body.blocks)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_bytes_come_whole_under_tls_and_the_connection_is_kept(
    trusted: trustme.CA, version: ssl.TLSVersion
) -> None:
    context = serving(trusted.issue_cert("127.0.0.1"), version)
    with scripted.scripted(scripted.always(scripted.ok(DATA)), context) as server:
        assert [read(server.url) == DATA for _ in range(3)] == [True] * 3
        found = transport(server.url).open_each([Request(server.url)] * 5)
        for one in found:
            assert not isinstance(one, SourceError)
            assert b"".join(bytes(block) for block in one.blocks) == DATA
        assert server.connections == 1


def test_blocks_under_tls_are_larger_than_its_records(trusted: trustme.CA) -> None:
    context = serving(trusted.issue_cert("127.0.0.1"))
    with scripted.scripted(scripted.always(scripted.ok(DATA * 10)), context) as server:
        with transport(server.url).open(Request(server.url)) as body:
            sizes = [len(block) for block in body.blocks]
        assert sum(sizes) == len(DATA) * 10
        assert len(sizes) < len(DATA) * 10 / 32_768


@pytest.mark.parametrize("setting", ["MODELDEPS_CERTIFICATES", "SSL_CERT_FILE", "folder"])
def test_an_authority_of_the_user_is_trusted(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    context = serving(authority.issue_cert("127.0.0.1"))
    with scripted.scripted(scripted.always(scripted.ok(b"fine")), context) as server:
        with pytest.raises(RefusedError, match="certificate verify failed: unable"):
            read(server.url)
        place = tmp_path if setting == "folder" else tmp_path / "ca.pem"
        monkeypatch.setenv("MODELDEPS_CERTIFICATES" if setting == "folder" else setting, str(place))
        assert read(server.url) == b"fine"


def test_a_changed_setting_counts_from_the_next_request_on(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = serving(authority.issue_cert("127.0.0.1"))
    with scripted.scripted(scripted.always(scripted.ok(b"fine")), context) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert read(server.url) == b"fine"
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(RefusedError, match="verify failed"):
            read(server.url)


def test_a_certificate_for_another_host_is_not_believed(trusted: trustme.CA) -> None:
    context = serving(trusted.issue_cert("models.example.com"))
    with (
        scripted.scripted(scripted.always(scripted.ok(b"evil")), context) as server,
        pytest.raises(RefusedError, match="no trusted connection: certificate verify failed: IP address"),
    ):
        read(server.url)


def test_a_certificate_that_expired_is_not_believed(trusted: trustme.CA) -> None:
    certificate = trusted.issue_cert("127.0.0.1", not_before=PAST, not_after=PAST + dt.timedelta(days=9))
    with (
        scripted.scripted(scripted.always(scripted.ok(b"evil")), serving(certificate)) as server,
        pytest.raises(RefusedError, match="certificate has expired"),
    ):
        read(server.url)


def test_a_certificate_of_an_unknown_authority_is_not_believed(trusted: trustme.CA) -> None:
    context = serving(trustme.CA().issue_cert("127.0.0.1"))
    with scripted.scripted(scripted.always(scripted.ok(b"evil")), context) as server:
        for one in (*transport(server.url).open_each([Request(server.url)] * 2),):
            assert isinstance(one, RefusedError)
            assert "verify failed" in one.reason
        assert server.heard == []


def test_the_context_that_asks_the_system_believes_the_same(
    trusted: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_trust_roots, "_system", _trust_roots.by_truststore)
    with scripted.scripted(
        scripted.always(scripted.ok(b"fine")), serving(trusted.issue_cert("127.0.0.1"))
    ) as server:
        assert read(server.url) == b"fine"
    monkeypatch.delenv("MODELDEPS_CERTIFICATES")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with scripted.scripted(
        scripted.always(scripted.ok(b"fine")), serving(trusted.issue_cert("127.0.0.1"))
    ) as server:
        assert read(server.url) == b"fine"
    with (
        scripted.scripted(
            scripted.always(scripted.ok(b"evil")), serving(trustme.CA().issue_cert("127.0.0.1"))
        ) as server,
        pytest.raises(RefusedError, match="verify failed"),
    ):
        read(server.url)


def test_a_python_whose_openssl_looks_nowhere_finds_the_bundle_of_the_system(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = ssl.get_default_verify_paths()._replace(**dict.fromkeys(("cafile", "capath")))  # type: ignore[arg-type]
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nothing)
    monkeypatch.setattr(_trust_roots, "_PLACES", (str(tmp_path / "none"), str(tmp_path / "ca.pem")))
    context = serving(authority.issue_cert("127.0.0.1"))
    with scripted.scripted(scripted.always(scripted.ok(b"fine")), context) as server:
        assert read(server.url) == b"fine"


def test_a_server_that_asks_for_a_certificate_gets_the_one_that_was_set(
    trusted: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = serving(trusted.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    trusted.configure_trust(context)
    trusted.issue_cert("me@example.com").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "me.pem")
    )
    with scripted.scripted(scripted.always(scripted.ok(b"fine")), context) as server:
        with pytest.raises(SourceError):
            read(server.url)
        monkeypatch.setenv("MODELDEPS_CLIENT_CERTIFICATE", str(tmp_path / "me.pem"))
        assert read(server.url) == b"fine"


@pytest.mark.parametrize(
    ("variable", "content", "problem"),
    [
        ("MODELDEPS_CERTIFICATES", None, "MODELDEPS_CERTIFICATES: expected certificates in PEM, found "),
        (
            "MODELDEPS_CERTIFICATES",
            b"nonsense",
            "MODELDEPS_CERTIFICATES: expected certificates in PEM, found ",
        ),
        (
            "MODELDEPS_CLIENT_CERTIFICATE",
            None,
            "MODELDEPS_CLIENT_CERTIFICATE: expected a certificate and its key",
        ),
        (
            "MODELDEPS_CLIENT_CERTIFICATE",
            b"nonsense",
            "MODELDEPS_CLIENT_CERTIFICATE: expected a certificate and its key",
        ),
    ],
)
def test_a_certificate_that_can_t_be_used_is_a_problem_of_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, content: bytes | None, problem: str
) -> None:
    place = tmp_path / "x.pem"
    if content is not None:
        place.write_bytes(content)
    monkeypatch.setenv(variable, str(place))
    with socket.create_server(("127.0.0.1", 0)) as listening, pytest.raises(ConfigError) as caught:
        read(f"https://127.0.0.1:{listening.getsockname()[1]}/")
    assert problem in str(caught.value)
    assert str(place) in str(caught.value)


def test_a_server_that_speaks_no_tls_is_refused(trusted: trustme.CA) -> None:
    with (
        scripted.scripted(lambda line: line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server,
        pytest.raises(RefusedError, match="no trusted connection: the server does not speak TLS") as caught,
    ):
        read(server.url.replace("http:", "https:"))
    assert "http://" in caught.value.advice


def test_a_server_that_hangs_up_before_tls_may_be_asked_again(trusted: trustme.CA) -> None:
    with scripted.scripted(lambda _: None) as server, pytest.raises(BrokenTransferError):
        read(server.url.replace("http:", "https:"))


def test_a_server_that_never_finishes_tls_is_left(
    trusted: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "CONNECT_TIMEOUT", 0.2)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(BrokenTransferError, match="in time"):
        read(f"https://127.0.0.1:{mute.getsockname()[1]}/")
    assert time.monotonic() - began < 5


def test_an_end_without_a_length_counts_only_where_tls_ends_too(trusted: trustme.CA) -> None:
    def talk(line: scripted.Line) -> None:
        heard = line.request()
        assert heard
        line.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        if heard.path == "/whole":
            assert isinstance(line.sock, ssl.SSLSocket)
            line.sock.unwrap()

    with scripted.scripted(talk, serving(trusted.issue_cert("127.0.0.1"))) as server:
        assert read(f"{server.url}whole") == b"abc"
        with pytest.raises(BrokenTransferError, match="closed before the end"):
            read(f"{server.url}cut")


def test_a_secure_host_is_reached_through_a_tunnel(
    trusted: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = serving(trusted.issue_cert("127.0.0.1"))
    with scripted.scripted(scripted.always(scripted.ok(DATA)), context) as server:

        def talk(line: scripted.Line) -> None:
            heard = line.request()
            assert heard
            with socket.create_connection(("127.0.0.1", server.port)) as far:
                line.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(far, line.sock), daemon=True)
                back.start()
                pump(line.sock, far)
                back.join()

        with scripted.scripted(talk) as proxy:
            monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:word@"))
            secret = server.url.replace("//", "//you:hidden@")
            assert [read(secret) == DATA for _ in range(2)] == [True] * 2
            found = [*transport(secret).open_each([Request(secret)] * 2)]
            assert not any(isinstance(one, SourceError) for one in found)
            for one in found:
                one.close()  # type: ignore[union-attr]
            assert "hidden" not in str(proxy.heard)
            assert "authorization" not in proxy.heard[0].headers
            assert "proxy-authorization" not in server.heard[0].headers


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
