"""A channel's index: `simple/` and the pointer wheels in it, read as hostile input."""

from __future__ import annotations

from modeldeps.fetch.index._channel import Channel
from modeldeps.fetch.index._metadata import CoreMetadata
from modeldeps.fetch.index._page import IndexRelease
from modeldeps.fetch.index._wheel import MAX_WHEEL, PointerWheel, read_wheel, wheel_files, zip_entries

__all__ = [
    "MAX_WHEEL",
    "Channel",
    "CoreMetadata",
    "IndexRelease",
    "PointerWheel",
    "read_wheel",
    "wheel_files",
    "zip_entries",
]
