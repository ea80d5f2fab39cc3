"""Vectors of tracks from the sessions they occur in: Word2Vec, for real and synthetic listeners separately."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import Fitted, model
from models.tracks.track_kinds import SESSIONS
from music.populations import populations
from music.splits import EVERYTHING, WINDOWS, before_window, windowed

# A track heard less often than this has no vector worth the name.
WINDOW, LEAST_LISTENS = 5, 3
ITERATIONS, STEP, SEED = 3, 0.05, 20240229
# Listens per population and training; beyond it whole sessions are left out, by the hash of their id.
MOST_LISTENS = 150_000
HASH_STEPS = 1_000_000


@model("session_vectors", kind="embedding", needs="spark")
def session_vectors(listening_with_features: DataFrame, users: DataFrame) -> Fitted:
    """MLlib's Word2Vec (skip-gram; Mikolov et al. 2013) over the tracks of a session, without skipped and short plays.

    It is trained three times per population: on the data before each listener's validation window and before the test
    window, for evaluation only, and on everything, which is published.
    """
    plays = listening_with_features.where("is_listen AND NOT is_skip")
    narrow = plays.select("user_id", "session_id", "play_number", "played_at", "track_id")
    # Read six times and more: by every training for its sample, its vocabulary and its sentences.
    listens = windowed(narrow, users).drop("played_at").cache()
    vectors = [trained(listens, population, window) for population in populations(users) for window in (*WINDOWS, EVERYTHING)]
    frames = [rows for rows in vectors if rows is not None]
    empty = listens.limit(0).select(
        F.lit("").alias("population"), F.lit("").alias("window"), "track_id", F.lit(None).cast("array<double>").alias("vector")
    )
    return Fitted(
        parameters={"dimensions": SESSIONS, "window": WINDOW, "least_listens": LEAST_LISTENS, "iterations": ITERATIONS},
        splits={"validation": "from 60% to 80% of each listener's time", "test": "the last 20%"},
        frames={"vectors": reduce(DataFrame.unionByName, frames) if frames else empty},
    )


def trained(listens: DataFrame, population: str, window: str) -> DataFrame | None:
    """Unit vectors (population, window, track_id, vector) learned from the listens before the window; None with too few."""
    from pyspark.ml.feature import Word2Vec

    sessions = sentences(before_window(listens, population, window))
    often = sessions.select(F.explode("tracks").alias("track_id")).groupBy("track_id").count()
    if not often.where(F.col("count") >= LEAST_LISTENS).head(1):
        return None
    word2vec = Word2Vec(
        vectorSize=SESSIONS,
        windowSize=WINDOW,
        minCount=LEAST_LISTENS,
        maxIter=ITERATIONS,
        stepSize=STEP,
        numPartitions=1,
        seed=SEED,
        inputCol="tracks",
        outputCol="vector",
    )
    fitted = word2vec.fit(sessions).getVectors()
    from pyspark.ml.functions import vector_to_array

    values = fitted.select(F.col("word").alias("track_id"), vector_to_array(F.col("vector")).alias("values"))
    length = F.sqrt(F.aggregate("values", F.lit(0.0), lambda total, value: total + value * value))
    return values.withColumn("length", length).select(
        F.lit(population).alias("population"),
        F.lit(window).alias("window"),
        "track_id",
        F.transform("values", lambda value: value / F.col("length")).alias("vector"),
    )


def sentences(listens: DataFrame) -> DataFrame:
    """The tracks of each session in the order of play, in one partition and one order, so that training always sees the same."""
    total = listens.agg(F.count("*").alias("listens"))
    kept = F.pmod(F.xxhash64("session_id"), F.lit(HASH_STEPS)) * F.col("listens") < F.lit(HASH_STEPS * MOST_LISTENS)
    sampled = listens.crossJoin(F.broadcast(total)).where(kept)
    placed = F.sort_array(F.collect_list(F.struct("play_number", "track_id")))
    grouped = sampled.groupBy("user_id", "session_id").agg(placed.alias("placed"))
    tracks = grouped.select("user_id", "session_id", F.col("placed.track_id").alias("tracks")).where(F.size("tracks") > 1)
    return tracks.coalesce(1).sortWithinPartitions("user_id", "session_id").select("tracks")
