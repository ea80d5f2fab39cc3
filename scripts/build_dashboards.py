"""Dashboards from superset/dashboards/ into Superset: `--check`, `--out DIR`, `--only NAME`, `--data`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from bi.dashboards.command import main
    from lakehouse.private_files import keep_private

    keep_private()
    sys.exit(main())
