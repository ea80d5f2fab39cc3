"""How good is each model, on which data, and compared with which baseline?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.predictive.ledger_rows import exploded
from lakehouse.declare import column, satisfies, table
from models.common.metric import FIELDS
from music.populations import CATALOGUE, POPULATIONS

# What older models wrote behind the split: `test_synthetic`, `test, temporal, all next plays, real`.
NAMED_POPULATION = f"(_|, )({'|'.join(POPULATIONS)})$"


@table(
    "gold.model_performance_metrics",
    key=["model_id", "population", "split", "metric"],
    scope="whole",
    schema=[
        column("model_id", "string", "model, see ops.models"),
        column(
            "population",
            "string",
            "what was scored: real listeners, synthetic listeners, or tracks of the catalogue",
            one_of=(*POPULATIONS, CATALOGUE),
        ),
        column(
            "split",
            "string",
            "data the metric was computed on: validation (used to choose the model), test (used once), resamples, ...",
        ),
        column("metric", "string", "name of the metric; `rmse: last listen` is the rmse of that baseline"),
        column("model_name", "string", "name of the model", nullable=False),
        column("model_type", "string", "e.g. regression, classification, forecast", nullable=False),
        column("value", "double", "value in the metric's unit; null where it cannot be determined"),
        column("low", "double", "lower end of the 95% bootstrap interval over sessions, artists, weeks or listeners"),
        column("high", "double", "upper end of the 95% interval"),
        column("baseline", "string", "best baseline, chosen on validation"),
        column("baseline_value", "double", "value of the same metric for the baseline on the same rows"),
        column("skill", "double", "relative improvement over the baseline: 0 = no better, negative = worse"),
        column("skill_low", "double", "lower end of its 95% interval; above 0, the improvement is significant"),
        column("skill_high", "double", "upper end of the 95% interval"),
        column("n", "bigint", "number of rows scored", nullable=False, at_least=0),
        column("note", "string", "remark, e.g. that the baseline is published instead"),
        column("is_current", "boolean", "true for the model in use", nullable=False),
        column("trained_at", "timestamp", "time of training, UTC", nullable=False),
    ],
    rules=[
        satisfies("the interval is in order", ["low", "high"], lambda: F.coalesce(F.col("low") <= F.col("high"), F.lit(True)))
    ],
)
def model_performance_metrics(models: DataFrame) -> DataFrame:
    """One row per trained model, population, split and metric, from the ledger of models."""
    return (
        exploded(models, "metrics", FIELDS)
        .withColumn("split", F.regexp_replace("split", NAMED_POPULATION, ""))
        .select(
            *["model_id", "population", "split", "metric", "model_name", "model_type", "value", "low", "high"],
            *["baseline", "baseline_value", "skill", "skill_low", "skill_high", "n", "note", "is_current", "trained_at"],
        )
    )
