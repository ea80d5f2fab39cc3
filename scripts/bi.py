"""The BI stack: `lakehouse bi`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from run_pipeline import main

    main(["bi", *sys.argv[1:]])
