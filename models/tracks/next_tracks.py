"""Which track followed another in a session: pairs for choosing and judging track vectors, and simple rules."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from music.splits import TEST, VALIDATION, before_window

# Pairs per window, at most one a session, so that they are independent.
PAIRS = {VALIDATION: 300, TEST: 600}


def followed(listens: DataFrame, catalogue: DataFrame) -> DataFrame:
    """One row per unskipped listen that another follows in its session: track_id, next_id and the listen's columns.

    The two tracks are different, and both are in the catalogue, whose features are measured. The window is that of the
    later listen.
    """
    following = Window.partitionBy("user_id").orderBy("play_number")
    later = {name: F.lead(name).over(following) for name in ("track_id", "session_id", "window")}
    pairs = listens.select(
        *["population", "user_id", "session_id", "play_id", "track_id"],
        later["track_id"].alias("next_id"),
        later["session_id"].alias("next_session"),
        later["window"].alias("window"),
    ).where("session_id = next_session AND track_id != next_id")
    catalogue_ids = F.broadcast(catalogue.select("track_id"))
    both = pairs.join(catalogue_ids, on="track_id", how="left_semi")
    return both.join(catalogue_ids.withColumnRenamed("track_id", "next_id"), on="next_id", how="left_semi").drop("next_session")


def sampled(pairs: DataFrame, population: str, window: str) -> DataFrame:
    """At most PAIRS pairs of a window, one per session, by the hash of the play: play_id, session_id, track_id, next_id."""
    of_window = pairs.where((F.col("population") == population) & (F.col("window") == window))
    place = F.struct(F.xxhash64("play_id").alias("hash"), "play_id")
    chosen = of_window.groupBy("user_id", "session_id").agg(F.min(place).alias("place"))
    first = chosen.select("place.hash", "place.play_id").orderBy("hash", "play_id").limit(PAIRS[window])
    return of_window.join(F.broadcast(first.select("play_id")), on="play_id", how="left_semi").select(
        "play_id", "track_id", "next_id"
    )


def listens_of_tracks(listens: DataFrame, population: str, before: str) -> DataFrame:
    """How often the population heard each track before the window: track_id, listens."""
    return before_window(listens, population, before).groupBy("track_id").agg(F.count("*").alias("listens"))


def ranks_by_followers(pairs: DataFrame, sample: DataFrame, population: str, before: str) -> DataFrame:
    """Per sampled pair, the rank of its next track among those that followed its track before the window.

    In `rank`, ties count against the next track; it is null if that track never followed. `followers`: how many tracks did.
    """
    counted = before_window(pairs, population, before).groupBy("track_id", "next_id").agg(F.count("*").alias("times"))
    followers = counted.join(F.broadcast(sample.select("track_id").distinct()), on="track_id", how="left_semi")
    asked = sample.join(followers, on=["track_id", "next_id"], how="left").select("play_id", "track_id", "times")
    others = followers.select("track_id", F.col("times").alias("others"))
    joined = asked.join(others, on="track_id", how="left")
    return joined.groupBy("play_id").agg(
        F.when(F.max("times").isNotNull(), F.count_if(F.col("others") >= F.col("times"))).alias("rank"),
        F.count("others").alias("followers"),
    )
