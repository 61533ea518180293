"""Write channels: static folders that serve models to installers, to modeldeps and to people."""

from __future__ import annotations

from modeldeps.publish.channel._folder import local_folder
from modeldeps.publish.channel._publish import Published, publish, yank

__all__ = ["Published", "local_folder", "publish", "yank"]
