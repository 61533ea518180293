"""What the benchmarks of fetching have in common: their options, the aims, and a record of what was found."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interleave import ratio, report, take_turns
from peers import gather

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from interleave import Cost, Program
    from peers import Found


@dataclass(frozen=True)
class Aim:
    """A ratio that is aimed at."""

    of: str
    """What is measured."""
    against: str
    """The peer."""
    most: float
    """The ratio, at most."""
    of_what: str = "wall"
    """`wall` or `cpu` time, or what else a row holds."""


@dataclass(frozen=True)
class Outcome:
    """An aim and the ratio that was found."""

    aim: Aim
    found: float

    @property
    def is_met(self) -> bool:
        """Whether it is at most what was aimed at."""
        return self.found <= self.aim.most

    def __str__(self) -> str:
        one, verdict = self.aim, "met" if self.is_met else "MISSED"
        return f"{one.of} / {one.against}, {one.of_what}: {self.found:.3f} (aim {one.most}) {verdict}"


def options(text: str | None, *, rounds: int, size: int) -> argparse.ArgumentParser:
    """Return the options that all have; `size` in MiB."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--size", type=int, default=size, help="MiB of the blob")
    parser.add_argument("--folder", type=Path, help="where all is written; its disk is part of the figure")
    parser.add_argument("--json", type=Path, help="folder for a record of the figures")
    parser.add_argument("--only", default="", help="run only programs whose names hold one of these words")
    return parser


@contextmanager
def scratch(words: argparse.Namespace) -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=words.folder) as name:
        yield Path(name)


def run(
    name: str, programs: Mapping[str, Found], words: argparse.Namespace, *, base: str, aims: Sequence[Aim]
) -> int:
    """Let programs take turns, print and record the figures; 0 where every aim is met."""
    costs = take_turns(chosen(programs, words.only), rounds=words.rounds)
    print(f"{name}: {words.size} MiB, {words.rounds} rounds, medians; ratios are paired by round\n")
    against = base if base in costs else next(iter(costs))
    report(costs, base=against)
    rows = {key: row(found, costs[against]) for key, found in costs.items()}
    return conclude(
        name, rows, [judge(one, costs) for one in aims if {one.of, one.against} <= set(costs)], words
    )


def chosen(programs: Mapping[str, Found], only: str) -> dict[str, Program]:
    """Return the programs that are there and whose names hold one of the words."""
    words = only.split(",")
    there = gather({key: one for key, one in programs.items() if any(word in key for word in words)})
    if not there:
        raise SystemExit(f"no program's name holds one of {only}; there are: {', '.join(programs)}")
    return there


def row(costs: Sequence[Cost], base: Sequence[Cost]) -> dict[str, float]:
    """Return the medians of the seconds, and of the ratios to the base."""
    wall, cpu = (statistics.median(getattr(one, kind) for one in costs) for kind in ("wall", "cpu"))
    ratios = ratio(costs, base)
    return {"wall": wall, "wall ratio": ratios[0], "cpu": cpu, "cpu ratio": ratios[1]}


def judge(aim: Aim, costs: Mapping[str, Sequence[Cost]]) -> Outcome:
    """Return the ratio that an aim is about, the median of the rounds."""
    wall, cpu = ratio(costs[aim.of], costs[aim.against])
    return Outcome(aim, cpu if aim.of_what == "cpu" else wall)


def conclude(
    name: str,
    rows: Mapping[str, Mapping[str, float]],
    outcomes: Sequence[Outcome],
    words: argparse.Namespace,
) -> int:
    """Print how the aims fared and write the record; 0 where every aim is met."""
    print()
    for one in outcomes:
        print(one)
    if words.json:
        words.json.mkdir(parents=True, exist_ok=True)
        aims = [{**asdict(one.aim), "found": one.found} for one in outcomes]
        setting = {"size": words.size, "rounds": words.rounds, **machine()}
        found = {"name": name, "setting": setting, "rows": rows, "aims": aims}
        target = words.json / f"{name}.json"
        target.write_text(json.dumps(found, indent=2) + "\n")
    return int(not all(one.is_met for one in outcomes))


def machine() -> dict[str, object]:
    """Return what the figures depend on."""
    system = f"{platform.system()} {platform.machine()}"
    return {"cores": os.cpu_count(), "system": system, "python": platform.python_version()}
