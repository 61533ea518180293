"""The pdm-backend plugin: a build hook that fills in `dependencies` and `optional-dependencies`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.integrations._build import added_by, fill

if TYPE_CHECKING:
    from pdm.backend.hooks import Context


class ModelsHook:
    """Turn `[tool.modeldeps]` into requirements."""

    def pdm_build_initialize(self, context: Context) -> None:
        """Change the metadata before anything is built. Raises ProjectError."""
        metadata = context.config.metadata
        added = added_by(context.root)
        fill(metadata, added)
        if added is not None:
            filled = {"dependencies", "optional-dependencies"} & set(metadata)
            metadata["dynamic"] = [key for key in metadata.get("dynamic", []) if key not in filled]
