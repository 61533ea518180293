"""Hosts of channels as they are in the world: with a password, behind a proxy, with a certificate."""

from __future__ import annotations

import base64
import http.server
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

USER, PASSWORD = "reader", "open-sesame"


@dataclass
class Site:
    """A host, and what it was asked for."""

    folder: Path
    password: str = ""
    """Who doesn't know it gets nothing."""
    context: ssl.SSLContext | None = None
    """For a host that is spoken to with TLS."""
    asked: list[str] = field(default_factory=list)
    """The URLs or paths of the requests that were answered."""
    port: int = 0

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.port}"

    def asked_blobs(self) -> list[str]:
        return [one for one in self.asked if "/blobs/" in one]


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def __init__(self, site: Site, *args: Any, **options: Any) -> None:
        self.site = site
        super().__init__(*args, directory=str(site.folder), **options)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""

    def parse_request(self) -> bool:
        """Refuse strangers; a proxy is asked for whole URLs."""
        if not super().parse_request():
            return False
        word = base64.b64encode(f"{USER}:{self.site.password}".encode()).decode()
        if self.site.password and self.headers.get("Authorization") != f"Basic {word}":
            self.send_error(401)
            return False
        self.site.asked.append(self.path)
        self.path = urlsplit(self.path).path
        return True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients may refuse a certificate."""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve a site on a port of its own."""
    server = _Server(("127.0.0.1", 0), partial(_Handler, site))
    if site.context:
        server.socket = site.context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
