"""Errors about bringing bytes here from a source."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modeldeps.errors._base import FOUND_WRONG, ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from urllib.parse import SplitResult

MAX_SHOWN = 300
"""Characters of a URL that an error shows."""


def redact(url: str) -> str:
    """
    Return a URL as people may see it: without user name, password, query and fragment, on one line.

    Where a password may hold a slash, a `?` or a `#`, so that nobody can tell where the host begins,
    only the scheme is shown.
    """
    try:
        parts = urlsplit(url)
        if _is_doubtful(parts):
            return f"{ascii(parts.scheme)[1:-1]}://***"
        int(parts.port or 0)  # raises where no port is: a password with a slash in it stands there
        host = parts.netloc.rpartition("@")[2]
        path = parts.path if host or parts.scheme in ("", "file") else parts.path.rpartition("@")[2]
        query = "?***" if parts.query else ""
        shown = f"{parts.scheme}://{host}{path}{query}" if parts.scheme else f"{path}{query}"
    except ValueError:
        return "a URL that can't be read"
    plain = ascii(shown)[1:-1]
    return plain if len(plain) <= MAX_SHOWN else f"{plain[: MAX_SHOWN - 3]}..."


def _is_doubtful(parts: SplitResult) -> bool:
    """Tell whether credentials may reach beyond what looks like the host: `http://me:12/ss@host/`."""
    if "@" not in f"{parts.path}{parts.query}{parts.fragment}" or not parts.netloc:
        return False
    is_plain = "." in parts.netloc and not set(":@") & set(parts.netloc)
    return not is_plain


class SourceError(ModelDepsError):
    """One source did not serve what it was asked for."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = redact(url)
        """What was asked for, without credentials."""
        self.reason = reason
        """Why it was not served."""
        super().__init__(
            "a source did not serve what it was asked for", ("source", self.url), ("reason", reason)
        )


class NotFoundError(SourceError):
    """A source does not have it."""

    def __init__(self, url: str, reason: str = "it is not there") -> None:
        super().__init__(url, reason)


class RefusedError(SourceError):
    """A source answered in a way that asking again won't change."""

    def __init__(self, url: str, reason: str, *, advice: str = "") -> None:
        super().__init__(url, reason)
        self.advice = advice
        """What helps, where that is known; a hint of the error that lists all sources."""


_PLAIN = "netrc counts for https alone, as anybody on the way can read what is said over http"


def _hears_netrc(url: str) -> bool:
    """Tell whether what netrc has for a host is said to it: over TLS, or on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return True
    return parts.scheme != "http" or host in ("localhost", "::1") or host.startswith("127.")


class DeniedError(RefusedError):
    """A source wants to know who asks, or does not serve it to who asked."""

    def __init__(self, url: str, answer: str, *, sent: str) -> None:
        advice = "set a token for its URL in MODELDEPS_TOKENS or under [tokens]"
        advice += ", or name its host in ~/.netrc" if _hears_netrc(url) else f"; {_PLAIN}"
        super().__init__(url, f"{answer}; it was sent {sent}", advice=advice)
        self.sent = sent
        """Which kind of credential was sent, in words; no secret."""


class BrokenTransferError(SourceError):
    """A source could not be reached, or stopped in the middle; asking again may help."""

    def __init__(
        self, url: str, reason: str, *, retry_after: float | None = None, busy: bool = False
    ) -> None:
        super().__init__(url, reason)
        self.retry_after = retry_after
        """Seconds that the source asked to wait, or None."""
        self.busy = busy
        """It answered, and has too much to do at present."""


class UnreachableError(ModelDepsError):
    """Every source of something failed; each is listed with its reason."""

    def __init__(self, what: str, failures: Sequence[SourceError], *, hint: str | None = None) -> None:
        self.failures = tuple(failures)
        """What each source answered, in the order in which they were asked."""
        super().__init__(
            f"could not fetch {what}", ("tried", _tried(failures) or "nothing"), hint=hint or _hint(failures)
        )


def _tried(failures: Sequence[SourceError]) -> str:
    return "\n".join(f"{one.url}: {one.reason}" for one in failures)


def _hint(failures: Sequence[SourceError]) -> str:
    if not failures:
        return "run `modeldeps sync` in the project that names its channels, or set MODELDEPS_CHANNELS"
    for one in failures:
        if isinstance(one, RefusedError) and one.advice:
            return one.advice
    if any(isinstance(one, BrokenTransferError) for one in failures):
        return "`modeldeps doctor` tells which channels can be reached"
    return "ask the owner of the channel to publish it again, or name another one in MODELDEPS_CHANNELS"


class DigestError(ModelDepsError):
    """A source served bytes that are not the ones that the manifest names; they were thrown away."""

    exit_status = FOUND_WRONG

    def __init__(self, source: str, path: str, *, expected: str, found: str, part: str = "") -> None:
        self.source = redact(source)
        """The source that served them, without credentials."""
        self.path = path
        """The file, as the manifest names it."""
        self.part = part
        """The bytes that were looked at; empty for all of them."""
        self.expected = expected
        """The digest in the manifest."""
        self.found = found
        """The digest of what came."""
        super().__init__(
            f"{path} is not what its manifest says; it was not used",
            ("source", self.source),
            *([("part", part)] if part else []),
            ("expected", f"sha256 {expected}"),
            ("found", f"sha256 {found}"),
            hint="tell the owner of the source, or take it out of the channels; none has the right bytes",
        )

    def of(self, model: str) -> DigestError:
        """Return the same error with the model named."""
        path = f"{self.path} of {model}" if model else self.path
        return DigestError(self.source, path, expected=self.expected, found=self.found, part=self.part)


class ContradictionError(ModelDepsError):
    """What manifests say of one file can't be true: its chunks and its digest, or two sizes of one blob."""

    exit_status = FOUND_WRONG

    def __init__(self, path: str, *, expected: str, found: str) -> None:
        super().__init__(
            f"the manifest contradicts itself in what it says of {path}; it was not used",
            ("expected", expected),
            ("found", found),
            hint="tell the publisher of the model",
        )

    @classmethod
    def of_whole(cls, path: str, *, expected: str, found: str) -> ContradictionError:
        """Return the error for a file that is right in each part, and not as a whole."""
        return cls(
            path, expected=f"sha256 {expected}", found=f"sha256 {found}, with each part as it should be"
        )


class OfflineError(ModelDepsError):
    """Bytes are missing, and the network may not be used."""

    def __init__(
        self,
        paths: Iterable[str],
        *,
        missing: str,
        model: str = "",
        by: str = "",
        tried: Sequence[SourceError] = (),
    ) -> None:
        """
        Take the files and their size, `12.0 MB`.

        `by` is the setting that turned the network off, empty where the caller did; `tried` are
        folders that were asked all the same.
        """
        names = tuple(paths)
        self.failures = tuple(tried)
        """What each folder answered."""
        change = f"or unset {by}" if by.startswith("MODELDEPS_") else f"or change {by}"
        count = f"{len(names)} file{'s' if len(names) != 1 else ''}"
        super().__init__(
            f"the store lacks {count}{' of ' if model else ''}{model}, and the network is off",
            ("missing", "\n".join(names)),
            ("size", missing),
            *([("tried", _tried(tried))] if tried else []),
            hint=f"run `modeldeps sync` where there is a network, {change if by else 'without --offline'}",
        )
