"""Choose a variant and an execution provider, open the model, run it."""

from __future__ import annotations

from modeldeps.runtime._decide import Accepted, Candidate, Decision, Rejected, decide
from modeldeps.runtime._facts import Fact, Fails, Works
from modeldeps.runtime._installed import Absent, Runtime, installed
from modeldeps.runtime._machine import AUTO, PROVIDERS, Machine, assumed, machine, provider_name
from modeldeps.runtime._select import decide_here, obstacle, select

__all__ = [
    "AUTO",
    "PROVIDERS",
    "Absent",
    "Accepted",
    "Candidate",
    "Decision",
    "Fact",
    "Fails",
    "Machine",
    "Rejected",
    "Runtime",
    "Works",
    "assumed",
    "decide",
    "decide_here",
    "installed",
    "machine",
    "obstacle",
    "provider_name",
    "select",
]
