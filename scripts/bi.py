"""The BI stack: `up`, `down`, `status`, `prepare`, and log-ins of listeners."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from bi.cli import main

    sys.exit(main())
