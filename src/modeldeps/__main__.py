"""Run the command line as `python -m modeldeps`."""

from __future__ import annotations

import sys

from modeldeps.cli import main

if __name__ == "__main__":
    sys.exit(main())
