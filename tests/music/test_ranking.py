"""Scores that tie up to their last bits are equal; those that differ in a digit that counts are not."""

from __future__ import annotations

import numpy as np
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from music.ranking import greatest, least, numbered, ranking, reaching, rounded, summed

# Equal sums, one bit apart.
LOWER, HIGHER = 0.3, 0.1 + 0.2


def test_the_sums_of_this_test_differ_in_their_last_bit() -> None:
    assert LOWER < HIGHER < LOWER + 1e-15


def test_scores_are_rounded_to_nine_digits_of_the_largest_of_their_row() -> None:
    scores = np.array([[LOWER, HIGHER, 0.3 + 1e-8, -np.inf, np.nan], [3e6, 1e6 * LOWER * 10, 1e6 * HIGHER * 10, np.inf, 0.0]])
    got = rounded(scores)
    assert got[0, 0] == got[0, 1] < got[0, 2]
    assert got[1, 0] == got[1, 1] == got[1, 2]
    assert np.isneginf(got[0, 3]) and np.isnan(got[0, 4]) and np.isposinf(got[1, 3]) and got[1, 4] == 0.0
    assert np.allclose(got[:, :3], scores[:, :3], rtol=2e-9, atol=0)
    assert rounded(np.zeros((2, 0))).shape == (2, 0)
    assert rounded(np.zeros((1, 2))).tolist() == [[0.0, 0.0]]
    assert rounded(np.array([1e-9, 2e-9])).tolist() != [0.0, 0.0], "small rows keep their digits"


def test_a_tie_reaches_its_target_from_below_and_above() -> None:
    assert reaching(np.array([LOWER, HIGHER, 0.3 - 1e-8]), np.array([HIGHER, LOWER, 0.3])).tolist() == [True, True, False]


def test_of_equal_values_the_first_is_chosen() -> None:
    assert least({"a": HIGHER, "b": LOWER, "c": 0.4}) == "a"
    assert greatest({"a": LOWER, "b": HIGHER, "c": 0.2}) == "a"
    assert least(numbered(np.array([2.0, 1.0, 1.0 - 1e-7]))) == 2
    assert greatest({"a": 1e6 * LOWER, "b": 1e6 * HIGHER}) == "a"


def test_columns_of_equal_sums_are_equal(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(LOWER, HIGHER, None)], "a double, b double, c double")
    for equal in (ranking, summed):
        told = rows.select((equal(F.col("a")) == equal(F.col("b"))).alias("is_equal"), equal(F.col("c")).alias("unknown"))
        assert told.collect() == [Row(is_equal=True, unknown=None)]
