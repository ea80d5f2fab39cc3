"""Every row accounted for: the reconciliation notices whatever is lost or counted twice on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.storage.ledger import INGESTION_STATE
from tests.frames import collect, frame
from tests.silver.rows import history, silver_plays
from validators.reconciliation import reconciliation

EXPORT = "export" + "0" * 58
ROWS = [history(1), history(2), history(3, "never"), history(4, track_name=None, artist_name=None, episode_name="Episode")]
STATE = {"file_hash": EXPORT, "path": "export.json", "status": "ingested", "target": "listening_history", "rows": 4}


def state(spark: SparkSession, *rows: dict[str, Any]) -> DataFrame:
    schema = ", ".join(f"`{column.name}` {column.type}" for column in INGESTION_STATE.columns)
    return spark.createDataFrame([tuple(row.get(column.name) for column in INGESTION_STATE.columns) for row in rows], schema)


def reconciled(
    spark: SparkSession, bronze: list[dict[str, Any]], plays: DataFrame, *files: dict[str, Any]
) -> list[dict[str, Any]]:
    return collect(
        "ops.reconciliation", reconciliation(frame(spark, "bronze.listening_history", bronze), plays, state(spark, *files))
    )


def test_a_file_whose_rows_add_up(spark: SparkSession) -> None:
    elsewhere = [STATE | {"path": "copy.json", "status": "duplicate", "rows": None}, STATE | {"file_hash": "x", "rows": 0}]
    catalogue = STATE | {"file_hash": "y", "target": "kaggle_tracks"}
    assert reconciled(spark, ROWS, silver_plays(spark, ROWS), STATE, *elsewhere, catalogue) == [
        {
            "file_hash": EXPORT,
            "file_name": "export.json",
            "source": "spotify_extended",
            "rows_read": 4,
            "bronze": 4,
            "kept": 1,
            "duplicate": 1,
            "quarantined": 1,
            "set_aside": 1,
            "is_balanced": True,
        }
    ]


FAULTS: dict[str, Callable[[list[dict[str, Any]]], tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]]] = {
    "a row lost on the way to silver": lambda rows: (rows, rows[1:], STATE),
    "a row twice in silver": lambda rows: (rows, [*rows, history(1, file_name="export.json", platform="x")], STATE),
    "a row lost on the way to bronze": lambda rows: (rows[1:], rows[1:], STATE),
    "a row twice in bronze": lambda rows: ([*rows, rows[0]], rows, STATE),
    "a file lost on the way to bronze": lambda rows: ([], [], STATE),
    "a file that nobody read": lambda rows: (rows, rows, STATE | {"file_hash": "z", "rows": 0}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_whose_rows_do_not_add_up(spark: SparkSession, fault: str) -> None:
    bronze, silver, file = FAULTS[fault](ROWS)
    result = reconciled(spark, bronze, silver_plays(spark, silver), file)
    assert [(row["file_hash"], row["is_balanced"]) for row in result] == [(EXPORT, False)]
