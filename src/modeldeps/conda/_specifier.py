"""An environment file of conda's that is a project: pyproject.toml with the models in `[tool.modeldeps]`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conda.plugins.types import EnvironmentSpecBase


class ProjectSpec(EnvironmentSpecBase):  # type: ignore[misc] # conda has no types here
    """Read an environment from a project's pyproject.toml."""

    def __init__(self, filename: str | None = None, **_: Any) -> None:
        self.filename = filename

    def can_handle(self) -> bool:
        """Tell whether the file declares models; what is wrong in it is told when it is read."""
        from modeldeps.conda._project import is_project
        from modeldeps.errors import ProjectError

        try:
            return bool(self.filename) and is_project(Path(str(self.filename)))
        except ProjectError:  # no TOML: another kind of environment file
            return False

    @property
    def env(self) -> Any:
        """The environment. Raises CondaError with the text of a ProjectError."""
        from conda.base.context import context
        from conda.exceptions import CondaError
        from conda.models.environment import Environment, EnvironmentConfig
        from conda.models.match_spec import MatchSpec

        from modeldeps.conda._project import asked
        from modeldeps.errors import ModelDepsError

        try:
            found = asked(Path(str(self.filename)), context.subdir)
        except ModelDepsError as error:
            raise CondaError(str(error).replace("%", "%%")) from None  # conda formats the text once more
        return Environment(
            name=found.name,
            platform=context.subdir,
            config=EnvironmentConfig(channels=found.channels),
            requested_packages=[MatchSpec(one) for one in found.specs],
        )

    environment = env
    """The property's name until 25.7."""
