"""A lakehouse of the hostile history, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.pipeline import Pipeline
from tests.report.histories import HOSTILE_LISTENER, SYNTHETIC_LISTENER, hostile_rows, land_hostile


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """One listener, `me`."""
    pipeline = Pipeline(tmp_path_factory.mktemp("hostile"))
    land_hostile(pipeline)
    pipeline.build()
    return pipeline


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """`me`, a listener with a hostile name and fewer plays, and a synthetic one with most."""
    pipeline = Pipeline(tmp_path_factory.mktemp("several"))
    land_hostile(pipeline)
    rows = hostile_rows()
    pipeline.write(f"listeners/{HOSTILE_LISTENER}/history.json", rows[:50])
    later = [row | {"ts": row["ts"].replace("2024", "2022")} for row in rows if "2024" in row["ts"]]
    pipeline.write(f"listeners/{SYNTHETIC_LISTENER}/history.json", rows + later)
    pipeline.build()
    return pipeline


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """An empty landing folder and no lakehouse yet."""
    return Pipeline(tmp_path / "own")
