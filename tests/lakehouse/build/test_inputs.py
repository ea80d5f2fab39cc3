"""What a build reads: tables at the pinned version, the keys to recompute, and only their rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import DataFrame, SparkSession

from lakehouse.build import inputs
from lakehouse.build.inputs import Reader, arguments, touched_keys
from lakehouse.build.task import Task
from lakehouse.declare import REGISTRY, column
from lakehouse.storage import delta
from lakehouse.storage.lakehouse import Lakehouse
from tests.lakehouse.small_graph import Lake

EVENTS, TOTALS, MARKED = "bronze.mini_events", "gold.mini_totals", "silver.mini_marked"


def task(table: str, **given: Any) -> Task:
    usual = {"why": "", "run_id": "run", "started_at": "2024-01-01T00:00:00+00:00", "parameters": {}, "is_whole": False}
    return Task(table, **{**usual, "upstreams": {}, "changes": {}, "consumed": {}, **given})


@pytest.fixture
def built(lake: Lake) -> Lake:
    """Two runs: Ann's file, then Bob's."""
    for name in ("ann", "bob"):
        lake.drop(f"{name}.txt", f"{name},x,5")
        assert lake.run().exit_code == 0
    return lake


def test_upstreams_are_read_at_the_version_of_the_task(built: Lake, spark: SparkSession) -> None:
    reader, newest = Reader(Lakehouse(built.root), spark), delta.version(built.path(EVENTS))
    assert newest is not None
    for version, expected in ((newest, ["ann", "bob"]), (newest - 1, ["ann"])):
        frame = reader.upstreams(task(MARKED, upstreams={EVENTS: version}))[EVENTS]
        assert sorted(row["user_id"] for row in frame.collect()) == expected


def test_a_landing_table_of_an_older_version_has_null_in_columns_that_it_did_not_know(built: Lake, spark: SparkSession) -> None:
    older = REGISTRY[EVENTS]
    REGISTRY[EVENTS] = dataclasses.replace(older, columns=(*older.columns, column("place", "bigint", "new")))
    version = delta.version(built.path(EVENTS))
    assert version is not None
    frame = Reader(Lakehouse(built.root), spark).table(REGISTRY[EVENTS], version)
    assert sorted((row["user_id"], row["place"]) for row in frame.collect()) == [("ann", None), ("bob", None)]
    assert dict(frame.dtypes)["place"] == "bigint"


def test_a_landing_table_whose_columns_stand_in_another_order_is_read_as_it_is(built: Lake, spark: SparkSession) -> None:
    """A column that came later stands behind those of lineage."""
    REGISTRY[EVENTS] = dataclasses.replace(REGISTRY[EVENTS], columns=tuple(reversed(REGISTRY[EVENTS].columns)))
    version = delta.version(built.path(EVENTS))
    assert version is not None
    frame = Reader(Lakehouse(built.root), spark).table(REGISTRY[EVENTS], version)
    assert sorted(row["user_id"] for row in frame.collect()) == ["ann", "bob"]


def rows_of_ann(declared: Any, upstream: DataFrame, reader: Reader) -> list[str]:
    given = arguments(reader, declared, task(declared.name), {EVENTS: upstream}, frozenset({"ann"}))
    [frame] = given.values()
    assert isinstance(frame, DataFrame)
    return sorted(row["user_id"] for row in frame.collect())


def test_a_listener_s_rows_alone_are_read_where_the_upstream_names_listeners(built: Lake, spark: SparkSession) -> None:
    reader = Reader(Lakehouse(built.root), spark)
    # As silver.typed_history is: its scope is the file, and its rows name listeners.
    REGISTRY[EVENTS] = dataclasses.replace(REGISTRY[EVENTS], scope="file")
    frame = spark.read.format("delta").load(str(built.path(EVENTS)))
    counts = REGISTRY["gold.mini_counts"]
    assert rows_of_ann(counts, frame, reader) == ["ann"]
    assert rows_of_ann(dataclasses.replace(counts, scope="whole"), frame, reader) == ["ann", "bob"]


@pytest.mark.parametrize(("keys", "expected"), [(["ann", "bob"], frozenset({"ann", "bob"})), (["ann", "bob", "cid"], None)])
def test_as_many_keys_as_the_limit_are_still_keys(
    built: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, keys: list[str], expected: frozenset[str] | None
) -> None:
    monkeypatch.setattr(inputs, "MAX_KEYS", 2)
    asked = task(TOTALS, changes={MARKED: keys})
    assert touched_keys(Reader(Lakehouse(built.root), spark), REGISTRY[TOTALS], asked) == expected


def test_versions_before_a_checkpoint_are_read_as_others_are(built: Lake, spark: SparkSession) -> None:
    path = built.path(EVENTS)
    for _ in range(2):
        write_deltalake(path, DeltaTable(path).to_pyarrow_table(), mode="append")
    DeltaTable(path).delete()
    empty = DeltaTable(path).version()
    write_deltalake(path, DeltaTable(path, version=empty - 1).to_pyarrow_table(), mode="append")
    DeltaTable(path).create_checkpoint()
    reader = Reader(Lakehouse(built.root), spark)
    newest, before, none = (reader.table(REGISTRY[EVENTS], version) for version in (empty + 1, empty - 1, empty))
    assert before.dtypes == newest.dtypes == none.dtypes
    assert sorted(before.collect()) == sorted(newest.collect())
    assert (len(before.collect()), none.collect()) == (8, [])
