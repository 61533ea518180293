"""What `conda doctor` says of models, and how it puts them right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeldeps.errors import ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modeldeps.conda._examine import Examined, Fault

NAME = "models"
"""What the check is called: `conda doctor --fix models`."""
SUMMARY = "Detect models whose manifest or bytes are missing or altered"
FIX = "Restore the manifests, and fetch the bytes"

OK, WRONG = "\N{WHITE HEAVY CHECK MARK}", "\N{CROSS MARK}"
"""The marks of conda's own checks; before 25.11 they were not all in one place."""


def check(prefix: str, verbose: bool) -> None:  # noqa: FBT001 - conda calls it so
    """Tell what is wrong with the models of an environment; with `verbose` also what is right."""
    try:
        found = _examine(Path(prefix))
    except ModelDepsError as error:
        _say(f"{WRONG} Models can't be looked at: {error}\n")
        return
    if found.faults:
        _say(f"{WRONG} Models with missing or altered files:\n")
        _list(found.faults)
    else:
        _say(f"{OK} There are no models with missing or altered files.\n")
    if verbose:
        for one in found.models:
            variants = ", ".join(variant.name for variant in one.variants)
            _say(f"  {one.manifest.name} {one.manifest.version}: {variants}")


def fix(prefix: str, args: Any, confirm: Callable[[str], None]) -> int:  # noqa: ARG001 - conda calls it so
    """
    Put right what is wrong with the models of an environment; 1 where something still is.

    `confirm` raises what conda wants raised where the user says no, or only tries.
    """
    try:
        found = _examine(Path(prefix))
        if not found.faults:
            _say("No models with missing or altered files found.")
            return 0
        _list(found.faults)
        confirm("Restore the manifests, and fetch the bytes?")
        return _mend(Path(prefix), found)
    except ModelDepsError as error:
        _say(f"{WRONG} {error}", to=sys.stderr)
        return error.exit_status


def _mend(prefix: Path, found: Examined) -> int:
    """Restore, fetch, and look again."""
    from modeldeps.conda._mend import restore_manifest

    for one in found.faults:
        if one.package is not None:
            try:
                restore_manifest(one.package)
            except ModelDepsError as error:
                _say(f"{WRONG} {error}", to=sys.stderr)
    _fetch(prefix)
    left = _examine(prefix).faults
    if left:
        _say(f"{WRONG} These are still wrong:\n")
        _list(left)
        return 1
    _say(f"{OK} Put right: {len(found.faults)}")
    return 0


def _fetch(prefix: Path) -> None:
    """Fetch what the environment's models lack. Raises what `sync` raises."""
    from modeldeps.conda._prefix import looking_in
    from modeldeps.conda._sync import sync_prefix

    with looking_in(prefix) as folders:
        for line in sync_prefix(prefix, folders):
            _say(line)


def _examine(prefix: Path) -> Examined:
    from modeldeps.conda._examine import examine
    from modeldeps.conda._prefix import site_folders
    from modeldeps.conda._sync import ways_of
    from modeldeps.config import settings
    from modeldeps.store import Store

    return examine(prefix, Store.open(settings()), ways_of(prefix, site_folders(prefix)).taken)


def _list(faults: Sequence[Fault]) -> None:
    for one in faults:
        first, *rest = one.text.splitlines()
        _say(f"  {one.model}: {first}")
        for line in rest:
            _say(f"    {line}")
    _say("")


def _say(text: str, *, to: Any = None) -> None:
    from modeldeps.conda._commands import in_conda

    print(in_conda(text), file=to)
