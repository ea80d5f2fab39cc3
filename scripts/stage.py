"""What the stage scripts share: each runs the pipeline for one selector, with the options of `run_pipeline.py run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn


def run_stage(*selectors: str) -> NoReturn:
    """Run the pipeline for the selectors and all they need, and end with its exit code."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from lakehouse.cli.main import main
    from lakehouse.process_exit import leave
    from run_pipeline import PRODUCT

    chosen = [part for selector in selectors for part in ("--only", selector)]
    leave(main(PRODUCT, ["run", "--no-demo", *chosen, *sys.argv[1:]]))
