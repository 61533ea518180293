"""Which proxy stands between this machine and a host."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.errors import RefusedError, redact
from modeldeps.fetch._origin import Origin, split_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator


_ADVICE = "name an http:// proxy in http_proxy or https_proxy, or the source's host in no_proxy"


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy."""

    origin: Origin
    """Where it is."""
    authorization: str = ""
    """What it is told about who asks; a secret."""

    def __repr__(self) -> str:
        return f"Proxy({self.origin})"

    @classmethod
    def parse(cls, text: str, url: str) -> Proxy:
        """Read a proxy's URL. Raises RefusedError, about the URL that is asked, where it can't be used."""
        plain = text if "://" in text else f"http://{text}"
        try:
            plain, authorization = split_credentials(plain)
            origin = Origin.of(plain)
        except ValueError:
            raise RefusedError(url, "its proxy is no URL that can be asked", advice=_ADVICE) from None
        if origin.scheme != "http" or not origin.host:
            what = "SOCKS" if origin.scheme.startswith("socks") else origin.scheme
            raise RefusedError(
                url,
                f"its proxy {redact(plain)} speaks {what}; only proxies of http:// are supported",
                advice=_ADVICE,
            )
        return cls(origin, authorization)


def proxy_of(origin: Origin, url: str) -> Proxy | None:
    """Return the proxy that the environment, or the system, names for an origin. Raises RefusedError."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - at first use

    proxies = getproxies()
    found = proxies.get(origin.scheme) or proxies.get("all") or ""
    if not found or proxy_bypass(f"{origin.host}:{origin.port}") or _is_in_network(origin.host):
        return None
    return Proxy.parse(found, url)


def _is_in_network(host: str) -> bool:
    """Tell whether NO_PROXY names the network of an address; the standard library reads only hosts."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _networks())


def _networks() -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    for word in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(","):
        try:
            yield ipaddress.ip_network(word.strip(" \t[]"), strict=False)
        except ValueError:  # noqa: PERF203 - a few words
            continue
