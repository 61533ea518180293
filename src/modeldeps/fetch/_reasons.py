"""Why a transfer failed, in words that hold no secret."""

from __future__ import annotations

import math
import time
from http import HTTPStatus

from modeldeps.errors import BrokenTransferError, RefusedError, SourceError


def failure(url: str, error: Exception) -> SourceError:  # noqa: PLR0911 - a table
    """Turn what urllib3 or a socket raised into an error of ours; the text of theirs may hold tokens."""
    from urllib3 import exceptions

    match error:
        case exceptions.NewConnectionError() | exceptions.NameResolutionError():
            return BrokenTransferError(url, _cause(error, "no connection"))
        case exceptions.ConnectTimeoutError():
            return BrokenTransferError(url, "no connection in time")
        case exceptions.ReadTimeoutError() | TimeoutError():
            return BrokenTransferError(url, "no more bytes came in time")
        case exceptions.ProxyError():
            return BrokenTransferError(url, "the proxy can't be reached")
        case exceptions.SSLError():
            return RefusedError(url, f"no trusted connection: {_line(error)}")
        case exceptions.IncompleteRead() | exceptions.ProtocolError():
            return BrokenTransferError(url, "the connection was closed before the end")
        case exceptions.LocationValueError() | ValueError():
            return RefusedError(url, "it is no URL that can be asked")
        case OSError():
            return BrokenTransferError(url, _line(error))
        case _:
            return BrokenTransferError(url, f"the transfer failed ({type(error).__name__})")


def _cause(error: Exception, otherwise: str) -> str:
    """Return the system's own words for a connection that was not made."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return otherwise


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
