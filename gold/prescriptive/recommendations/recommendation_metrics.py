"""How good are the recommendations on later plays, and are they better than simple ones?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from models.common.metric import FIELDS

FIGURES = ("value", "low", "high", "baseline", "baseline_value", "skill", "skill_low", "skill_high", "n", "note")


@table(
    "gold.recommendation_metrics",
    key=["model_id", "protocol", "metric"],
    scope="whole",
    schema=[
        column("model_id", "string", "model in use, whose training computed the metric"),
        column("protocol", "string", "held-out data and population"),
        column("metric", "string", "measure: recommender; baselines have separate rows"),
        column(
            "population",
            "string",
            "real or synthetic listeners; results on synthetic listeners say nothing about people",
            nullable=False,
        ),
        column("measure", "string", "ndcg@10, recall@20, map@10, coverage@10, novelty@10, diversity@10, ...", nullable=False),
        column("recommender", "string", "baseline, model or blend", nullable=False),
        column("value", "double", "mean over listeners; listeners without predictions count as zero", nullable=False),
        column("low", "double", "lower end of its 95% bootstrap interval over listeners, or over tracks if the note says so"),
        column("high", "double", "upper end of its 95% interval"),
        column("baseline", "string", "best baseline by this measure"),
        column("baseline_value", "double", "the best baseline's value"),
        column("skill", "double", "relative improvement over the best baseline; null for baselines"),
        column("skill_low", "double", "lower end of its 95% interval, of the paired difference"),
        column("skill_high", "double", "upper end of its 95% interval"),
        column("n", "bigint", "number of listeners, or of tracks if the note says so", at_least=1),
        column("note", "string", "what was ranked"),
    ],
    rules=[
        satisfies(
            "the interval holds the value",
            ["value", "low", "high"],
            lambda: F.coalesce(F.col("value").between(F.col("low") - 1e-9, F.col("high") + 1e-9), F.lit(True)),
        )
    ],
)
def recommendation_metrics(models: DataFrame) -> DataFrame:
    """One row per recommendation model in use, protocol and metric, as its training measured it.

    The protocols are temporal: models are trained on plays before a moment and tested on plays after it, with all known
    tracks ranked. All next plays and tracks new to the listener are separate protocols, as are real and synthetic
    listeners.
    """
    listed = F.explode(F.from_json("metrics", f"array<struct<{FIELDS}>>"))
    measured = models.where("is_current").select("model_id", listed.alias("row"))
    rows = measured.select("model_id", "row.*").where("protocol IS NOT NULL AND value IS NOT NULL")
    parts = F.split("metric", ": ")
    return rows.select(
        "model_id",
        F.concat("protocol", F.lit(" ("), "population", F.lit(")")).alias("protocol"),
        "metric",
        "population",
        F.get(parts, F.lit(0)).alias("measure"),
        F.get(parts, F.lit(1)).alias("recommender"),
        *FIGURES,
    )
