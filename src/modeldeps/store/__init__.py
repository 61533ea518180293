"""The store: bytes named by their digest, shared by every environment of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.store._store import Store

if TYPE_CHECKING:
    from modeldeps.store._adopt import How
    from modeldeps.store._claim import Claim, Line
    from modeldeps.store._costs import Cost, Costs, is_here
    from modeldeps.store._gather import Adopted, Adoption
    from modeldeps.store._gc import Swept
    from modeldeps.store._land import Berth, Busy, Watch
    from modeldeps.store._landing import Landing
    from modeldeps.store._layers import wrong_layers
    from modeldeps.store._needs import KEEP_DAYS, UNSURE_DAYS, Judged, Rules
    from modeldeps.store._plan import Going, Plan
    from modeldeps.store._roots import Alive, Dead, Unsure, judge, pin_of
    from modeldeps.store._search import Source
    from modeldeps.store._shared import is_shared
    from modeldeps.store._usage import Usage
    from modeldeps.store._uses import Note, Use, plain
    from modeldeps.store._verify import Expected, Finding, Item, Verdict, Verified

__all__ = [
    "KEEP_DAYS",
    "UNSURE_DAYS",
    "Adopted",
    "Adoption",
    "Alive",
    "Berth",
    "Busy",
    "Claim",
    "Cost",
    "Costs",
    "Dead",
    "Expected",
    "Finding",
    "Going",
    "How",
    "Item",
    "Judged",
    "Landing",
    "Line",
    "Note",
    "Plan",
    "Rules",
    "Source",
    "Store",
    "Swept",
    "Unsure",
    "Usage",
    "Use",
    "Verdict",
    "Verified",
    "Watch",
    "is_here",
    "is_shared",
    "judge",
    "pin_of",
    "plain",
    "wrong_layers",
]

_HOMES = {
    "KEEP_DAYS": "modeldeps.store._needs",
    "UNSURE_DAYS": "modeldeps.store._needs",
    "Adopted": "modeldeps.store._gather",
    "Adoption": "modeldeps.store._gather",
    "Alive": "modeldeps.store._roots",
    "Berth": "modeldeps.store._land",
    "Busy": "modeldeps.store._land",
    "Claim": "modeldeps.store._claim",
    "Cost": "modeldeps.store._costs",
    "Costs": "modeldeps.store._costs",
    "Dead": "modeldeps.store._roots",
    "Expected": "modeldeps.store._verify",
    "Finding": "modeldeps.store._verify",
    "Going": "modeldeps.store._plan",
    "How": "modeldeps.store._adopt",
    "Item": "modeldeps.store._verify",
    "Judged": "modeldeps.store._needs",
    "Landing": "modeldeps.store._landing",
    "Line": "modeldeps.store._claim",
    "Note": "modeldeps.store._uses",
    "Plan": "modeldeps.store._plan",
    "Rules": "modeldeps.store._needs",
    "Source": "modeldeps.store._search",
    "Swept": "modeldeps.store._gc",
    "Unsure": "modeldeps.store._roots",
    "Usage": "modeldeps.store._usage",
    "Use": "modeldeps.store._uses",
    "Verdict": "modeldeps.store._verify",
    "Verified": "modeldeps.store._verify",
    "Watch": "modeldeps.store._land",
    "is_here": "modeldeps.store._costs",
    "is_shared": "modeldeps.store._shared",
    "judge": "modeldeps.store._roots",
    "pin_of": "modeldeps.store._roots",
    "plain": "modeldeps.store._uses",
    "wrong_layers": "modeldeps.store._layers",
}


def __getattr__(name: str) -> object:
    """Import what only a fetch needs at its first use: load() waits for what is imported here."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOMES[name]), name)
