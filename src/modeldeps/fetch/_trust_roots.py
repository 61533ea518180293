"""Which certificates are believed: the system's, those of SSL_CERT_FILE or SSL_CERT_DIR, the user's own."""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.config import wrong_setting

if TYPE_CHECKING:
    from modeldeps.config import Settings
    from modeldeps.errors import ConfigError

_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep their bundle (Debian, Red Hat, SUSE, BSD), for a Python that was built elsewhere."""


def context(
    protocols: tuple[str, ...], *, certificates: Path | None = None, client: Path | None = None
) -> ssl.SSLContext:
    """
    Return a context that checks certificates and host names, and offers protocols by ALPN.

    `certificates` is a file or a folder of further authorities, `client` a file with the
    certificate and the key of this machine. Raises ConfigError where one can't be used.
    """
    made = _system()
    made.set_alpn_protocols(list(protocols))
    if certificates is not None:
        _add(made, certificates)
    if client is not None:
        _present(made, client)
    return made


def files(certificates: Path | None, client: Path | None) -> tuple[Path, ...]:
    """
    Return the files that a context is made of.

    Folders that OpenSSL itself looks into at each connection, and what macOS and Windows keep, are not
    among them.
    """
    variable = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    named = (certificates, client, Path(variable) if variable else None)
    found = [one for one in named if one is not None]
    return tuple(found if variable else [*found, *map(Path, _PLACES)])


def check_certificates(chosen: Settings) -> None:
    """Raise ConfigError where the certificates that the user named can't be used."""
    if chosen.certificates is not None or chosen.client_certificate is not None:
        context((), certificates=chosen.certificates, client=chosen.client_certificate)


def _system() -> ssl.SSLContext:
    """Return a context with the authorities of the system."""
    if sys.platform in ("darwin", "win32"):  # they keep them where OpenSSL does not look
        return by_truststore()
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.set_default_verify_paths()  # honours SSL_CERT_FILE and SSL_CERT_DIR
    known = ssl.get_default_verify_paths()
    if known.cafile is None and not _has_certificates(known.capath):
        for place in _PLACES:
            if os.path.isfile(place):  # noqa: PTH113 - strings suffice
                made.load_verify_locations(place)
                break
    return made


def by_truststore() -> ssl.SSLContext:
    """Return a context that asks the system itself about each certificate (macOS, Windows)."""
    import truststore

    made: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        place = Path(os.environ.get(variable, ""))
        if place.is_absolute() and place.exists():
            _add(made, place)
    return made


def _has_certificates(folder: str | None) -> bool:
    return folder is not None and any(True for _ in os.scandir(folder))


def _add(context: ssl.SSLContext, place: Path) -> None:
    try:
        if place.is_dir():
            for file in sorted(place.iterdir()):
                if file.suffix in (".pem", ".crt", ".cer"):
                    context.load_verify_locations(file)
            context.load_verify_locations(capath=place)
        else:
            context.load_verify_locations(place)
    except (OSError, ValueError) as error:
        raise _unusable("certificates", place, "certificates in PEM", error) from None


def _present(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_cert_chain(file, password=_nobody)
    except (OSError, ValueError) as error:
        raise _unusable(
            "client-certificate", file, "a certificate and its key, without a password", error
        ) from None


def _nobody() -> str:
    """Give no password: a fetch may have no terminal to ask on."""
    raise ValueError("the key has a password")


def _unusable(key: str, place: Path, expected: str, error: Exception) -> ConfigError:
    found = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return wrong_setting(key, f"expected {expected}, found {place}: {found}")
