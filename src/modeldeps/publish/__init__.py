"""Make releases of models, and the channels that serve them."""

from __future__ import annotations
