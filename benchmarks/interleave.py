"""Compare programs in one run: each round runs all of them, so that what disturbs one disturbs them all."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LONGEST = 900.0
"""Seconds after which a program is ended, so that no benchmark hangs."""


def _nothing() -> None:
    """Prepare what needs no preparing."""


def _anything(_output: str) -> None:
    """Accept whatever a program wrote."""


@dataclass(frozen=True)
class Program:
    """A program that is measured, and what stands around it unmeasured."""

    words: Sequence[str]
    """The command line."""
    environ: Mapping[str, str] | None = None
    """Variables beside those of this process."""
    prepare: Callable[[], None] = _nothing
    """Called before each run: empties the folder that it writes to."""
    check: Callable[[str], None] = _anything
    """Called after each run with what it wrote to stdout; raises where the work was not done."""


@dataclass(frozen=True)
class Cost:
    """What one run of a program cost."""

    wall: float
    """Seconds from start to end."""
    cpu: float
    """Seconds of processor time, user and system."""


def run_once(words: Sequence[str], environ: Mapping[str, str]) -> Cost:
    """Run a program once and measure it. Raises CalledProcessError where it fails."""
    return _measure(words, environ)[0]


def run_program(program: Program) -> Cost:
    """Prepare a program, run and measure it, and check what it did. Raises CalledProcessError."""
    program.prepare()
    os.sync()
    cost, output = _measure(program.words, {**os.environ, **(program.environ or {})})
    program.check(output)
    return cost


def _measure(words: Sequence[str], environ: Mapping[str, str]) -> tuple[Cost, str]:
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(words, env=dict(environ), stdout=output)
        limit = threading.Timer(LONGEST, process.kill)
        limit.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        limit.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(words), output=text)
    return Cost(wall, used.ru_utime + used.ru_stime), text


def compare(
    programs: Mapping[str, Sequence[str]], *, rounds: int, environ: Mapping[str, str] | None = None
) -> dict[str, list[Cost]]:
    """Run all programs `rounds` times, each round in the other order, after one round to warm up."""
    variables = dict(os.environ if environ is None else environ)
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # the first round compiles, the others find it done
    runs = {name: partial(run_once, words, variables) for name, words in programs.items()}
    return _rounds(runs, rounds)


def take_turns(programs: Mapping[str, Program], *, rounds: int) -> dict[str, list[Cost]]:
    """Run programs that need preparing and checking as `compare` runs simple ones."""
    return _rounds({name: partial(run_program, one) for name, one in programs.items()}, rounds)


def _rounds(runs: Mapping[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for round_ in range(rounds + 1):
        order = list(runs)[:: 1 if round_ % 2 else -1]
        for name in order:
            cost = runs[name]()
            if round_:
                costs[name].append(cost)
    return costs


def ratio(costs: Sequence[Cost], base: Sequence[Cost]) -> tuple[float, float]:
    """Return the medians of the wall and processor ratios, paired by round."""
    pairs = list(zip(costs, base, strict=True))
    wall = statistics.median(one.wall / other.wall for one, other in pairs)
    return wall, statistics.median(one.cpu / other.cpu for one, other in pairs)


def report(costs: Mapping[str, Sequence[Cost]], *, base: str) -> dict[str, tuple[float, float]]:
    """Print medians and ratios to the base program, paired by round; return the wall and processor ratios."""
    print(f"{'':32} {'wall ms':>9} {'cpu ms':>9} {'wall ratio':>11} {'cpu ratio':>10}")
    ratios = {}
    for name, found in costs.items():
        ratios[name] = wall, cpu = ratio(found, costs[base])
        times = statistics.median(one.wall for one in found), statistics.median(one.cpu for one in found)
        print(f"{name:32} {times[0] * 1000:9.1f} {times[1] * 1000:9.1f} {wall:11.3f} {cpu:10.3f}")
    return ratios
