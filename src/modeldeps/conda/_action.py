"""The action that fetches models before conda links anything; only conda can import this module."""

from __future__ import annotations

import signal
from pathlib import Path

from conda import CondaError
from conda.core.path_actions import Action
from conda.exceptions import CondaSignalInterrupt


class ModelsError(CondaError):  # type: ignore[misc] # conda has no types here
    """A model could not be had; conda shows the text as it is."""

    def __str__(self) -> str:
        return str(self.message)


class FetchModels(Action):  # type: ignore[misc] # conda has no types here
    """
    Fetch the payloads of the models that a transaction links.

    Made with the seven arguments that conda gives to such actions. What `verify` returns ends the
    transaction before anything was unlinked. With `safety_checks: disabled` conda never calls `verify`,
    and up to 26.5 an error in `execute` makes it delete the environment's history, so it is fetched when
    the action is made: that is when a transaction is prepared, and its packages are extracted.
    """

    _is_done = False

    def __init__(self, *parts: object) -> None:
        super().__init__(*parts)
        if _is_unchecked() and (error := self._fetch("Preparing transaction")):
            raise error

    def verify(self) -> Exception | None:
        """Fetch, and return what went wrong for conda to tell; raised, it would be a crash report."""
        error: Exception | None = self._fetch("Verifying transaction")
        self._verified = error is None
        return error

    def execute(self) -> None:
        """Fetch where nobody called `verify`. Raises ModelsError and CondaSignalInterrupt."""
        if error := self._fetch("Executing transaction"):
            raise error

    def reverse(self) -> None:
        """Do nothing: what was fetched stays in the store, until nobody uses it."""

    def cleanup(self) -> None:
        """Do nothing."""

    def _fetch(self, heading: str) -> Exception | None:
        """Fetch once, and return what went wrong."""
        if self._is_done:
            return None
        try:
            self._bring(heading)
        except KeyboardInterrupt:
            return _typed(CondaSignalInterrupt(signal.SIGINT))
        except CondaError as error:
            return _typed(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be a crash report of conda's
            return ModelsError(_words(error))
        self._is_done = True
        return None

    def _bring(self, heading: str) -> None:
        """Fetch. Raises what a fetch raises."""
        from conda.base.context import context

        from modeldeps.conda._channels import channels_of
        from modeldeps.conda._fetch import Target, bring, models_of

        short = (self.transaction_context or {}).get("target_site_packages_short_path") or ""
        if found := models_of(self.link_precs or (), short):
            target = Target(Path(str(self.target_prefix), short), context)
            shown = channels_of([record for record, _ in found.models])
            bring(found, target, shown=shown, heading=heading)


def _is_unchecked() -> bool:
    """Tell whether conda leaves out what makes a transaction sure."""
    from conda.base.context import context

    return getattr(context.safety_checks, "name", "") == "disabled"


def _typed(error: Exception) -> Exception:
    """Return an error of conda's, which has no types here."""
    return error


def _words(error: Exception) -> str:
    from modeldeps.errors import ManifestError, ModelDepsError

    if isinstance(error, ManifestError):  # its own hint is for pip
        hint = "ask the publisher to correct the package, or install another version"
        error = ManifestError(error.file, error.problems, hint=hint)
    if isinstance(error, ModelDepsError):
        return f"modeldeps: {error}"
    return f"modeldeps failed ({type(error).__name__}: {error}); please report it"
