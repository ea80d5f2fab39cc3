"""The first rows of many groups, by several columns, with nulls among what is only carried along."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from music.small_groups import in_small_groups

ROWS = [("a", 1.0, "y", None), ("a", 2.0, "z", "told"), ("a", 2.0, "x", "kept"), ("b", 0.0, "w", None), (None, 5.0, "v", "n")]


def test_rows_are_placed_by_the_order_and_cut(spark: SparkSession) -> None:
    rows = spark.createDataFrame(ROWS, "owner string, score double, name string, note string")
    order = [-F.col("score"), F.col("name")]
    placed = in_small_groups(rows, ["owner"], order, ("name", "score", "note"))
    assert placed.columns == ["owner", "name", "score", "note", "place"]
    every = {(row["owner"], row["place"]): (row["name"], row["score"], row["note"]) for row in placed.collect()}
    assert every == {
        ("a", 1): ("x", 2.0, "kept"),
        ("a", 2): ("z", 2.0, "told"),
        ("a", 3): ("y", 1.0, None),
        ("b", 1): ("w", 0.0, None),
        (None, 1): ("v", 5.0, "n"),
    }
    first = in_small_groups(rows, ["owner"], order, ("name", "score"), 2).collect()
    assert sorted((str(row["owner"]), row["place"], row["name"]) for row in first) == [
        ("None", 1, "v"),
        ("a", 1, "x"),
        ("a", 2, "z"),
        ("b", 1, "w"),
    ]
