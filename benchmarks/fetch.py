"""
What a fetch from loopback costs: verified, on disk and durable, against what people use.

`curl | tee FILE | openssl dgst -sha256` verifies and writes but is not durable; huggingface_hub is neither
verified nor durable. With nginx the same is measured over TLS.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import zipfile
from typing import TYPE_CHECKING

import peers
from figures import Aim, options, run, scratch
from interleave import Program
from payload import Facts, publish, publish_hub, random_pieces, write_listing
from servers import loopback, shaped

if TYPE_CHECKING:
    from pathlib import Path

    from peers import Found
    from servers import Site

BASE, HUB = "curl | tee | openssl", "huggingface_hub http"
TLS = "curl | tee | openssl, TLS"
AIMS = [
    Aim("modeldeps", BASE, 0.55),
    Aim("modeldeps, no chunks named", BASE, 0.55),
    Aim("modeldeps", HUB, 0.4),
    Aim("modeldeps", HUB, 1.0, "cpu"),
    Aim("modeldeps, TLS", TLS, 1.0),
]


def main() -> int:
    """Print the figures; 0 where the aims are met."""
    parser = options(__doc__, rounds=9, size=1024)
    words = parser.parse_args()
    with scratch(words) as folder:
        channel = folder / "channel"
        one = publish(channel, "model.onnx", random_pieces(words.size << 20, 1))
        write_listing(folder / "listing.json", [one])
        wheel = write_wheel(channel, one)
        with loopback(folder, channel) as site:
            hub = publish_hub(channel, [one], store=site.url.rstrip("/"))
            with shaped(channel, hub=hub) as asked:
                return run("fetch", programs(folder, one, site, asked, wheel), words, base=BASE, aims=AIMS)


def programs(folder: Path, one: Facts, site: Site, hub: Site, wheel: str) -> dict[str, Found]:
    """Return what is compared; a program's folder is its own."""
    listing, url = folder / "listing.json", site.url
    found: dict[str, Found] = {
        BASE: peers.curl_digest(one, folder / "tee", url),
        "curl -o": peers.curl_file(one, folder / "curl", url),
        "modeldeps": peers.ours(listing, folder / "ours", url),
        "modeldeps, no chunks named": peers.ours(listing, folder / "whole", url, whole=True),
        "modeldeps file://": peers.ours(listing, folder / "file", (folder / "channel").as_uri() + "/"),
        HUB: peers.hub_http(one, folder / "hub", hub.url),
        "huggingface_hub xet": peers.hub_xet(one, folder / "xet", hub.url),
        "aria2c -x16": peers.aria2(one, folder / "aria", url, f"--checksum=sha-256={one.sha256}"),
        "requests, digest, fsync": peers.requests_digest(one, folder / "requests", url),
        "pooch": peers.pooch(one, folder / "pooch", url),
        "uv, as a wheel": uv(folder / "uv", url, wheel),
    }
    if site.tls:
        trust = {"SSL_CERT_FILE": str(site.certificate)}
        found[TLS] = peers.curl_digest(one, folder / "tee-tls", site.tls, certificate=site.certificate)
        found["modeldeps, TLS"] = peers.ours(listing, folder / "ours-tls", site.tls, environ=trust)
    return found


def write_wheel(channel: Path, one: Facts) -> str:
    """Put the blob into a wheel, stored; return its address below the channel's, with the digest."""
    name = "bench-1.0-py3-none-any.whl"
    meta = {
        "METADATA": "Metadata-Version: 2.1\nName: bench\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": f"bench/model.onnx,,{one.size}\nbench-1.0.dist-info/RECORD,,\n",
    }
    with zipfile.ZipFile(channel / name, "w") as archive:
        archive.write(one.blob(channel), "bench/model.onnx")
        for file, text in meta.items():
            archive.writestr(f"bench-1.0.dist-info/{file}", text)
    with (channel / name).open("rb") as stream:
        found = hashlib.sha256()
        while block := stream.read(1 << 20):
            found.update(block)
    return f"{name}#sha256={found.hexdigest()}"


def uv(folder: Path, url: str, wheel: str) -> Found:
    """Install a wheel that holds the blob, from its address with its digest."""
    if not shutil.which("uv"):
        return peers.Absent("uv is not on PATH")
    words = ["uv", "pip", "install", "-q", "--no-deps", "--no-index", "--python", sys.executable]
    words += ["--cache-dir", str(folder / "cache"), "--target", str(folder / "site"), f"bench @ {url}{wheel}"]
    return Program(words, None, peers.emptied(folder))


if __name__ == "__main__":
    sys.exit(main())
