"""What one `Model.run` costs over one `InferenceSession.run` on a single digit; the target is 1.1 times."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from machines import install_digits  # noqa: E402 - found by the line above

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = 1.1
"""Times `InferenceSession.run`."""
CALLS = 2_000
"""Calls in one measured stretch."""


def main() -> int:
    """Print the figures; 0 where the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        ratio = measure(Path(scratch), rounds)
    print(f"\nModel.run: {ratio:.3f} of session.run (target {TARGET})")
    return int(ratio > TARGET)


def measure(folder: Path, rounds: int) -> float:
    """Time stretches of calls in turn, and return the median of the paired ratios."""
    found = install_digits(folder)
    os.environ |= {"MODELDEPS_CACHE": str(folder / "store"), "MODELDEPS_CHANNELS": str(found.channel)}
    sys.path.insert(0, str(found.site))
    import numpy as np

    import modeldeps  # noqa: PLC0415 - with its variables set

    model = modeldeps.load("digits")
    session = model.session
    image = np.zeros((1, 8, 8), np.float32)
    calls: dict[str, Callable[[], object]] = {
        "session.run": lambda: session.run(None, {"image": image}),
        "session.run by name": lambda: session.run(["probabilities"], {"image": image}),
        "model.run": lambda: model.run(image=image),
        "model.run of a mapping": lambda: model.run({"image": image}),
        "model(x)": lambda: model(image),
        "model.run of lists": lambda: model.run(image=image.tolist()),
    }
    same = np.array_equal(model.run(image=image)["probabilities"], session.run(None, {"image": image})[0])
    assert same, "both must have done the same work"
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(stretch(call))
    print(f"{'':24} {'µs a call':>10} {'ratio':>7}")
    ratios = {}
    for name, found_times in times.items():
        pairs = zip(found_times, times["session.run"], strict=True)
        ratios[name] = statistics.median(one / other for one, other in pairs)
        print(f"{name:24} {statistics.median(found_times) * 1e6:10.2f} {ratios[name]:7.3f}")
    return ratios["model.run"]


def stretch(call: Callable[[], object]) -> float:
    """Return the seconds of one call, averaged over many."""
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - start) / CALLS


if __name__ == "__main__":
    sys.exit(main())
