"""Rows of listening history for tests, and what silver makes of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from ingestion import history_facts
from ingestion.history_source import SourceFacts
from lakehouse.declare import REGISTRY
from lakehouse.declare.table import enforce
from lakehouse.plan import graph
from lakehouse.storage.ledger import INGESTION_STATE
from tests.frames import UTC, collect, frame

graph.load()

HISTORY = "bronze.listening_history"
INGESTED_AT = dt.datetime(2024, 6, 1, 12, tzinfo=UTC)
SOURCES = {
    "export": "spotify_extended",
    "api": "spotify_api",
    "account_data": "spotify_account_data",
    "scrobble": "lastfm_uts_csv",
}
NOT_GIVEN = (
    "bronze.kaggle_tracks",
    "bronze.catalogue_tracks",
    "bronze.dislike_rows",
    "bronze.corrections",
    "bronze.track_features",
    "bronze.track_metadata",
)
FACTS = history_facts()


def history(number: int, ts: str | None = "2024-03-01T10:03:00Z", **changes: Any) -> dict[str, Any]:
    """A row of bronze.listening_history: `number` in the file of its kind, a three minute export play of Artist - Title."""
    kind = changes.get("source_kind", "export")
    row = {
        "file_hash": f"{kind:0<64}",
        "row_number": number,
        "file_name": f"{kind}.json",
        "source": SOURCES.get(kind, kind),
        "source_kind": kind,
        "user_id": "me",
        "ts": ts,
        "ms_played": "180000",
        "track_name": "Title",
        "artist_name": "Artist",
        "_batch_id": "run",
        "_ingested_at": INGESTED_AT,
    }
    return row | changes


def stored(spark: SparkSession, table: str, result: DataFrame) -> DataFrame:
    """The result as the kernel would write it and read it back: the next table does not compute it again."""
    rows = enforce(REGISTRY[table], result).toArrow()
    return spark.createDataFrame(rows) if rows.num_rows else frame(spark, table, [])


def build(spark: SparkSession, table: str, given: dict[str, DataFrame], **parameters: Any) -> DataFrame:
    """The table and all that it needs, from the `given` tables; what was built is added to them.

    `parameters` are settings, and constants to be replaced.
    """
    if table in given:
        return given[table]
    if table in NOT_GIVEN:
        return frame(spark, table, [])
    if table == INGESTION_STATE.name:
        return spark.createDataFrame([], ", ".join(f"`{c.name}` {c.type}" for c in INGESTION_STATE.columns))
    declared = REGISTRY[table]
    names = graph.upstream_names(declared)
    inputs = [build(spark, name, given, **parameters) for name in names]
    own = {name: value for name, value in parameters.items() if name in (*declared.parameters, *declared.constants)}
    if own or ancestors(table) & given.keys():
        given[table] = stored(spark, table, declared.run(**dict(zip(declared.upstreams, inputs, strict=True)), **own))
        return given[table]
    if table not in _OF_NOTHING:
        _OF_NOTHING[table] = stored(spark, table, declared.run(**dict(zip(declared.upstreams, inputs, strict=True))))
    return _OF_NOTHING[table]


_OF_NOTHING: dict[str, DataFrame] = {}
"""Tables that follow from no given table: the same in every test."""


@cache
def ancestors(table: str) -> frozenset[str]:
    """All tables that a table is computed from."""
    names = graph.upstream_names(REGISTRY[table]) if table in REGISTRY else []
    return frozenset(names).union(*[ancestors(name) for name in names])


def names_of(spark: SparkSession, catalogue: DataFrame) -> DataFrame:
    """silver.names of silver.catalogue."""
    given = {"silver.catalogue": catalogue, HISTORY: frame(spark, HISTORY, [])}
    return build(spark, "silver.names", given)


def recordings_of(spark: SparkSession, catalogue: DataFrame) -> DataFrame:
    """silver.catalogue_recordings of silver.catalogue."""
    given = {"silver.catalogue": catalogue, HISTORY: frame(spark, HISTORY, [])}
    return build(spark, "silver.catalogue_recordings", given)


def artists_of(spark: SparkSession, catalogue: DataFrame) -> DataFrame:
    """silver.catalogue_artists of silver.catalogue."""
    given = {"silver.catalogue": catalogue, HISTORY: frame(spark, HISTORY, [])}
    return build(spark, "silver.catalogue_artists", given)


def typed(spark: SparkSession, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    """silver.typed_history of bronze rows."""
    return build(spark, "silver.typed_history", {HISTORY: frame(spark, HISTORY, rows)}, source_facts=FACTS)


def typed_rows(spark: SparkSession, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of silver.typed_history, in the order of their row numbers."""
    return sorted(collect("silver.typed_history", typed(spark, rows)), key=lambda row: int(row["row_number"]))


def silver_plays(spark: SparkSession, rows: Sequence[Mapping[str, Any]], facts: Sequence[SourceFacts] = FACTS) -> DataFrame:
    """silver.plays of bronze rows, through every table in between."""
    return build(spark, "silver.plays", {HISTORY: frame(spark, HISTORY, rows)}, source_facts=tuple(facts))


def disposed(
    spark: SparkSession, rows: Sequence[Mapping[str, Any]], facts: Sequence[SourceFacts] = FACTS
) -> list[dict[str, Any]]:
    """The rows of silver.plays, in the order of kind, file and row number."""
    result = collect("silver.plays", silver_plays(spark, rows, facts))
    return sorted(result, key=lambda row: (row["source_kind"], row["file_hash"], row["row_number"]))


def row_id(row: Mapping[str, Any]) -> str:
    """How other rows name a row of silver.plays that they repeat."""
    return f"{row['file_hash'][:16]}:{row['row_number']:012d}"
