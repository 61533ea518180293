"""The store: bytes named by their digest, shared by every environment of this machine."""

from __future__ import annotations

from modeldeps.store._landing import Landing
from modeldeps.store._store import Store
from modeldeps.store._usage import Usage

__all__ = ["Landing", "Store", "Usage"]
