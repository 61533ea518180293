"""Fetch a project's models while an installer builds it, in the very first command of a fresh environment."""

from __future__ import annotations

from modeldeps.prefetch._frontend import Frontend, frontend
from modeldeps.prefetch._prefetch import prefetch
from modeldeps.prefetch._question import Question, question
from modeldeps.prefetch._solve import Index, Pip, Solver, Uv, solvers

__all__ = [
    "Frontend",
    "Index",
    "Pip",
    "Question",
    "Solver",
    "Uv",
    "frontend",
    "prefetch",
    "question",
    "solvers",
]
