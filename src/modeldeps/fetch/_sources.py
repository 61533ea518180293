"""Where a blob may be had, in the order in which it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.fetch._open import scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.manifest import File


def blob_url(channel: str, digest: str) -> str:
    """Return where a channel serves a blob."""
    return f"{channel}{'' if channel.endswith('/') else '/'}blobs/sha256/{digest[:2]}/{digest}"


def sources(file: File, channels: Sequence[str], *, offline: bool = False) -> tuple[str, ...]:
    """Return the URLs of a file: the channels, then the manifest's own; without a network only local ones."""
    urls = (*(blob_url(channel, file.sha256) for channel in channels), *file.sources)
    return tuple(url for url in dict.fromkeys(urls) if not offline or scheme(url) == "file")
