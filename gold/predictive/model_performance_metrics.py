"""How good each model is, where that was tested, and what a simple rule does there."""

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
            "what was scored: real or synthetic listeners, or the catalogue's tracks",
            one_of=(*POPULATIONS, CATALOGUE),
        ),
        column("split", "string", "data scored: validation (the model was chosen on it), test (used once), resamples ..."),
        column("metric", "string", "what is measured; `rmse: last listen` is the rmse of that simple rule"),
        column("model_name", "string", "name of the model", nullable=False),
        column("model_type", "string", "e.g. regression, classification, forecast", nullable=False),
        column("value", "double", "the metric, in its own unit; null where it cannot be known"),
        column("low", "double", "lower end of its 95% interval, by bootstrap over sessions, artists, weeks or listeners"),
        column("high", "double", "upper end of the 95% interval"),
        column("baseline", "string", "the best simple rule, chosen on validation"),
        column("baseline_value", "double", "the same metric of that rule on the same rows"),
        column("skill", "double", "share by which the model is better than the baseline; 0 no better, negative worse"),
        column("skill_low", "double", "lower end of its 95% interval: above 0, the model is better beyond chance"),
        column("skill_high", "double", "upper end of the 95% interval"),
        column("n", "bigint", "rows scored", nullable=False, at_least=0),
        column("note", "string", "what else must be known, e.g. that the baseline is published instead"),
        column("is_current", "boolean", "the model is in use", nullable=False),
        column("trained_at", "timestamp", "UTC", nullable=False),
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
