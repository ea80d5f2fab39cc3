"""Figures in sentences: the same digits on every engine, halves away from zero."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from gold.prescriptive.wording import number


def told(spark: SparkSession, values: list[float | None], digits: int) -> list[str | None]:
    frame = spark.createDataFrame([(n, v) for n, v in enumerate(values)], "n int, v double")
    return [row["told"] for row in frame.select("n", number(F.col("v"), digits).alias("told")).orderBy("n").collect()]


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        *[(0.285, 2, "0.29"), (0.125, 2, "0.13"), (1.005, 2, "1.01"), (-0.285, 2, "-0.29"), (0.1 + 0.185, 2, "0.29")],
        *[(120.5, 0, "121"), (0.0, 2, "0.00"), (None, 2, None), (99.999, 2, "100.00"), (-7.25, 1, "-7.3")],
    ],
)
def test_halves_are_rounded_away_from_zero_whatever_the_last_bit(
    spark: SparkSession, value: float | None, digits: int, expected: str | None
) -> None:
    assert told(spark, [value], digits) == [expected]


@settings(max_examples=20, deadline=None)
@given(thousandths=st.lists(st.integers(-300_000, 300_000), min_size=1, max_size=30))
def test_thousandths_are_rounded_as_decimals_are(spark: SparkSession, thousandths: list[int]) -> None:
    expected = [(Decimal(n) / 1000).quantize(Decimal("0.01"), ROUND_HALF_UP) for n in thousandths]
    assert [Decimal(text or "") for text in told(spark, [n / 1000 for n in thousandths], 2)] == expected
