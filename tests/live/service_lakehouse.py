"""The lakehouse that the API is tested over: `me` with hostile names, `ben` with fewer plays, and recommendations for both."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.pipeline import Pipeline
from tests.report.histories import hostile_rows, land_hostile

TABLES = ("silver.users", "gold.descriptive", "gold.user_recommendations")


def build(folder: Path) -> None:
    """The landing folder and the lakehouse, in `folder`."""
    pipeline = Pipeline(folder)
    land_hostile(pipeline)
    pipeline.write("listeners/ben/history.json", hostile_rows()[:50])
    pipeline.build(*[word for table in TABLES for word in ("--only", table)])
