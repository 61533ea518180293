"""The command line: words in, words out. The work is done in the layers below."""

from __future__ import annotations

from modeldeps.cli._main import main

__all__ = ["main"]
