"""Choose a variant and an execution provider, open the model, run it."""

from __future__ import annotations

from modeldeps.runtime._decide import Accepted, Candidate, Decision, Rejected, decide
from modeldeps.runtime._facts import Fact, Fails, Works
from modeldeps.runtime._installed import Absent, Runtime, installed, lacks_cuda
from modeldeps.runtime._load import find, load, path
from modeldeps.runtime._machine import AUTO, PROVIDERS, Machine, assumed, machine, provider_name
from modeldeps.runtime._model import Model
from modeldeps.runtime._select import decide_here, machine_for, obstacle, select

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
    "Model",
    "Rejected",
    "Runtime",
    "Works",
    "assumed",
    "decide",
    "decide_here",
    "find",
    "installed",
    "lacks_cuda",
    "load",
    "machine",
    "machine_for",
    "obstacle",
    "path",
    "provider_name",
    "select",
]
