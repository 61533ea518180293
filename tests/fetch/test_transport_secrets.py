"""Who is told what: tokens, netrc, proxies, and where they must not go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import blob_server
import pytest
import scripted

from modeldeps.check._finding import Project
from modeldeps.config import Settings, settings
from modeldeps.errors import (
    BrokenTransferError,
    ConfigError,
    DeniedError,
    RefusedError,
    SourceError,
    UnreachableError,
    redact,
)
from modeldeps.fetch import Request, read_url
from modeldeps.fetch._credentials import Credentials, covers, is_protected
from modeldeps.fetch._host import Host
from modeldeps.fetch._http import HttpTransport
from modeldeps.fetch._open import transport
from modeldeps.fetch._origin import Origin
from modeldeps.fetch._proxy import Proxy, proxy_of
from modeldeps.fetch._redirects import Hop
from modeldeps.fetch._task import Place, Source, Task
from modeldeps.fetch.index import IndexRelease
from modeldeps.manifest import File
from modeldeps.prefetch._question import Question
from modeldeps.project import Pyproject
from modeldeps.tokens import Token

if TYPE_CHECKING:
    from blob_server import BlobServer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NETRC", "MODELDEPS_TOKENS", "MODELDEPS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    return folder


def said(server: BlobServer) -> list[str | None]:
    return [one.headers.get("authorization") for one in server.requests]


def test_a_token_goes_to_the_urls_below_its_prefix_and_the_longest_prefix_wins(
    server: BlobServer, mirror: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDEPS_TOKENS", f"{server.url}=outer {server.url}team=inner=x")
    for path in ("/a", "/team", "/team/a", "/teamwork", "/team/../b", "/team/%2e%2E/b"):
        server.blobs[path] = mirror.blobs[path] = b""
        read_url(f"{server.url}{path[1:]}", limit=1)
        read_url(f"{mirror.url}{path[1:]}", limit=1)
    outer, inner = "Bearer outer", "Bearer inner=x"
    assert said(server) == [outer, inner, inner, outer, outer, outer]
    assert said(mirror) == [None] * 6


def test_tokens_may_stand_in_the_file_or_in_a_variable_that_the_file_names(
    server: BlobServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config" / "modeldeps").mkdir(parents=True)
    (home / "config" / "modeldeps" / "config.toml").write_text(
        f'[tokens]\n"{server.url}a" = "written"\n"{server.url}b" = {{ env = "MY_TOKEN" }}\n'
    )
    server.blobs.update({"/a": b"", "/b": b""})
    server.faults["/b"] = [blob_server.status(401)]
    read_url(f"{server.url}a", limit=1)
    with pytest.raises(UnreachableError, match="its token is to be in MY_TOKEN, which is not set"):
        read_url(f"{server.url}b", limit=1)
    monkeypatch.setenv("MY_TOKEN", "from outside\n")
    server.faults["/b"] = [blob_server.status(401)]
    with pytest.raises(UnreachableError, match="which is not set"):
        read_url(f"{server.url}b", limit=1)
    monkeypatch.setenv("MY_TOKEN", "outside")
    read_url(f"{server.url}b", limit=1)
    assert said(server) == ["Bearer written", None, None, "Bearer outside"]


@pytest.mark.parametrize(
    ("variable", "file", "problem"),
    [
        ("no-url", "", "MODELDEPS_TOKENS: expected URL=TOKEN"),
        ("https://x/=", "", "MODELDEPS_TOKENS: expected a token"),
        ("https://user@x/=hidden", "", "MODELDEPS_TOKENS: expected the URL that the token is for"),
        ("file:///x=hidden", "", "MODELDEPS_TOKENS: expected the URL"),
        ("", 'tokens = "hidden"', "tokens: expected a table, found str"),
        ("", '[tokens]\n"https://x/" = 3', "tokens: expected a token or"),
        ("", '[tokens]\n"https://x/" = { env = "" }', "tokens: expected a token or"),
        ("", '[tokens]\n"https://x/" = { env = "A", value = "hidden" }', "tokens: expected a token or"),
        ("", '[tokens]\n"https://x/?q" = "hidden"', "tokens: expected the URL"),
        ("", '[tokens]\n"https://x:y/" = "hidden"', "tokens: expected the URL"),
        ("", '[tokens]\n"https://x/" = "hid den\\n"', "tokens: expected a token"),
    ],
)
def test_a_token_that_is_none_is_a_problem_that_holds_no_secret(
    tmp_path: Path, variable: str, file: str, problem: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(file)
    with pytest.raises(ConfigError) as caught:
        settings({"MODELDEPS_CONFIG": str(config), "MODELDEPS_TOKENS": variable})
    assert problem in str(caught.value)
    assert "hid" not in str(caught.value)


def test_tokens_are_not_shown() -> None:
    token = Token("https://x/", "hidden")
    assert "hidden" not in repr(token)
    assert "hidden" not in repr(settings({"MODELDEPS_TOKENS": "https://x/=hidden"}))
    assert "hidden" not in repr(Credentials([token]).of("https://x/"))
    assert "word" not in repr(Proxy.parse("http://me:word@proxy/", "http://x/"))


def test_netrc_is_read_for_its_machines_and_never_for_everybody(
    server: BlobServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.blobs["/x"] = b""
    (home / ".netrc").write_text("machine 127.0.0.1 login me password word\n")
    read_url(f"{server.url}x", limit=1)
    (home / "other").write_text("default login me password word\n")
    monkeypatch.setenv("NETRC", str(home / "other"))
    read_url(f"{server.url}x", limit=1)
    assert said(server) == ["Basic bWU6d29yZA==", None]


def test_netrc_is_used_only_where_nobody_can_listen(home: Path) -> None:
    (home / "_netrc").write_text("machine example.com login me password word\n")
    assert Credentials().of("https://example.com/x").header == "Basic bWU6d29yZA=="
    assert Credentials().of("http://example.com/x").header == ""
    assert Credentials().of("https://www.example.com/x").header == ""
    assert is_protected(Origin.of("http://[::1]:80/"))
    assert not is_protected(Origin.of("http://127.0.0.1.example.com/"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"machine", "can't be understood, line 1"),
        (b"machine x login y password z\nnonsense here\n", "can't be understood, line 2"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (None, "can't be read: no such file or directory"),
        (b"#" * (1 << 20) + b"\n\n", "is no netrc file"),
    ],
    ids=["short", "nonsense", "no text", "missing", "large"],
)
def test_a_broken_netrc_is_told_when_a_server_wants_to_know_who_asks(
    server: BlobServer, home: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, problem: str
) -> None:
    netrc = home / "netrc"
    if content is not None:
        netrc.write_bytes(content)
    monkeypatch.setenv("NETRC", str(netrc))
    server.blobs["/x"] = b"public"
    assert read_url(f"{server.url}x", limit=10) == b"public"
    server.faults["/x"] = [blob_server.status(401)]
    with pytest.raises(UnreachableError, match=problem):
        read_url(f"{server.url}x", limit=10)


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_netrc_that_is_a_pipe_does_not_hang(server: BlobServer, home: Path) -> None:
    os.mkfifo(home / ".netrc")
    server.blobs["/x"] = b"public"
    assert read_url(f"{server.url}x", limit=10) == b"public"


def test_a_refusal_says_which_kind_of_credential_was_sent(
    server: BlobServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(url: str, **headers: str) -> str:
        server.faults["/x"] = [blob_server.status(403)]
        with pytest.raises(DeniedError) as caught:
            transport(url).open(Request(url, headers=headers))
        return caught.value.reason

    url = f"{server.url}x"
    assert refused(url) == "403 Forbidden; it was sent no credentials"
    assert refused(url, Authorization="x") == "403 Forbidden; it was sent what the caller said"
    (home / ".netrc").write_text("machine 127.0.0.1 login me password word\n")
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    assert refused(url) == "403 Forbidden; it was sent the user and password of netrc"
    monkeypatch.setenv("MODELDEPS_TOKENS", f"{server.url}=hidden")
    assert refused(url) == "403 Forbidden; it was sent the token that is set for it"
    own = url.replace("http://", "http://me:own@")
    assert refused(own) == "403 Forbidden; it was sent the user and password of its URL"
    server.faults["/x"] = [blob_server.status(401)]
    with pytest.raises(UnreachableError, match="hint: set a token for its URL in MODELDEPS_TOKENS"):
        read_url(url, limit=1)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("many", [False, True])
def test_no_credential_follows_a_redirect_to_another_host(
    server: BlobServer,
    mirror: BlobServer,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    many: bool,  # noqa: FBT001 - a parameter
) -> None:
    other = mirror.url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("MODELDEPS_TOKENS", f"{server.url}=hidden")
    mirror.blobs["/x"] = b"found"
    server.faults["/x"] = [blob_server.redirect(f"{other}x", code)] * 2
    urls = [f"{server.url}x", f"{server.url.replace('//', '//me:word@')}x"]
    for url in urls:
        request = Request(url, headers={"X-Secret": "s", "Cookie": "c", "Accept": "text/plain"})
        opener = transport(url)
        found = next(opener.open_each([request])) if many else opener.open(request)
        assert not isinstance(found, SourceError)
        found.close()
    assert said(server) == ["Bearer hidden", "Basic bWU6d29yZA=="]
    for asked in mirror.requests:
        assert not {"authorization", "x-secret", "cookie"} & set(asked.headers)
        assert asked.headers["accept"] == "text/plain"


def test_credentials_do_not_come_back_with_a_redirect_that_comes_back(
    server: BlobServer, mirror: BlobServer
) -> None:
    server.faults["/x"] = [blob_server.redirect(f"{mirror.url}y")]
    mirror.faults["/y"] = [blob_server.redirect(f"{server.url}z")]
    server.blobs["/z"] = b"found"
    url = f"{server.url.replace('//', '//me:word@')}x"
    assert read_url(url, limit=10, headers={"X-Secret": "s"}) == b"found"
    assert said(server) == ["Basic bWU6d29yZA==", None]
    assert "x-secret" not in server.requests[1].headers


def test_credentials_in_the_target_of_a_redirect_are_not_sent(server: BlobServer, mirror: BlobServer) -> None:
    server.faults["/x"] = [blob_server.redirect(f"{mirror.url.replace('//', '//evil:word@')}y")]
    mirror.blobs["/y"] = b"found"
    assert read_url(f"{server.url}x", limit=10) == b"found"
    assert said(mirror) == [None]


def test_a_token_is_for_its_own_path_after_a_redirect_too(
    server: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDEPS_TOKENS", f"{server.url}private/=hidden")
    server.faults["/private/x"] = [blob_server.redirect("/public/x")]
    server.blobs["/public/x"] = b"found"
    assert read_url(f"{server.url}private/x", limit=10) == b"found"
    assert said(server) == ["Bearer hidden", None]


@pytest.mark.parametrize(
    ("prefix", "url", "fine"),
    [
        ("https://h/", "https://h/x", True),
        ("https://h", "https://h/x", True),
        ("https://h/", "https://h:443/x", True),
        ("https://h/", "http://h/x", False),
        ("https://h/", "https://h:8443/x", False),
        ("https://h/", "https://h.evil/x", False),
        ("https://h/", "https://h@evil/x", False),
        ("https://h/a/", "https://h/a", False),
        ("https://h/a", "https://h/a/b", True),
        ("https://h/a", "https://h/ab", False),
        ("https://h/a/", "https://h/a/../b", False),
        ("https://h/a/", "https://h/a/..%2fb", False),
        ("https://h/a/", "https://h/a/..%5cb", False),
        ("https://h/", "https://h/a/../b", True),
    ],
)
def test_a_prefix_covers_what_lies_below_it(prefix: str, url: str, fine: bool) -> None:  # noqa: FBT001 - a parameter
    assert covers(prefix, url) is fine


def test_a_secure_host_is_reached_through_the_tunnel_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    with scripted.scripted(talk) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:word@"))
        with pytest.raises(BrokenTransferError, match="the proxy answers 502 Bad Gateway"):
            transport("https://").open(Request("https://you:secret@models.example.com/x"))
        (asked,) = proxy.heard
        assert asked.line == "CONNECT models.example.com:443 HTTP/1.1"
        assert asked.headers == {
            "host": "models.example.com:443",
            "proxy-authorization": "Basic bWU6d29yZA==",
        }


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (b"HTTP/1.1 407 X\r\n\r\n", RefusedError, "the proxy wants to know who asks"),
        (b"HTTP/1.1 403 X\r\n\r\n", RefusedError, "the proxy answers 403 Forbidden"),
        (b"HTTP/1.1 200 X\r\n\r\nearly", RefusedError, "the proxy answers 200"),
        (b"", BrokenTransferError, "closed before the end"),
        (b"nonsense\r\n\r\n", BrokenTransferError, "not HTTP"),
    ],
)
def test_a_proxy_that_makes_no_tunnel_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, kind: type[SourceError], reason: str
) -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(answer)

    with scripted.scripted(talk) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(kind, match=reason):
            transport("https://").open(Request("https://models.example.com/x"))


@pytest.mark.parametrize(
    ("proxy", "reason"),
    [
        ("socks5://me:word@127.0.0.1:1080", "speaks SOCKS; only proxies of http:// are supported"),
        ("https://me:word@127.0.0.1:1080", "speaks https; only proxies of http://"),
        ("http://[bad", "its proxy is no URL"),
        ("http://", "only proxies of http://"),
    ],
)
def test_a_proxy_that_can_t_be_used_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str, reason: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(RefusedError, match=reason) as caught:
        transport("http://").open(Request("http://models.example.com/"))
    assert "word" not in str(caught.value)


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8, fd00::/8", "http://[fd00::1]/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        (".example.com", "http://models.example.com/", True),
        ("example.com:81", "http://example.com/", False),
        ("*", "http://anything/", True),
        ("", "http://10.1.2.3/", False),
        ("300.0.0.0/8", "http://10.1.2.3/", False),
    ],
)
def test_no_proxy_names_hosts_and_networks(
    monkeypatch: pytest.MonkeyPatch,
    no_proxy: str,
    url: str,
    direct: bool,  # noqa: FBT001 - a parameter
) -> None:
    monkeypatch.setenv("http_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    found = proxy_of(Origin.of(url), url)
    assert (found is None) is direct
    if found:
        assert found.origin == Origin("http", "proxy.example", 3128)


def test_a_transport_can_be_given_its_settings(server: BlobServer, tmp_path: Path) -> None:
    server.blobs["/x"] = b"found"
    opener = HttpTransport(Settings(cache=tmp_path, tokens=(Token(server.url, "given"),)))
    opener.open(Request(f"{server.url}x")).close()
    assert said(server) == ["Bearer given"]


def test_over_plain_http_nobody_is_sent_to_netrc(server: BlobServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)  # so that a host which is not this machine answers
    monkeypatch.setenv("no_proxy", "")
    server.faults["/a"] = server.faults["http://models.example.com/a"] = [blob_server.status(401)]
    with pytest.raises(UnreachableError) as caught:
        read_url("http://models.example.com/a", limit=1)
    assert "401 Unauthorized; it was sent no credentials" in str(caught.value)
    assert str(caught.value.hint).startswith(
        "set a token for its URL in MODELDEPS_TOKENS or under [tokens]; "
    )
    assert "netrc counts for https alone" in str(caught.value.hint)
    for url in ("https://models.example.com/a", "http://127.0.0.1:9/a", "http://localhost/a"):
        assert str(DeniedError(url, "401", sent="").advice).endswith("or name its host in ~/.netrc")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://me:12/hidden@host/", "http://***"),
        ("http://me:12?hidden@host/", "http://***"),
        ("http://me:12#hidden@host/", "http://***"),
        ("http://me:1/2?hidden@host/", "http://***"),
        ("http://me:a@b/hidden@host/", "http://***"),
        ("https://hidden/x@host/", "https://***"),
        ("https://me:hidden@host/c/", "https://host/c/"),
        ("https://cdn.example.com/npm/pkg@1.2/", "https://cdn.example.com/npm/pkg@1.2/"),
        ("https://cdn.example.com/x?by=hidden@host", "https://cdn.example.com/x?***"),
        ("file:///srv/a@b/c", "file:///srv/a@b/c"),
    ],
)
def test_a_password_is_hidden_whatever_marks_it_has(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_what_holds_a_url_is_shown_without_its_credentials() -> None:
    url = "https://me:hidden@models.example.com/c/"
    place = Place(url, Host(), Source())
    values = (
        Request(url, headers={"Authorization": "hidden"}),
        Hop(url),
        place,
        Task(File("a", 1, "0" * 64), "m", [place]),
        IndexRelease("1.0.0", "a.whl", url, "0" * 64),
        Project(Pyproject(Path("pyproject.toml"), {}), channels=(url,)),
        Question(channels=(url,)),
    )
    for value in values:
        assert "hidden" not in repr(value)
        assert type(value).__name__ in repr(value)
    for value in values[:3]:
        assert "'https://models.example.com/c/'" in repr(value)
