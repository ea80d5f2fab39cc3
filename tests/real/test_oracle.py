"""The real listener's tables against DuckDB, which reads the raw files itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from lakehouse.declare import REGISTRY
from lakehouse.plan import graph
from tests.oracle import assert_same, descriptive, diagnostic, plays

pytestmark = pytest.mark.spark
graph.load()
ORACLES = descriptive.ORACLES | diagnostic.ORACLES


@pytest.fixture(scope="session")
def oracle(real_data: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.sql("SET TimeZone = 'UTC'")
    plays.load(connection, real_data)
    return connection


def table(lakehouse: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = DeltaTable(lakehouse / name.replace(".", "/")).to_pyarrow_table().to_pylist()
    return rows


def figure(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return connection.sql(sql).fetchall()[0][0]


def test_every_row_of_the_export_is_accounted_for(embedded_lakehouse: Path) -> None:
    rows = table(embedded_lakehouse, "ops.reconciliation")
    totals = {name: sum(row[name] for row in rows) for name in ("bronze", "kept", "duplicate", "quarantined", "set_aside")}
    assert totals == {"bronze": 149_860, "kept": 147_835, "duplicate": 2_025, "quarantined": 0, "set_aside": 0}


def test_the_oracle_reads_the_same_plays(embedded_lakehouse: Path, oracle: duckdb.DuckDBPyConnection) -> None:
    got = table(embedded_lakehouse, "gold.user_metrics")[0]
    assert got["plays"] == figure(oracle, "SELECT count(*) FROM history") == 147_835
    assert got["minutes"] == pytest.approx(figure(oracle, "SELECT sum(ms_played) / 60000 FROM history"), rel=1e-12)


def test_each_catalogue_track_and_each_heard_one_stands_once(embedded_lakehouse: Path, oracle: duckdb.DuckDBPyConnection) -> None:
    tracks = DeltaTable(embedded_lakehouse / "silver" / "tracks").to_pyarrow_table(columns=["track_id", "in_catalogue"])
    ids = tracks["track_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    listed = {i for i, is_listed in zip(ids, tracks["in_catalogue"].to_pylist(), strict=True) if is_listed}
    heard_tracks = table(embedded_lakehouse, "silver.heard_tracks")
    heard = {row["track_id"] for row in heard_tracks}
    assert heard <= set(ids)
    # An id that only duplicates have is heard by nobody.
    assert {(row["by_real"], row["by_synthetic"]) for row in heard_tracks} <= {(True, False), (False, False)}
    assert listed == {row[0] for row in oracle.sql("SELECT track_id FROM catalogue").fetchall()}
    assert len(listed) == 89_741
    assert heard == {row[0] for row in oracle.sql("SELECT track_id FROM tracks").fetchall()}


def test_the_ladder_covers_what_it_can(embedded_lakehouse: Path) -> None:
    shares = {row["feature_source"]: row["percentage"] for row in table(embedded_lakehouse, "gold.feature_source_coverage")}
    assert shares["kaggle_id"] >= 20
    assert shares["kaggle_id"] + shares["kaggle_name"] >= 27
    assert shares["kaggle_id"] + shares["kaggle_name"] + shares["artist_mean"] >= 81


@pytest.mark.parametrize("name", sorted(ORACLES))
def test_a_table_equals_the_oracle(name: str, embedded_lakehouse: Path, oracle: duckdb.DuckDBPyConnection) -> None:
    expected = oracle.sql(ORACLES[name])
    columns = expected.columns
    rows = [dict(zip(columns, row, strict=True)) for row in expected.fetchall()]
    got = table(embedded_lakehouse, name)
    # A diagnostic oracle tells a part of the columns; a descriptive one all of them.
    if name in diagnostic.ORACLES:
        got = [{column: row[column] for column in columns} for row in got]
    assert_same(got, rows, REGISTRY[name].key)
