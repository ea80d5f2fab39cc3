"""Several small questions about tables, asked in one query: each query costs a round trip and a plan of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

Figures = list[int | None]


def question(rows: DataFrame, figures: list[Column], key: Column | None = None) -> DataFrame:
    """Whole-number aggregates of the rows as one row (key, figures), or as one per value of `key`."""
    # As columns first: an aggregate inside an array is planned by no engine as well as one that stands alone.
    named = [figure.cast("bigint").alias(f"figure_{number}") for number, figure in enumerate(figures)]
    if key is None:
        answer = rows.agg(*named).withColumn("key", F.lit(None).cast("string"))
    else:
        answer = rows.groupBy(key.alias("key")).agg(*named)
    return answer.select("key", F.array(*[f"figure_{number}" for number in range(len(figures))]).alias("figures"))


def ask(questions: Mapping[str, DataFrame]) -> dict[str, dict[str | None, Figures]]:
    """The figures of every question by key (None where a question has no key), from one query."""
    parts = [frame.select(F.lit(name).alias("question"), "key", "figures") for name, frame in questions.items()]
    answers: dict[str, dict[str | None, Figures]] = {name: {} for name in questions}
    # Not toArrow(), which would plan the query once more for its schema.
    for row in reduce(DataFrame.unionAll, parts).collect():
        answers[row["question"]][row["key"]] = row["figures"]
    return answers
