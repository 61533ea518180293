"""Why a transfer failed, in words that hold no secret."""

from __future__ import annotations

import math
import ssl
import time
from http import HTTPStatus

from modeldeps.errors import BrokenTransferError, RefusedError, SourceError
from modeldeps.fetch._head import LyingError, WireError

_CERTIFICATES = (
    "ask the owner of the source about its certificate, or name its authority in MODELDEPS_CERTIFICATES"
)
_PLAIN = "look at the port of the source; one that speaks no TLS is named by http://"


def failure(url: str, error: Exception) -> SourceError:  # noqa: PLR0911 - a table
    """Turn what a connection raised into an error of ours; the text of theirs may hold tokens."""
    match error:
        case SourceError():
            return error
        case LyingError():
            return RefusedError(url, str(error))
        case WireError():
            return BrokenTransferError(url, str(error))
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError() | ConnectionResetError() | BrokenPipeError():
            return BrokenTransferError(url, "the connection was closed before the end")
        case ssl.SSLError():
            return _untrusted(url, error)
        case TimeoutError():
            words = str(error)
            return BrokenTransferError(url, words if words.endswith("in time") else "no connection in time")
        case OSError():
            return BrokenTransferError(url, _line(error).lower())
        case ValueError():
            return RefusedError(url, "it is no URL that can be asked")
        case _:
            return BrokenTransferError(url, f"the transfer failed ({type(error).__name__})")


def _untrusted(url: str, error: ssl.SSLError) -> RefusedError:
    """Say why a server could not be trusted."""
    reason, advice = _line(error), ""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason, advice = f"certificate verify failed: {_verdict(error)}", _CERTIFICATES
    elif error.reason == "WRONG_VERSION_NUMBER":
        reason, advice = "the server does not speak TLS", _PLAIN
    return RefusedError(url, f"no trusted connection: {reason}", advice=advice)


def _verdict(error: ssl.SSLCertVerificationError) -> str:
    """Return what is wrong with a certificate."""
    return ascii(getattr(error, "verify_message", "") or _line(error))[1:-1][:200]


def _line(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return ascii(text.splitlines()[0] if text else type(error).__name__)[1:-1][:200]


def phrase(status: int) -> str:
    """Return the words of an HTTP status; the server's own words are not shown."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "is no status that is known"


def retry_after(text: str | None, *, now: float | None = None) -> float | None:
    """Return the seconds that a `Retry-After` header asks to wait (RFC 9110, section 10.2.3), or None."""
    if not text:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text.strip()[:9])
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - at first use

    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    wait = moment - (time.time() if now is None else now)
    return max(0.0, wait) if math.isfinite(wait) else None
