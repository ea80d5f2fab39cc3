"""What kind of session was each one: which persona of the listener's population is nearest, and how clearly?"""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.session_features import FEATURES, session_features
from lakehouse.declare import Model, column, satisfies, table
from models.clusters.nearest import with_nearest
from music.local_time import hour_unit
from music.populations import population_by_id
from music.statistics import ratio


@table(
    "gold.session_personas",
    key=["user_id", "session_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("session_id", "string", "hash of listener and start"),
        column("started_at", "timestamp", "start of the first play, UTC", nullable=False),
        column(
            "persona",
            "string",
            "name of the nearest persona, from its mean session; a single session may differ",
            nullable=False,
        ),
        column("cluster", "int", "number of the persona in its population; 0 is the largest", nullable=False, at_least=0),
        column(
            "distance",
            "double",
            "distance to the persona's centroid, in standard deviations of the population",
            nullable=False,
            at_least=0,
        ),
        column(
            "clarity",
            "double",
            "1 - distance to the nearest / to the second centroid: 0 = halfway, 1 = at the centroid; null with one persona",
            between=(0, 1),
        ),
        column(
            "valence_deviation",
            "double",
            "valence of the session minus that of the population's mean session, in standard deviations",
        ),
        column(
            "known_features",
            "int",
            "number of known measures, of seven; unknown ones count as average",
            nullable=False,
            between=(0, len(FEATURES)),
        ),
        column("persona_description", "string", "summary of the session in one sentence", nullable=False),
        column("model_id", "string", "model that provides the personas", nullable=False),
    ],
    rules=[satisfies("a persona has a name", ["persona"], lambda: F.length("persona") > 0)],
)
def session_personas(sessions: DataFrame, session_persona: Model) -> DataFrame:
    """One row per session of a listener for whose population personas were learned.

    The persona is the nearest centroid of the model by Euclidean distance over standardised measures, as K-means assigns it
    (Lloyd 1982). If the listener's time zone is unknown, the time of day is unknown too: it counts as average, and no name
    tells it.
    """
    centroids = session_persona.arrow("centroids")
    placed = with_nearest(session_features(sessions), centroids, FEATURES, ("label", "timeless_label"))
    named = F.when(F.col("lacks_timezone"), F.col("timeless_label")).otherwise(F.col("label"))
    scored = placed.withColumn("label", named)
    known = [F.col(name).isNotNull().cast("int") for name in FEATURES]
    return scored.select(
        "user_id",
        "session_id",
        "started_at",
        F.col("label").alias("persona"),
        "cluster",
        "distance",
        (F.lit(1.0) - ratio(F.col("distance"), F.col("second_distance"))).alias("clarity"),
        _valence_deviation(centroids).alias("valence_deviation"),
        sum(known[1:], known[0]).alias("known_features"),
        _sentence().alias("persona_description"),
        F.lit(session_persona.id).alias("model_id"),
    )


def _valence_deviation(centroids: pa.Table) -> Column:
    """Computed with the mean and spread that the model uses to standardise, per population."""
    deviation = F.lit(None).cast("double")
    for row in centroids.to_pylist():
        standardised = (F.col("valence") - F.lit(row["valence_mean"])) / F.lit(row["valence_scale"])
        if row["cluster"] == 0:
            deviation = F.when(population_by_id() == row["population"], standardised).otherwise(deviation)
    return deviation


def _sentence() -> Column:
    """Describes the session by the measures that define personas; unknown measures are left out."""
    plays = F.when(F.col("plays") == 1, "1 play").otherwise(F.concat(F.col("plays").cast("string"), F.lit(" plays")))
    artists = F.when(F.col("unique_artists") == 1, "1 artist").otherwise(
        F.concat(F.col("unique_artists").cast("string"), F.lit(" artists"))
    )
    skipped = F.concat(_whole(F.col("skip_rate")), F.lit("% skipped"))
    mood = F.concat(F.lit("valence "), _whole(F.col("valence")), F.lit("%, energy "), _whole(F.col("energy")), F.lit("%"))
    start = F.concat(F.lit("from "), F.col("start_hour").cast("string"), hour_unit())
    parts = F.concat_ws(", ", plays, F.when(F.col("unique_artists") > 0, artists), skipped, mood, start)
    # The label tells of the persona, from which a single session may differ in a measure.
    return F.concat(F.lit("Nearest to the persona “"), F.col("label"), F.lit("”; this session: "), parts, F.lit("."))


def _whole(share: Column) -> Column:
    # Twice, as sums that differ in their last digit must not differ in words.
    return F.round(F.round(share * F.lit(100.0), 7)).cast("int").cast("string")
