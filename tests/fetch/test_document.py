from __future__ import annotations

import os
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import blob_server
import pytest
import scripted
import trustme

from modeldeps.errors import NotFoundError, RefusedError, UnreachableError, redact
from modeldeps.fetch import read_url
from modeldeps.fetch._origin import Origin, split_credentials

if TYPE_CHECKING:
    from pathlib import Path

    from blob_server import BlobServer


def test_a_document_is_read_over_http_and_out_of_a_folder(server: BlobServer, tmp_path: Path) -> None:
    server.blobs["/simple/"] = b"<html>"
    page = tmp_path / "a page.html"
    page.write_bytes(b"<html>")
    assert read_url(f"{server.url}simple/", limit=6) == b"<html>"
    assert read_url(page.as_uri(), limit=6) == b"<html>"
    assert read_url(page.as_uri().replace("file:///", "file://localhost/"), limit=6) == b"<html>"


def test_headers_of_the_caller_are_sent_and_not_to_another_host(
    server: BlobServer, mirror: BlobServer
) -> None:
    server.blobs["/page"] = b""
    server.faults["/page"] = [blob_server.redirect(f"{mirror.url}page")]
    mirror.blobs["/page"] = b"found"
    headers = {"Accept": "application/json", "X-Token": "secret", "Authorization": "Bearer secret"}
    assert read_url(f"{server.url}page", limit=10, headers=headers) == b"found"
    assert server.requests[0].headers["x-token"] == "secret"
    assert mirror.requests[0].headers["accept"] == "application/json"
    assert not {"x-token", "authorization"} & set(mirror.requests[0].headers)


def test_what_is_not_there_is_told_apart_from_what_can_t_be_reached(
    server: BlobServer, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError):
        read_url(f"{server.url}nothing", limit=10)
    with pytest.raises(NotFoundError):
        read_url((tmp_path / "nothing").as_uri(), limit=10)
    server.faults["/broken"] = [blob_server.status(500)] * 9
    with pytest.raises(UnreachableError, match="500 Internal Server Error"):
        read_url(f"{server.url}broken", limit=10)
    assert len(server.requests) == 5


def test_a_document_is_read_again_when_it_breaks_off(server: BlobServer) -> None:
    server.blobs["/page"] = b"0123456789"
    server.faults["/page"] = [blob_server.cut(3), blob_server.status(503), blob_server.raw(b"")]
    assert read_url(f"{server.url}page", limit=10) == b"0123456789"


@pytest.mark.parametrize("fault", [blob_server.endless, blob_server.other(b"x" * 11), blob_server.chunked])
def test_no_more_than_the_limit_is_read(server: BlobServer, fault: blob_server.Fault) -> None:
    server.blobs["/page"] = b"x" * 11
    server.faults["/page"] = [fault]
    with pytest.raises(UnreachableError, match="larger than 10 B"):
        read_url(f"{server.url}page", limit=10)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "there is no transport"),
        ("ftp://example.com/x", "there is no transport"),
        ("http://", "no URL that can be asked"),
        ("http://[bad/", "no URL that can be asked"),
        ("http://x:99999999/", "no URL that can be asked"),
        ("http://a b/", "no URL that can be asked"),
        ("http://example.com/caf\u00e9", "no URL that can be asked"),
        ("http://example.com/a\r\nHost: evil", "no URL that can be asked"),
        ("file://server/share/x", "names another machine"),
        ("file:///a%00b", "there is no such path"),
        ("file:///", "not a regular file"),
        ("file:///dev/zero", "not a regular file"),
    ],
)
def test_a_url_that_can_t_be_served_is_refused(url: str, reason: str) -> None:
    with pytest.raises(UnreachableError, match=reason):
        read_url(url, limit=10)


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_pipe_does_not_hang_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreachableError, match="not a regular file"):
        read_url((tmp_path / "pipe").as_uri(), limit=10)


def test_https_is_read_where_the_certificate_is_trusted_and_nowhere_else(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with scripted.scripted(scripted.always(scripted.ok(b"secure")), context) as server:
        with pytest.raises(UnreachableError, match=r"no trusted connection: .*certificate verify failed"):
            read_url(server.url, limit=10)
        code = f"from modeldeps.fetch import read_url; print(read_url({server.url!r}, limit=10))"
        trusting = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        done = subprocess.run(
            [sys.executable, "-c", code], env=trusting, capture_output=True, text=True, check=True
        )
    assert done.stdout == "b'secure'\n"


def test_a_proxy_of_the_environment_is_asked_with_its_own_credentials(
    server: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("http://", "http://me:word@"))
    server.faults["http://models.example.com/page"] = [blob_server.status(200, b"by proxy")]
    assert read_url("http://you:pass@models.example.com/page", limit=10) == b"by proxy"
    headers = server.requests[0].headers
    assert headers["proxy-authorization"] == "Basic bWU6d29yZA=="
    assert headers["authorization"] == "Basic eW91OnBhc3M="
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.blobs["/direct"] = b"direct"
    assert read_url(f"{server.url}direct", limit=10) == b"direct"
    assert "proxy-authorization" not in server.requests[1].headers


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@example.com/a?token=1#x", "https://example.com/a?***"),
        ("https://example.com/a", "https://example.com/a"),
        ("http://[bad", "a URL that can't be read"),
        ("https://example.com/\x1b[31mred\nline", "https://example.com/\\x1b[31mredline"),
        ("https://example.com/" + "a" * 500, "https://example.com/" + "a" * 277 + "..."),
        ("file:///srv/models@2/", "file:///srv/models@2/"),
        ("https:/user:pass@example.com/a", "https://example.com/a"),
        ("user:pass@example.com/a", "user://example.com/a"),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert redact(url) == shown
    assert shown in str(RefusedError(url, "because"))


def test_credentials_belong_to_scheme_host_and_port() -> None:
    assert split_credentials("https://a%40b:c%3Ad@h/x") == ("https://h/x", "Basic YUBiOmM6ZA==")
    assert split_credentials("https://h/x#part") == ("https://h/x", "")
    assert Origin.of("https://u@Host/x") == Origin.of("https://host:443/y")
    assert Origin.of("https://host/") != Origin.of("http://host/")
    assert Origin.of("https://host/") != Origin.of("https://host:8443/")
