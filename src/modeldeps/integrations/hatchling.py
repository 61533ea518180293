"""The hatchling plugin: a metadata hook that fills in `dependencies` and `optional-dependencies`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface
from hatchling.plugin import hookimpl

from modeldeps.integrations._build import added_by, fill


class ModelsMetadataHook(MetadataHookInterface):
    """Turn `[tool.modeldeps]` into requirements."""

    PLUGIN_NAME = "modeldeps"

    def update(self, metadata: dict[str, Any]) -> None:
        """Change the project table in place. Raises ProjectError."""
        fill(metadata, added_by(Path(self.root)))


@hookimpl
def hatch_register_metadata_hook() -> type[MetadataHookInterface]:
    """Give hatchling the hook that `[tool.hatch.metadata.hooks.modeldeps]` asks for."""
    return ModelsMetadataHook
