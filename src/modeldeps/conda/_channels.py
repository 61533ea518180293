"""The channels that records came from: as they may be shown, and as they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def channels_of(records: Iterable[Any]) -> dict[str, str]:
    """
    Return the bases of the channels that records came from, each with the one that is asked.

    The first holds neither user name, password nor token and ends with a slash; the second holds what
    the record's URL or conda's configuration has of them.
    """
    from conda.models.channel import Channel

    found: dict[str, str] = {}
    for record in records:
        channel = Channel(str(record.url or ""))
        if channel.base_url:
            base = channel.base_url.rstrip("/") + "/"
            found.setdefault(base, _asked(channel, base))
    return found


def _asked(channel: Any, base: str) -> str:
    """Return a base with credentials: those of the URL, else those of the configured channel."""
    known = [
        channel,
        *(one for one in _configured() if one.base_url and one.base_url.rstrip("/") + "/" == base),
    ]
    chosen = next((one for one in known if one.auth or one.token), channel)
    url = next(iter(chosen.urls(with_credentials=True, subdirs=("noarch",))), f"{base}noarch")
    return str(url).removesuffix("noarch")


def _configured() -> Iterator[Any]:
    from conda.base.context import context
    from conda.models.channel import Channel

    for channel in map(Channel, context.channels):
        found = getattr(channel, "channels", None)  # since 25.1; before, only several in one had a field
        yield from getattr(channel, "_channels", (channel,)) if found is None else found
