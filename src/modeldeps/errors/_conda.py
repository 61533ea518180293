"""Errors about environments that conda manages."""

from __future__ import annotations

from modeldeps.errors._base import FOUND_WRONG, ModelDepsError


class ManifestLostError(ModelDepsError):
    """An installed `model.json` is missing or altered, and can't be restored."""

    exit_status = FOUND_WRONG

    def __init__(self, model: str, reason: str, package: str) -> None:
        super().__init__(
            f"the manifest of {model} can't be restored",
            ("reason", reason),
            hint=f"conda install --force-reinstall {package}",
        )
