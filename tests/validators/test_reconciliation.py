"""Every row accounted for: the reconciliation notices whatever is lost or counted twice on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.declare import Table
from lakehouse.storage.ledger import HELD_KEYS, INGESTION_STATE
from tests.frames import collect, frame
from tests.silver.rows import history, silver_plays
from validators.reconciliation import reconciliation

EXPORT = "export" + "0" * 58
ROWS = [history(1), history(2), history(3, "never"), history(4, track_name=None, artist_name=None, episode_name="Episode")]
STATE = {"file_hash": EXPORT, "path": "export.json", "status": "ingested", "target": "listening_history", "rows": 4}


def ledger(spark: SparkSession, declared: Table, *rows: dict[str, Any]) -> DataFrame:
    schema = ", ".join(f"`{column.name}` {column.type}" for column in declared.columns)
    return spark.createDataFrame([tuple(row.get(column.name) for column in declared.columns) for row in rows], schema)


def reconciled(
    spark: SparkSession,
    bronze: list[dict[str, Any]],
    plays: DataFrame,
    *files: dict[str, Any],
    held: tuple[dict[str, Any], ...] = (),
) -> list[dict[str, Any]]:
    history = frame(spark, "bronze.listening_history", bronze)
    state, keys = ledger(spark, INGESTION_STATE, *files), ledger(spark, HELD_KEYS, *held)
    return collect("ops.reconciliation", reconciliation(history, plays, state, keys))


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
            "held_back": 0,
            "forgotten": 0,
            "is_balanced": True,
        }
    ]


def test_rows_of_who_is_forgotten_are_read_and_stay_out_of_bronze(spark: SparkSession) -> None:
    (file,) = reconciled(spark, ROWS, silver_plays(spark, ROWS), STATE | {"rows": 7, "forgotten": 3})
    assert [file[name] for name in ("rows_read", "bronze", "forgotten", "is_balanced")] == [7, 4, 3, True]
    (file,) = reconciled(spark, [], silver_plays(spark, []), STATE | {"rows": 3, "forgotten": 3})
    assert [file[name] for name in ("rows_read", "bronze", "forgotten", "is_balanced")] == [3, 0, 3, True]


FAULTS: dict[str, Callable[[list[dict[str, Any]]], tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]]] = {
    "a row lost on the way to silver": lambda rows: (rows, rows[1:], STATE),
    "a row twice in silver": lambda rows: (rows, [*rows, history(1, file_name="export.json", platform="x")], STATE),
    "a row lost on the way to bronze": lambda rows: (rows[1:], rows[1:], STATE),
    "a row twice in bronze": lambda rows: ([*rows, rows[0]], rows, STATE),
    "a file lost on the way to bronze": lambda rows: ([], [], STATE),
    "fewer rows left out than are missing": lambda rows: (rows, rows, STATE | {"rows": 7, "forgotten": 2}),
    "rows left out that are there": lambda rows: (rows, rows, STATE | {"forgotten": 1}),
    "a file that nobody read": lambda rows: (rows, rows, STATE | {"file_hash": "z", "rows": 0}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_whose_rows_do_not_add_up(spark: SparkSession, fault: str) -> None:
    bronze, silver, file = FAULTS[fault](ROWS)
    result = reconciled(spark, bronze, silver_plays(spark, silver), file)
    assert [(row["file_hash"], row["is_balanced"]) for row in result] == [(EXPORT, False)]


BOTH = [*ROWS[:2], *[history(number, user_id="other") for number in (3, 4)]]


@pytest.mark.parametrize(
    ("held", "rows_of_plays", "held_back", "is_balanced"),
    [
        # Two rows of the other listener are not in silver yet.
        (("silver.plays", "other"), BOTH[:2], 2, True),
        (("silver.typed_history", "other"), BOTH[:3], 1, True),
        # Who is held back further on, or nowhere, has to be whole; as has everybody else.
        (("silver.sessions", "other"), BOTH, 0, True),
        (("gold.top_tracks", "other"), BOTH[:2], 0, False),
        (("silver.plays", "other"), [*BOTH[:1], *BOTH[2:]], 0, False),
        # Bronze was read anew, and has fewer rows than silver kept.
        (("silver.plays", "other"), [*BOTH, history(5, user_id="other")], -1, True),
    ],
)
def test_rows_of_a_listener_who_is_held_back_wait_in_bronze(
    spark: SparkSession, held: tuple[str, str], rows_of_plays: list[dict[str, Any]], held_back: int, is_balanced: bool
) -> None:
    key = {"table_name": held[0], "user_id": held[1], "rule": "r"}
    [row] = reconciled(spark, BOTH, silver_plays(spark, rows_of_plays), STATE, held=(key,))
    assert (row["bronze"], row["held_back"], row["is_balanced"]) == (4, held_back, is_balanced)
