"""P-values, intervals, effect sizes and both corrections for many tests against known values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from music.statistics import (
    cohens_d,
    fisher_deviate,
    fisher_interval,
    ratio,
    significant,
    t_quantile,
    wilson_interval,
    with_benjamini_hochberg,
    with_holm,
    with_normal_p_value,
    with_t_deviate,
    with_variance_components,
)


def evaluate(spark: SparkSession, inputs: Sequence[Sequence[float | None]], **figures: Column) -> list[Mapping[str, Any]]:
    """The figures of each row of inputs a, b, c .. in order."""
    names = "abcde"[: len(inputs[0])]
    schema = "i int, " + ", ".join(f"{name} double" for name in names)
    rows = [(i, *[None if v is None else float(v) for v in row]) for i, row in enumerate(inputs)]
    result = spark.createDataFrame(rows, schema).select("i", *[figure.alias(name) for name, figure in figures.items()])
    return [row.asDict() for row in sorted(result.collect(), key=lambda row: row["i"])]


def p_values_of_t(spark: SparkSession, cases: Sequence[tuple[float, int]]) -> list[float | None]:
    """The two-sided p-value of each t with its degrees of freedom."""
    frame = spark.createDataFrame([(i, float(t), n) for i, (t, n) in enumerate(cases)], "i int, t double, n int")
    rows = with_normal_p_value(with_t_deviate(frame, "t", "n")).collect()
    assert set(rows[0].asDict()) == {"i", "t", "n", "z", "p_value"}
    return [row["p_value"] for row in sorted(rows, key=lambda row: row["i"])]


def test_normal_p_value_is_erfc_far_into_both_tails(spark: SparkSession) -> None:
    deviates = [0.0, 0.1, -1.0, 1.959964, 2.575829, -5.0, 8.0, 20.0, 37.0]
    frame = spark.createDataFrame([*enumerate(deviates), (len(deviates), None)], "i int, z double")
    rows = with_normal_p_value(frame).collect()
    assert set(rows[0].asDict()) == {"i", "z", "p_value"}
    *got, unknown = [row["p_value"] for row in sorted(rows, key=lambda row: row["i"])]
    assert unknown is None
    assert got == pytest.approx([math.erfc(abs(z) / math.sqrt(2)) for z in deviates], rel=2e-7)
    assert max(got) <= 1.0
    assert got[3] == pytest.approx(0.05, abs=1e-6)


def test_t_p_value_matches_tables_and_the_closed_form(spark: SparkSession) -> None:
    """The 97.5% quantiles are of any printed t table; p for 4 degrees of freedom at t = 20 is 3.68831e-5 by the closed form."""
    cases = [(2.776445, 4), (-2.570582, 5), (2.262157, 9), (2.045230, 29), (20.0, 4), (0.0, 4), (2.0, 3)]
    p = p_values_of_t(spark, cases)
    assert p[:4] == pytest.approx([0.05] * 4, rel=1e-4)
    assert p[4] == pytest.approx(3.68831e-5, rel=5e-3)
    assert p[5] == pytest.approx(1.0, rel=1e-6)
    assert p[6] is None


def test_deviate_and_p_value_stand_in_the_named_columns(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(2.776445, 4)], "t double, n int")
    [row] = with_normal_p_value(with_t_deviate(frame, "t", "n", "deviate"), "deviate", "chance").collect()
    assert set(row.asDict()) == {"t", "n", "deviate", "chance"}
    assert row["deviate"] == pytest.approx(1.959964, rel=1e-4)
    assert row["chance"] == pytest.approx(0.05, rel=1e-4)


def test_t_quantile_matches_tables(spark: SparkSession) -> None:
    rows = evaluate(spark, [[4], [5], [9], [29], [1e9], [3], [None]], t=t_quantile(F.col("a")))
    assert [row["t"] for row in rows[:5]] == pytest.approx([2.776445, 2.570582, 2.262157, 2.045230, 1.959964], rel=4e-4)
    assert [row["t"] for row in rows[5:]] == [None, None]


def test_wilson_interval(spark: SparkSession) -> None:
    """10 of 10: the lower end is n / (n + z^2) = 10 / 13.841459 = 0.722467; 0 of 10 mirrors it; 5 of 10 is 0.5 -+ 0.263410."""
    low, high = wilson_interval(F.col("a"), F.col("b"))
    rows = evaluate(spark, [[10, 10], [0, 10], [5, 10], [0, 0]], low=low, high=high)
    assert [row["low"] for row in rows[:3]] == pytest.approx([0.722467, 0.0, 0.236590], abs=1e-5)
    assert [row["high"] for row in rows[:3]] == pytest.approx([1.0, 0.277533, 0.763410], abs=1e-5)
    assert (rows[3]["low"], rows[3]["high"]) == (None, None)


def test_wilson_interval_of_any_number_lies_within_0_and_1(spark: SparkSession) -> None:
    """One of one: 1 / 4.841459 = 0.206549 to 1. Rounding alone would put some ends outside."""
    low, high = wilson_interval(F.col("a"), F.col("b"))
    cases = [[share * n, n] for n in range(1, 200) for share in (0, 1)]
    rows = evaluate(spark, cases, low=low, high=high)
    assert rows[1]["low"] == pytest.approx(0.206549, abs=1e-6)
    assert min(row["low"] for row in rows) == 0.0
    assert max(row["high"] for row in rows) == 1.0


def test_fisher_interval_and_deviate(spark: SparkSession) -> None:
    """r = 0.5, n = 28: artanh = 0.549306, error = 1 / 5, so z = 2.746531 and the ends are tanh(0.549306 -+ 0.391993).

    The least n is 4, with an error of 1.
    """
    low, high = fisher_interval(F.col("a"), F.col("b"))
    rows = evaluate(
        spark, [[0.5, 28], [0.5, 3], [1.0, 28], [0.0, 28], [0.5, 4]], low=low, high=high, z=fisher_deviate(F.col("a"), F.col("b"))
    )
    assert rows[0]["low"] == pytest.approx(math.tanh(0.157313), abs=1e-5)
    assert rows[0]["high"] == pytest.approx(math.tanh(0.941299), abs=1e-5)
    assert rows[0]["z"] == pytest.approx(2.746531, abs=1e-5)
    assert [(row["low"], row["high"], row["z"]) for row in rows[1:3]] == [(None, None, None)] * 2
    assert rows[3]["low"] == pytest.approx(-rows[3]["high"])
    assert rows[3]["z"] == 0.0
    assert rows[4]["z"] == pytest.approx(0.549306, abs=1e-6)


def test_cohens_d(spark: SparkSession) -> None:
    """Difference 2, deviations 3 and 5, n 5 and 3: pooled variance 86 / 6, d = 2 / 3.785939 = 0.528271."""
    d = cohens_d(F.col("a"), F.col("b"), F.col("c"), F.col("d"), F.col("e"))
    rows = evaluate(spark, [[2, 3, 5, 5, 3], [0, 3, 5, 5, 3], [2, 0, 5, 0, 3], [2, None, 1, 5, 3]], d=d)
    assert [row["d"] for row in rows] == [pytest.approx(0.528271, abs=1e-6), 0.0, None, None]


def test_ratio_is_null_without_a_denominator(spark: SparkSession) -> None:
    rows = evaluate(spark, [[3, 2], [3, 0], [None, 2]], r=ratio(F.col("a"), F.col("b")))
    assert [row["r"] for row in rows] == [1.5, None, None]


def holm(spark: SparkSession, rows: Sequence[tuple[str, str, float | None]]) -> dict[tuple[str, str], float | None]:
    frame = spark.createDataFrame(list(rows), "user_id string, test string, p_value double")
    corrected = with_holm(frame, ["user_id"], ["test"]).collect()
    assert set(corrected[0].asDict()) == {"user_id", "test", "p_value", "p_corrected"}
    return {(r["user_id"], r["test"]): r["p_corrected"] for r in corrected}


def test_holm_worked_by_hand_with_nulls_and_two_listeners(spark: SparkSession) -> None:
    """Of 0.01, 0.02, 0.02, 0.6: 4 * 0.01 = 0.04; 3 * 0.02 = 0.06; 2 * 0.02 = 0.04, raised to 0.06; 1 * 0.6.

    The null counts for nothing.
    """
    mine = [("a", "w", 0.02), ("a", "x", 0.6), ("a", "y", 0.01), ("a", "z", 0.02), ("a", "none", None)]
    got = holm(spark, [*mine, ("b", "w", 0.03), ("b", "x", 0.7), ("b", "y", 0.8)])
    expected = {
        ("a", "y"): 0.04,
        ("a", "w"): 0.06,
        ("a", "z"): 0.06,
        ("a", "x"): 0.6,
        ("b", "w"): 0.09,
        ("b", "x"): 1.0,
        ("b", "y"): 1.0,
    }
    assert got.pop(("a", "none")) is None
    assert got == pytest.approx(expected)


def test_benjamini_hochberg_worked_by_hand_with_nulls_and_two_listeners(spark: SparkSession) -> None:
    """Of 0.01, 0.03, 0.03, 0.6: 4 / 3 * 0.03 = 0.04 is less than 4 / 2 * 0.03, so both get it; 4 * 0.01 = 0.04 too; 0.6.

    Of b's 0.3, 0.9, 0.95: 3 * 0.3 = 0.9; 3 / 2 * 0.9 falls to 0.95, the largest. The null counts for nothing.
    """
    mine = [("a", "w", 0.03), ("a", "x", 0.6), ("a", "y", 0.01), ("a", "z", 0.03), ("a", "none", None)]
    others = [("b", "w", 0.3), ("b", "x", 0.9), ("b", "y", 0.95), ("c", "w", 1.5)]
    frame = spark.createDataFrame([*mine, *others], "user_id string, test string, p_value double")
    rows = with_benjamini_hochberg(frame, ["user_id"], ["test"]).collect()
    assert set(rows[0].asDict()) == {"user_id", "test", "p_value", "p_corrected"}
    got = {(row["user_id"], row["test"]): row["p_corrected"] for row in rows}
    assert got.pop(("a", "none")) is None
    expected = {
        ("a", "y"): 0.04,
        ("a", "w"): 0.04,
        ("a", "z"): 0.04,
        ("a", "x"): 0.6,
        ("b", "w"): 0.9,
        ("b", "x"): 0.95,
        ("b", "y"): 0.95,
        ("c", "w"): 1.0,
    }
    assert got == pytest.approx(expected)


def test_corrections_of_a_named_column(spark: SparkSession) -> None:
    """Two tests at 0.02 and 0.03: Holm 0.04 for both; Benjamini-Hochberg 0.03 for both."""
    frame = spark.createDataFrame([("w", 0.02), ("x", 0.03)], "test string, chance double")
    for correct, expected in ((with_holm, 0.04), (with_benjamini_hochberg, 0.03)):
        rows = correct(frame.withColumn("all", F.lit(1)), ["all"], ["test"], "chance").collect()
        assert [row["p_corrected"] for row in rows] == pytest.approx([expected, expected])


def test_variance_components_by_hand(spark: SparkSession) -> None:
    """Of a: the groups 1, 3 and 4, 6, 8 and 10 have squares of 10 within, 3 degrees of freedom, and 136/3 / 2 among them.

    b has one group, c two of the same mean.
    """
    groups = [
        ("a", 2, 2.0, 1.0),
        ("a", 3, 6.0, 8 / 3),
        ("a", 1, 10.0, 0.0),
        ("b", 2, 5.0, 1.0),
        ("c", 2, 5.0, 1.0),
        ("c", 2, 5.0, 4.0),
    ]
    frame = spark.createDataFrame(groups, "user_id string, n bigint, mean double, variance double")
    rows = with_variance_components(frame, "user_id", "mean").collect()
    given, added = {"user_id", "n", "mean", "variance"}, {"groups", "all_n", "centre", "within", "between"}
    assert set(rows[0].asDict()) == given | added
    got = {row["user_id"]: (row["groups"], row["all_n"], row["centre"], row["within"], row["between"]) for row in rows}
    assert got["a"] == pytest.approx((3, 6, 16 / 3, 10 / 3, 116 / 11))
    assert got["b"] == pytest.approx((1, 2, 5.0, 2.0, 0.0))
    assert got["c"] == pytest.approx((2, 4, 5.0, 5.0, 0.0))


def test_significant_is_strict_and_false_for_null(spark: SparkSession) -> None:
    rows = evaluate(spark, [[0.049], [0.05], [None]], s=significant(F.col("a")))
    assert [row["s"] for row in rows] == [True, False, False]
