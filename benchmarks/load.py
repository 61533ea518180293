"""What a process that loads digits costs over one that opens the same file itself; target: 1.05 times."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from interleave import compare, report

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from machines import install_digits  # noqa: E402 - found by the line above

TARGET = 1.05
"""Times the process with a bare InferenceSession."""

LOAD = "import modeldeps; modeldeps.load('digits')"
BARE = "import onnxruntime; onnxruntime.InferenceSession({!r}, providers=['CPUExecutionProvider'])"


def main() -> int:
    """Print the figures; 0 where the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        ratios = measure(Path(scratch), rounds)
    wall, cpu = ratios["load('digits')"]
    print(f"\nload('digits'): {wall:.3f} of the wall time, {cpu:.3f} of the CPU time (target {TARGET})")
    return int(max(wall, cpu) > TARGET)


def measure(folder: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """Compare with a bare session as it comes, and with one whose telemetry is off, as load() sets it."""
    found = install_digits(folder)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MODELDEPS_")}
    environ |= {"MODELDEPS_CACHE": str(folder / "store"), "MODELDEPS_CHANNELS": str(found.channel)}
    environ |= {"PYTHONPATH": str(found.site), "HOME": str(folder)}
    environ.pop("ORT_DISABLE_TELEMETRY", None)
    file = ROOT / "fixtures" / "digits" / "2.1.0" / "digits-fp32.onnx"
    bare = BARE.format(str(file))
    silent = f"import os; os.environ['ORT_DISABLE_TELEMETRY'] = '1'; {bare}"
    python = [sys.executable, "-c"]
    costs = compare(
        {
            "bare InferenceSession": [*python, bare],
            "load('digits')": [*python, LOAD],
            "bare, telemetry off": [*python, silent],
            "import onnxruntime": [*python, "import onnxruntime"],
            "import modeldeps.runtime": [*python, "import modeldeps.runtime"],
        },
        rounds=rounds,
        environ=environ,
    )
    return report(costs, base="bare InferenceSession")


if __name__ == "__main__":
    sys.exit(main())
