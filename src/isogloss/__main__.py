"""Run the program as ``python -m isogloss``."""

from __future__ import annotations

import sys

from isogloss.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
