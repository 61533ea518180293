"""What `import modeldeps` costs over bare Python; the target is 5 ms at most."""

from __future__ import annotations

import argparse
import statistics
import sys

from interleave import compare, report

TARGET = 0.005
"""Seconds over bare Python."""


def main() -> int:
    """Print the figures; 0 where the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    python = [sys.executable, "-c"]
    costs = compare(
        {
            "bare python": [*python, "pass"],
            "import modeldeps": [*python, "import modeldeps"],
            "import json": [*python, "import json"],
        },
        rounds=rounds,
    )
    report(costs, base="bare python")
    pairs = zip(costs["import modeldeps"], costs["bare python"], strict=True)
    over = statistics.median(one.wall - other.wall for one, other in pairs)
    print(f"\nimport modeldeps: {over * 1000:.2f} ms over bare Python (target {TARGET * 1000:.0f} ms)")
    return int(over > TARGET)


if __name__ == "__main__":
    sys.exit(main())
