"""Every descriptive table equals what DuckDB makes of the same plays."""

from __future__ import annotations

import importlib
from typing import Any

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.declare import REGISTRY
from tests.frames import collect, frame
from tests.gold.descriptive.plays import LISTENERS, UPSTREAM, as_arrow, random_plays
from tests.oracle import assert_same
from tests.oracle.descriptive import ORACLES

TRANSFORMS = {name: getattr(importlib.import_module(f"gold.descriptive.{name[5:]}"), name[5:]) for name in ORACLES}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return random_plays()


@pytest.fixture(scope="module")
def plays(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    return frame(spark, UPSTREAM, rows)


@pytest.fixture(scope="module")
def oracle(rows: list[dict[str, Any]]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("plays", as_arrow(rows))
    return connection


@pytest.mark.parametrize("table", ORACLES)
def test_the_table_equals_its_oracle(table: str, plays: DataFrame, oracle: duckdb.DuckDBPyConnection) -> None:
    declared = REGISTRY[table]
    expected = oracle.sql(ORACLES[table]).to_arrow_table().to_pylist()
    assert_same(collect(table, TRANSFORMS[table](plays)), expected, declared.key)


@pytest.mark.parametrize("table", ORACLES)
def test_a_listener_alone_gives_the_listeners_rows(table: str, plays: DataFrame) -> None:
    declared = REGISTRY[table]
    together = collect(table, TRANSFORMS[table](plays))
    alone = collect(table, TRANSFORMS[table](plays.where("user_id = 'light'")))
    assert_same(alone, [row for row in together if row["user_id"] == "light"], declared.key)
    assert {row["user_id"] for row in together} == set(LISTENERS)


@pytest.mark.parametrize("table", ORACLES)
def test_every_rule_holds(table: str, plays: DataFrame) -> None:
    declared = REGISTRY[table]
    violations = {rule.name: rule.violates() for rule in declared.rules if rule.violates is not None}
    counts = TRANSFORMS[table](plays).agg(*[F.count_if(violated).alias(name) for name, violated in violations.items()])
    assert counts.collect()[0].asDict() == dict.fromkeys(violations, 0)


def test_the_oracle_covers_every_descriptive_table() -> None:
    assert {name for name, declared in REGISTRY.items() if declared.category == "gold.descriptive"} == set(ORACLES)
