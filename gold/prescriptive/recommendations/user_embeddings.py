"""Where is a listener's taste in the space of tracks, with recent listens weighted most?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.prescriptive.recommendations.vector_rules import vector_rules
from lakehouse.declare import column, table
from models.tracks.track_kinds import DIMENSIONS, KINDS, SUFFIXES
from music.listening import listens
from music.populations import SYNTHETIC

LONGEST = max(DIMENSIONS.values())
SHORTEST = 1e-9


def listeners_of(changed: DataFrame, listening_with_features: DataFrame) -> DataFrame:
    """The listeners who heard one of the changed tracks: one row (user_id) each."""
    heard = listening_with_features.select("user_id", "track_id")
    return heard.join(F.broadcast(changed), on="track_id", how="left_semi").select("user_id").distinct()


@table(
    "gold.user_embeddings",
    key=["user_id", "kind"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column(
            "kind",
            "string",
            "kind of the track vectors; kinds with the suffix _synthetic are for synthetic listeners only",
            one_of=KINDS,
        ),
        column("vector", "array<double>", "weighted mean of the listens' track vectors, of unit length", nullable=False),
        column("listens", "bigint", "listens of tracks with a vector of that kind", nullable=False, at_least=1),
        column(
            "share",
            "double",
            "share (0-1) of recency-weighted listens of tracks with such a vector",
            nullable=False,
            between=(0, 1 + 1e-9),
        ),
        column(
            "focus",
            "double",
            "length of the mean vector before normalisation, 0-1; 1 = all listens point the same way",
            nullable=False,
            between=(0, 1 + 1e-9),
        ),
        column("model_id", "string", "model of the track vectors", nullable=False),
    ],
    rules=vector_rules(DIMENSIONS),
    touches={"track_embeddings": (listeners_of, "listening_with_features")},
)
def user_embeddings(
    listening_with_features: DataFrame, sessions: DataFrame, users: DataFrame, track_embeddings: DataFrame
) -> DataFrame:
    """One row per listener and kind of vector that at least one heard track has.

    A listen has the recency weight of its session: half after 90 days before the listener's last day. Synthetic listeners
    get the kinds computed from synthetic sessions, real listeners the others.
    """
    weights = sessions.select("user_id", "session_id", "recency_weight")
    heard = listens(listening_with_features).select("user_id", "session_id", "track_id")
    weighed = heard.join(weights, on=["user_id", "session_id"], how="inner").groupBy("user_id", "track_id")
    tracks = weighed.agg(F.sum("recency_weight").alias("weight"), F.count("*").alias("listens"))
    all_tracks = tracks.groupBy("user_id").agg(F.sum("weight").alias("all_weight"))
    listeners = all_tracks.join(users.select("user_id", "is_synthetic"), on="user_id", how="inner")
    of_synthetic = [kind for kind in KINDS if kind.endswith(SUFFIXES[SYNTHETIC])]
    only_real = [kind for kind in KINDS if f"{kind}{SUFFIXES[SYNTHETIC]}" in KINDS]
    vectors = track_embeddings.select("track_id", "kind", "vector", "model_id")
    joined = tracks.join(F.broadcast(listeners), on="user_id", how="inner").join(vectors, on="track_id", how="inner")
    is_theirs = F.when(F.col("is_synthetic"), ~F.col("kind").isin(only_real)).otherwise(~F.col("kind").isin(of_synthetic))
    value = {f"v{place}": F.sum(F.get("vector", F.lit(place)) * F.col("weight")) for place in range(LONGEST)}
    figures = {"listens": F.sum("listens"), "weight": F.sum("weight"), "dimensions": F.max(F.size("vector"))} | value
    mine = joined.where(is_theirs).groupBy("user_id", "kind", "model_id", "all_weight")
    summed = mine.agg(*[figure.alias(name) for name, figure in figures.items()])
    squares = [F.coalesce(F.col(name) * F.col(name), F.lit(0.0)) for name in value]
    sized = summed.withColumn("length", F.sqrt(_sum(squares))).where(F.col("length") > SHORTEST * F.col("weight"))
    scaled = F.array(*[F.col(name) / F.col("length") for name in value])
    return sized.select(
        *["user_id", "kind"],
        F.slice(scaled, F.lit(1), F.col("dimensions")).alias("vector"),
        "listens",
        (F.col("weight") / F.col("all_weight")).alias("share"),
        (F.col("length") / F.col("weight")).alias("focus"),
        "model_id",
    )


def _sum(columns: list[Column]) -> Column:
    """Their sum, built by repeated halving: engines reject an expression that is as deep as the number of terms."""
    if len(columns) == 1:
        return columns[0]
    half = len(columns) // 2
    return _sum(columns[:half]) + _sum(columns[half:])
