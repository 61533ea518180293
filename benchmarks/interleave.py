"""Compare programs in one run: each round runs all of them, so that what disturbs one disturbs them all."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Cost:
    """What one run of a program cost."""

    wall: float
    """Seconds from start to end."""
    cpu: float
    """Seconds of processor time, user and system."""


def run_once(words: Sequence[str], environ: Mapping[str, str]) -> Cost:
    """Run a program once and measure it. Raises CalledProcessError where it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(words, env=dict(environ), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(words))
    return Cost(wall, used.ru_utime + used.ru_stime)


def compare(
    programs: Mapping[str, Sequence[str]], *, rounds: int, environ: Mapping[str, str] | None = None
) -> dict[str, list[Cost]]:
    """Run all programs `rounds` times, each round in the other order, after one round to warm up."""
    variables = dict(os.environ if environ is None else environ)
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # the first round compiles, the others find it done
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    for round_ in range(rounds + 1):
        order = list(programs)[:: 1 if round_ % 2 else -1]
        for name in order:
            cost = run_once(programs[name], variables)
            if round_:
                costs[name].append(cost)
    return costs


def report(costs: Mapping[str, Sequence[Cost]], *, base: str) -> dict[str, tuple[float, float]]:
    """Print medians and ratios to the base program, paired by round; return the wall and processor ratios."""
    print(f"{'':28} {'wall ms':>9} {'cpu ms':>9} {'wall ratio':>11} {'cpu ratio':>10}")
    ratios = {}
    for name, found in costs.items():
        wall = statistics.median(one.wall / other.wall for one, other in zip(found, costs[base], strict=True))
        cpu = statistics.median(one.cpu / other.cpu for one, other in zip(found, costs[base], strict=True))
        ratios[name] = wall, cpu
        times = statistics.median(one.wall for one in found), statistics.median(one.cpu for one in found)
        print(f"{name:28} {times[0] * 1000:9.1f} {times[1] * 1000:9.1f} {wall:11.3f} {cpu:10.3f}")
    return ratios
