"""Rules on written rows: counts, severities, nulls, and what a report shows of a violation."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.build.batched_aggregates import ask
from lakehouse.build.quality import CheckResult, evaluate, judge, questions
from lakehouse.declare import (
    REGISTRY,
    Rule,
    Table,
    at_least,
    between,
    foreign_key,
    fresh,
    is_in,
    not_null,
    row_count,
    satisfies,
    unique,
)

NOW = dt.datetime(2024, 6, 30, 12, tzinfo=dt.timezone.utc)
SCHEMA = "user_id string, rank int, share double, at timestamp"
DAY = dt.datetime(2024, 6, 20, 12, tzinfo=dt.timezone.utc)


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    values = [
        ("ann", 1, 0.5, DAY),
        ("ann", 1, 1.5, None),
        ("bob", 2, float("nan"), DAY),
        (None, None, None, None),
    ]
    return spark.createDataFrame(values, SCHEMA)


def found(rows: DataFrame, *rules: Rule, previous: int | None = None, **references: DataFrame) -> list[CheckResult]:
    declared: Table = replace(next(iter(_any_table())), rules=rules)
    named = {name.replace("__", "."): frame for name, frame in references.items()}
    return evaluate(declared, rows, named, NOW, previous)


def _any_table() -> Sequence[Table]:
    from lakehouse.plan import graph

    graph.load()
    return [REGISTRY["gold.top_artists"]]


@pytest.mark.parametrize(
    ("rule", "violations"),
    [
        (not_null("user_id"), 1),
        (is_in("user_id", ["ann", "cid"]), 1),
        (is_in("user_id", ["ann", "bob"]), 0),
        (is_in("rank", [1]), 1),
        (between("share", 0, 1), 2),
        (between("rank", 1, 2), 0),
        (at_least("rank", 2), 2),
        (at_least("rank", 1), 0),
        (satisfies("rank is 1", ["rank"], lambda: F.col("rank") == 1), 2),
        (unique("user_id"), 1),
        (unique("user_id", "share"), 0),
    ],
    ids=lambda value: value.name if isinstance(value, Rule) else str(value),
)
@pytest.mark.parametrize("severity", ["WARN", "FAIL"])
def test_each_rule_counts_its_violations_and_reports_its_severity(
    rows: DataFrame, rule: Rule, violations: int, severity: Any
) -> None:
    [result] = found(rows, replace(rule, severity=severity))
    assert (result.rule, result.violations, result.rows) == (rule.name, violations, 4)
    assert result.status == (severity if violations else "PASS")


def test_a_violation_is_shown_with_its_values(rows: DataFrame) -> None:
    [result] = found(rows, is_in("user_id", ["ann"]))
    assert result.detail == "user_id='bob'"


def test_a_long_value_is_shown_cut(spark: SparkSession) -> None:
    long = spark.createDataFrame([("x" * 5000, 1, 0.5, DAY)], SCHEMA)
    [result] = found(long, is_in("user_id", ["ann"]))
    assert result.detail == "user_id='" + "x" * 191


def test_every_violating_value_of_a_foreign_key_counts_once_and_null_never(spark: SparkSession, rows: DataFrame) -> None:
    more = rows.unionByName(spark.createDataFrame([("bob", 3, 0.1, DAY), ("cid", 3, 0.1, DAY)], SCHEMA))
    users = spark.createDataFrame([("ann",), ("ann",)], "user_id string")
    rule = foreign_key("user_id", "silver.users", "user_id")
    assert [(r.status, r.violations) for r in found(more, rule, silver__users=users)] == [("FAIL", 2)]
    everyone = spark.createDataFrame([("ann",), ("bob",), ("cid",), ("dot",)], "user_id string")
    assert [(r.status, r.violations) for r in found(more, rule, silver__users=everyone)] == [("PASS", 0)]


@pytest.mark.parametrize(("days", "status"), [(9.9, "WARN"), (10, "PASS"), (30, "PASS")])
def test_freshness_judges_the_newest_row_against_the_start_of_the_run(rows: DataFrame, days: float, status: str) -> None:
    [result] = found(rows, fresh("at", days))
    assert (result.status, result.detail) == (status, "newest is 10.0 days old")


def test_freshness_judges_the_rows_it_is_told_to(rows: DataFrame) -> None:
    newer = rows.selectExpr("'made up' AS user_id", "rank", "share", "at + interval 9 days AS at")
    both = rows.unionByName(newer)
    assert [r.detail for r in found(both, fresh("at", 5))] == ["newest is 1.0 days old"]
    [result] = found(both, fresh("at", 5, among="user_id <> 'made up'"))
    assert (result.status, result.detail) == ("WARN", "newest is 10.0 days old")


def test_freshness_of_no_rows_passes(rows: DataFrame) -> None:
    [result] = found(rows.where("false"), fresh("at", 1, "FAIL"))
    assert (result.status, result.rows, result.detail) == ("PASS", 0, "no rows")


@pytest.mark.parametrize(
    ("previous", "status", "violations"),
    [(None, "PASS", 0), (0, "PASS", 0), (4, "PASS", 0), (8, "PASS", 0), (9, "WARN", 5), (2, "PASS", 0)],
)
def test_losing_more_than_the_allowed_share_of_rows_is_reported(
    rows: DataFrame, previous: int | None, status: str, violations: int
) -> None:
    [result] = found(rows, row_count(0.5), previous=previous)
    assert (result.status, result.violations) == (status, violations)


def test_rows_that_stay_count_with_those_that_are_replaced(rows: DataFrame) -> None:
    """Six of ten replaced rows go from a table of a hundred."""
    declared = replace(next(iter(_any_table())), rules=(row_count(0.5),))
    [result] = judge(declared, ask(questions(declared, rows, {})), rows, NOW, 10, 90)
    assert (result.status, result.detail) == ("PASS", "100 rows before, 94 now")


def test_an_empty_result_passes_every_rule(rows: DataFrame) -> None:
    rules = [not_null("user_id"), unique("user_id"), between("share", 0, 1), satisfies("one", ["rank"], lambda: F.lit(False))]
    assert {(r.status, r.rows) for r in found(rows.where("false"), *rules)} == {("PASS", 0)}


def test_results_hold_every_rule_once(rows: DataFrame) -> None:
    rules = [unique("user_id"), not_null("rank"), fresh("at", 1), row_count(0.1), at_least("rank", 0)]
    assert sorted(r.rule for r in found(rows, *rules)) == sorted(rule.name for rule in rules)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: is_in("user_id", []),
        lambda: between("share", 2, 1),
        lambda: row_count(1.5),
        lambda: row_count(-0.1),
        lambda: not_null("user_id", "ERROR"),
        lambda: Rule("odd", "row", ("user_id",)),
        lambda: Rule("odd", "unique", ("user_id",), violates=lambda: F.lit(True)),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_when_it_is_made(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"user_id|share|row_count|odd"):
        wrong()


def test_a_first_version_has_no_rows_to_compare(rows: DataFrame) -> None:
    [check] = found(rows, row_count(0.5))
    assert (check.status, check.detail) == ("PASS", "no earlier version")
