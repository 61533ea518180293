"""Find what makes a project lose a model, or bring one that can't be run."""

from __future__ import annotations

from modeldeps.check._check import CHECKS, Checked, check
from modeldeps.check._finding import Finding, Project

__all__ = ["CHECKS", "Checked", "Finding", "Project", "check"]
