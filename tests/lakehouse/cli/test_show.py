"""What `show` leaves room for on a narrow terminal."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from rich.console import Console

from lakehouse.cli.show import call
from lakehouse.declare import REGISTRY
from lakehouse.plan import graph
from lakehouse.settings import Settings

graph.load()
TABLE = "gold.model_performance_metrics"


def shown(folder: Path, split: str, width: int = 80) -> str:
    """The table with 100 rows of that split, as `show` prints it."""
    types = {"string": pa.string(), "double": pa.float64(), "bigint": pa.int64(), "boolean": pa.bool_()}
    schema = pa.schema([(c.name, types.get(c.type, pa.timestamp("us", "UTC"))) for c in REGISTRY[TABLE].columns])
    rows = [
        {"model_id": "model-1", "model_name": "item_neighbours", "split": split, "metric": f"recall@{n}: of a recommender"}
        | {"population": "real", "value": 0.25, "low": 0.125, "high": 0.375, "n": 7}
        for n in range(100)
    ]
    write_deltalake(folder / "gold" / "model_performance_metrics", pa.Table.from_pylist(rows, schema))
    console = Console(file=io.StringIO(), width=width)
    options = argparse.Namespace(table=TABLE, columns=None, user=None, limit=100, json=False)
    assert call(Settings(dir=folder), dict(REGISTRY), options, console) == 0
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("split", ["test", "test, temporal, all next plays, weighted"])
def test_long_names_leave_room_for_what_they_name(tmp_path: Path, split: str) -> None:
    lines = shown(tmp_path, split).splitlines()
    assert lines[1].split()[:5] == ["model_name", "population", "split", "metric", "value"]
    assert sum("0.25" in line for line in lines) == 100
    text = " ".join(" ".join(lines).split())
    assert "weighted" in text or split == "test", "a long name is folded, not cut"
    assert max(map(len, lines)) <= 80


def test_where_there_is_room_columns_stand_as_they_are_declared(tmp_path: Path) -> None:
    header = shown(tmp_path, "test", width=200).splitlines()[1].split()
    assert header[:6] == ["population", "split", "metric", "model_name", "model_type", "value"]
