"""Start what benchmarks fetch from: nginx on loopback, also over TLS, or a server behind a shaped line."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shaped import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub import Hub

HERE = Path(__file__).parent
NGINX = """
{user}
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/key.pem;
    root {channel};
  }}
}}
"""


@dataclass(frozen=True)
class Site:
    """Where a channel is served."""

    url: str
    """The channel, with its slash."""
    tls: str = ""
    """The same over TLS; empty where there is none."""
    certificate: Path | None = None
    """What a client must trust for that."""
    server: str = ""
    """What serves."""

    def counts(self) -> dict[str, int]:
        """Return bytes, requests and connections so far; only of a shaped line."""
        address = f"{self.url}-/counts"
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - the own server
            found: dict[str, int] = json.load(answer)
        return found


@contextlib.contextmanager
def loopback(folder: Path, channel: Path) -> Iterator[Site]:
    """Serve a channel by nginx, or by the own server where there is none, which has no TLS."""
    if not shutil.which("nginx"):
        with shaped(channel) as site:
            yield site
        return
    plain, tls = free_ports(2)
    certificate = make_certificate(folder)
    user = "user root;" if os.geteuid() == 0 else ""
    text = NGINX.format(user=user, folder=folder, channel=channel, plain=plain, tls=tls)
    settings = folder / "nginx.conf"
    settings.write_text(text)
    words = ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(settings)]
    with subprocess.Popen(words) as process:
        try:
            wait_for(plain)
            urls = f"http://127.0.0.1:{plain}/", f"https://127.0.0.1:{tls}/"
            yield Site(*urls, certificate, server="nginx")
        finally:
            process.terminate()


@contextlib.contextmanager
def shaped(channel: Path, line: Line | None = None, *, hub: Hub | None = None) -> Iterator[Site]:
    """Serve a channel, and a hub, through a line, or at once."""
    words = [sys.executable, str(HERE / "shaped.py"), "--folder", str(channel), *(line or Line()).words()]
    if hub:
        listing = channel / "hub.json"
        listing.write_text(hub.dump())
        words += ["--hub", str(listing)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Site(f"http://127.0.0.1:{int(process.stdout.readline())}/", server="shaped.py")
        finally:
            process.terminate()


def make_certificate(folder: Path) -> Path:
    """Make a key and a certificate of its own for 127.0.0.1, valid for two days."""
    words = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    words += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key.pem")]
    subprocess.run([*words, "-out", str(folder / "cert.pem")], check=True, capture_output=True)
    return folder / "cert.pem"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in found]


def wait_for(port: int) -> None:
    """Wait until somebody listens. Raises TimeoutError after five seconds."""
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise TimeoutError(port)
