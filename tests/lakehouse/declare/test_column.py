"""Constraints beside a column: they become the rules of the same name, and impossible ones are refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.build.quality import evaluate
from lakehouse.declare import REGISTRY, Column, DeclarationError, Table, column, satisfies, table

NOW = dt.datetime(2024, 6, 30, tzinfo=dt.timezone.utc)
ID = column("user_id", "string", "who")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


def declare(*columns: Column, **options: Any) -> Table:
    def constrained(upstream: Any) -> Any:
        """One row per user."""

    table("gold.constrained", key=["user_id"], scope="user", schema=[ID, *columns], **options)(constrained)
    return REGISTRY["gold.constrained"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"between": (0, 1)}, [("between(value,0,1)", "FAIL")]),
        ({"between": (-1.5, 2)}, [("between(value,-1.5,2)", "FAIL")]),
        ({"at_least": 0}, [("at_least(value,0)", "FAIL")]),
        ({"at_least": 1, "one_of": [1, 2]}, [("at_least(value,1)", "FAIL"), ("is_in(value)", "FAIL")]),
        ({"not_null": True, "severity": "WARN"}, [("not_null(value)", "WARN")]),
        ({"between": (0, 1), "severity": "WARN"}, [("between(value,0,1)", "WARN")]),
        ({"between": (0, 1), "nullable": False}, [("not_null(value)", "FAIL"), ("between(value,0,1)", "FAIL")]),
    ],
)
def test_constraints_are_the_rules_of_that_name(options: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    declared = declare(column("value", "double", "a number", **options))
    implied = [("unique(user_id)", "FAIL"), ("not_null(user_id)", "FAIL")]
    assert [(rule.name, rule.severity) for rule in declared.rules] == implied + expected


def test_a_copied_column_is_not_checked_again() -> None:
    checked = column("value", "double", "a number", nullable=False, between=(0, 1))
    assert checked.unchecked() == Column("value", "double", "a number", nullable=False)
    names = [rule.name for rule in declare(checked.unchecked()).rules]
    assert names == ["unique(user_id)", "not_null(user_id)", "not_null(value)"]


def test_violations_are_counted_at_both_limits_and_nulls_are_none(spark: SparkSession) -> None:
    declared = declare(
        column("share", "double", "0-1", between=(0, 1)),
        column("plays", "int", "at least 1", at_least=1, severity="WARN"),
        column("mood", "string", "calm or not", one_of=("calm", "wild")),
        rules=[satisfies("calm plays once", ["mood", "plays"], lambda: ~_calm_and_often())],
    )
    rows = [("a", 0.0, 1, "calm"), ("b", 1.0, 0, "loud"), ("c", 1.01, None, None), ("d", float("nan"), -3, "wild")]
    frame = spark.createDataFrame(rows, "user_id string, share double, plays int, mood string")
    results = {r.rule: (r.status, r.violations) for r in evaluate(declared, frame, {}, NOW, None)}
    assert results["between(share,0,1)"] == ("FAIL", 2)
    assert results["at_least(plays,1)"] == ("WARN", 2)
    assert results["is_in(mood)"] == ("FAIL", 1)
    assert len(results) == 6, "every rule once"


def _calm_and_often() -> Any:
    from pyspark.sql import functions as F

    return F.coalesce((F.col("mood") == "calm") & (F.col("plays") > 1), F.lit(False))


@pytest.mark.parametrize(
    ("type", "options", "message"),
    [
        ("double", {"between": (1, 0)}, "1 > 0"),
        ("string", {"one_of": []}, "at least one value"),
        ("string", {"between": (0, 1)}, "need a number, not string"),
        ("timestamp", {"at_least": 0}, "need a number, not timestamp"),
        ("array<string>", {"one_of": ["a"]}, "a single value, not array<string>"),
        ("double", {"between": (0, 1), "at_least": 0}, "at_least is one too many"),
        ("double", {"nullable": False, "not_null": True}, "already rejects nulls"),
        ("double", {"severity": "WARN"}, "belongs to no constraint"),
        ("double", {"at_least": 0, "severity": "FATAL"}, "severity is WARN or FAIL"),
    ],
)
def test_an_impossible_constraint_is_refused_where_it_is_written(type: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match="column odd") as caught:
        column("odd", type, "odd", **options)
    assert message in str(caught.value)
