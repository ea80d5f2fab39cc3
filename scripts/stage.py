"""What the stage scripts share: each runs the pipeline for some selectors, with the options of `lakehouse run`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn


def import_from_project() -> None:
    """Put the project's folder in place of this one on the path, where bi.py would hide the package `bi`."""
    sys.path[0] = str(Path(__file__).resolve().parent.parent)


def run_stage(*selectors: str) -> NoReturn:
    """Run the pipeline for the selectors and all they need, and end with its exit code."""
    import_from_project()
    from run_pipeline import main

    main(["run", "--no-demo", *(part for selector in selectors for part in ("--only", selector)), *sys.argv[1:]])


def landing_tables() -> Iterable[str]:
    """The tables that landing files go to, as they are declared."""
    import_from_project()
    from lakehouse.plan import graph

    return [name for name, declared in graph.load().items() if declared.is_landing]
