"""Bring bytes here: transports, sources, and the fetch of a model's files into a store."""

from __future__ import annotations

from modeldeps.fetch._document import read_url

__all__ = ["read_url"]
