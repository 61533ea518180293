"""Solve and install with py-rattler in a process of its own: `rattler_worker.py JSON`, an answer in JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import rattler
from rattler.exceptions import SolverError


async def work(asked: dict[str, Any]) -> dict[str, Any]:
    """Solve what was asked for, and install it where a prefix was named."""
    prefix = Path(asked["prefix"]) if asked.get("prefix") else None
    meta = prefix / "conda-meta" if prefix else None
    found = [rattler.PrefixRecord.from_path(one) for one in sorted(meta.glob("*.json"))] if meta else []
    try:
        records = await rattler.solve(
            [rattler.Channel(one) for one in asked["channels"]],
            asked["specs"],
            gateway=rattler.Gateway(cache_dir=Path(asked["cache"]) / "repodata"),
            platforms=[asked["subdir"], "noarch"],
            virtual_packages=rattler.VirtualPackage.detect(),
            locked_packages=found,
        )
    except SolverError as error:
        return {"error": str(error)}
    if prefix:
        packages = Path(asked["cache"]) / "pkgs"
        await rattler.install(records, target_prefix=prefix, cache_dir=packages, show_progress=False)
    return {"records": {one.name.normalized: f"{one.version} {one.build}" for one in records}}


def main() -> None:
    """Answer, and end at once: the interpreter's own end may crash with some releases of py-rattler."""
    sys.stdout.write(json.dumps(asyncio.run(work(json.loads(sys.argv[1])))))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
