"""Bring bytes here: transports, sources, and the fetch of a model's files into a store."""

from __future__ import annotations

from modeldeps.fetch._document import read_url
from modeldeps.fetch._fetch import Fetched, fetch
from modeldeps.fetch._sources import blob_url, sources
from modeldeps.fetch._transport import Block, Body, Request, Transport

__all__ = ["Block", "Body", "Fetched", "Request", "Transport", "blob_url", "fetch", "read_url", "sources"]
