"""Several questions in one query."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.build.batched_aggregates import ask, question


def test_answers_stand_under_their_question_and_key(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("ann", 2), ("ann", 3), ("bob", 4)], "user_id string, amount int")
    amount, count = F.sum("amount"), F.count("*")
    answers = ask(
        {
            "all": question(rows, [amount, count]),
            "each": question(rows, [count, amount, F.max("amount")], F.col("user_id")),
            "none": question(rows.limit(0), [count, amount]),
            "no key": question(rows.limit(0), [count], F.col("user_id")),
        }
    )
    assert answers == {
        "all": {None: [9, 3]},
        "each": {"ann": [2, 5, 3], "bob": [1, 4, 4]},
        "none": {None: [0, None]},
        "no key": {},
    }


def test_figures_are_whole_numbers_of_any_size(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(2**62,), (5,)], "amount bigint")
    assert ask({"largest": question(rows, [F.max("amount"), F.min("amount")])}) == {"largest": {None: [2**62, 5]}}


def test_a_null_key_is_a_key(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(None, 1), ("ann", 2)], "user_id string, amount int")
    assert ask({"each": question(rows, [F.sum("amount")], F.col("user_id"))}) == {"each": {None: [1], "ann": [2]}}
