"""Generate synthetic listeners: `lakehouse generate`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from run_pipeline import main

    main(["generate", *sys.argv[1:]])
