"""Synthetic listeners with planted structure, their cognitive tables built by one run of the pipeline."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from synthetic.generate import generate
from tests.real.conftest import run_pipeline
from tests.synthetic.conftest import write_catalogue


@dataclass(frozen=True)
class Planted:
    """What was planted, and the tables."""

    lakehouse: Path
    notes: dict[str, Any]

    def table(self, name: str) -> pa.Table:
        return DeltaTable(str(self.lakehouse / name.replace(".", "/"))).to_pyarrow_table()

    def rows(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.table(name).to_pylist()
        return rows

    @property
    def sad(self) -> str:
        return str(self.notes["mood_falls_on_mondays"]["user_id"])

    @property
    def binge(self) -> str:
        return str(self.notes["anomaly_week"]["user_id"])


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    landing, lakehouse = folder / "landing", folder / "lakehouse"
    landing.mkdir()
    catalogue = write_catalogue(landing / "dataset.csv")
    out = landing / "synthetic"
    generate(catalogue, out, listeners=40, plays=1_500, seed=6, plant=4, start=dt.date(2023, 1, 1), end=dt.date(2025, 1, 1))
    run_pipeline(landing, lakehouse, "--engine", "embedded", "--only", "gold.cognitive")
    return Planted(lakehouse, json.loads((out / "_planted.json").read_text()))
