"""The ingredients of playlists: tracks that a listener likes, favourite genres, artists played together, catalogue tracks."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.prescriptive.playlists.playlist_catalogue import ANY_GENRE
from gold.prescriptive.playlists.playlists import FEATURES, LIFT, fits
from music.listening import not_synthetic
from music.ranking import ranking

ORIGINS = ("liked", "heard", "genre", "popular")
LIKED_LISTENS = 3
RECENT = 20
FAVOURITE_GENRES = 3
# Artists count as neighbours where one is among the next three listens of the session, at least twice.
NEXT = 3
MIN_TOGETHER = 2
NEIGHBOURS = 15
MIDDLE = 0.5
TRACK = ("track_id", "track_name", "artist_name", "artist_key", *FEATURES)
OFFERED = ("popularity", "genre", "genre_listens")
"""Columns that only catalogue tracks have."""


def heard_tracks(plays: DataFrame) -> DataFrame:
    """One row per listener and track: listens, skips, known features, `liking` (0-1) and `recording`.

    `told` counts the plays whose source records skips; names are one of the spellings in the listener's plays.
    """
    tracks = plays.groupBy("user_id", "track_id").agg(
        F.count_if("is_listen").alias("listens"),
        F.count_if(F.col("tells_skip") & F.col("is_skip")).alias("skips"),
        F.count_if("tells_skip").alias("told"),
        *[F.max(name).alias(name) for name in ("recording_id", "track_name", "artist_name", "artist_key")],
        *[F.max(not_synthetic(name)).alias(name) for name in FEATURES],
        F.max("is_measured").alias("is_measured"),
    )
    most = F.max("listens").over(Window.partitionBy("user_id"))
    often = F.log1p("listens") / F.log1p(F.greatest(most, F.lit(1)))
    # Laplace's rule: one play that was not skipped is not a track that never is.
    heard_out = F.lit(1.0) - (F.col("skips") + F.lit(1)) / (F.col("told") + F.lit(2)).cast("double")
    return tracks.withColumns(
        {
            "liking": often * heard_out,
            "artist_key": F.coalesce("artist_key", "track_id"),
        }
    ).withColumnRenamed("recording_id", "recording")


def present_valence(plays: DataFrame) -> DataFrame:
    """One row per listener with a listen of known valence: the mean of the last 20 of them."""
    heard = plays.where("is_listen").select("user_id", "play_number", not_synthetic("valence").alias("valence"))
    latest = Window.partitionBy("user_id").orderBy(F.desc("play_number"))
    last = heard.where("valence IS NOT NULL").withColumn("nth", F.row_number().over(latest)).where(F.col("nth") <= RECENT)
    return last.groupBy("user_id").agg(ranking(F.avg("valence")).alias("start_valence"))


def favourite_genres(plays: DataFrame) -> DataFrame:
    """One row (user_id, genre, genre_listens) per listener and each of the 3 genres with the most listens."""
    heard = plays.where("is_listen").select("user_id", F.explode("genres").alias("genre"))
    counted = heard.groupBy("user_id", "genre").agg(F.count("*").alias("genre_listens"))
    most_first = Window.partitionBy("user_id").orderBy(F.desc("genre_listens"), "genre")
    return counted.withColumn("nth", F.row_number().over(most_first)).where(F.col("nth") <= FAVOURITE_GENRES).drop("nth")


def neighbours(plays: DataFrame) -> DataFrame:
    """One row (user_id, artist_name, neighbours) per artist that a listener plays next to others: up to 15 names."""
    in_order = Window.partitionBy("user_id").orderBy("play_number")
    heard = plays.where("is_listen AND artist_name IS NOT NULL").select(
        *["user_id", "artist_name"],
        *[
            F.when(
                F.lead("session_id", step).over(in_order) == F.col("session_id"), F.lead("artist_name", step).over(in_order)
            ).alias(f"next_{step}")
            for step in range(1, NEXT + 1)
        ],
    )
    pairs = heard.select(
        "user_id", "artist_name", F.explode(F.array(*[f"next_{step}" for step in range(1, NEXT + 1)])).alias("other")
    )
    pairs = pairs.where("other IS NOT NULL AND other <> artist_name")
    # Either may come first: each pair is counted once, by its names in order, and then read both ways.
    ordered = pairs.select("user_id", F.least("artist_name", "other").alias("a"), F.greatest("artist_name", "other").alias("b"))
    counted = ordered.groupBy("user_id", "a", "b").agg(F.count("*").alias("together")).where(F.col("together") >= MIN_TOGETHER)
    ways = [F.struct(F.col(x).alias("artist_name"), F.col(y).alias("other")) for x, y in (("a", "b"), ("b", "a"))]
    both = counted.select("user_id", "together", F.explode(F.array(*ways)).alias("way")).select("user_id", "together", "way.*")
    most_first = Window.partitionBy("user_id", "artist_name").orderBy(F.desc("together"), "other")
    kept = both.withColumn("nth", F.row_number().over(most_first)).where(F.col("nth") <= NEIGHBOURS)
    return kept.groupBy("user_id", "artist_name").agg(F.array_sort(F.collect_list("other")).alias("neighbours"))


def candidates(heard: DataFrame, genres: DataFrame, listeners: DataFrame, catalogue: DataFrame) -> DataFrame:
    """One row per listener, playlist and track that may be in it: heard tracks by liking, catalogue tracks by popularity.

    `layer` is the position of their origin in ORIGINS. Tracks that the listener mostly skips are left out, and so are
    catalogue tracks of recordings that the listener has heard. For a listener without a known mood, Mood Lift starts in the
    middle.
    """
    started = listeners.select("user_id", F.coalesce("start_valence", F.lit(MIDDLE)).alias("start_valence"))
    liked = heard.where((F.col("listens") >= 1) & (F.col("skips") * F.lit(2) <= F.col("told")) & F.col("energy").isNotNull())
    fitting = liked.select("*", F.explode(fits()).alias("fitting")).select("*", "fitting.*").where("fit IS NOT NULL")
    own = fitting.select(
        *_shared(),
        *["listens", "skips", "told", "fit", "is_measured"],
        F.when(F.col("listens") >= LIKED_LISTENS, 1).otherwise(2).alias("layer"),
        ranking(F.col("fit") + F.col("liking")).alias("score"),
        F.lit(None).cast("int").alias("popularity"),
        F.lit(None).cast("string").alias("genre"),
        F.lit(None).cast("bigint").alias("genre_listens"),
    )
    any_genre = listeners.select("user_id", F.lit(ANY_GENRE).alias("genre"), F.lit(None).cast("bigint").alias("genre_listens"))
    wanted = genres.select("user_id", "genre", "genre_listens").unionByName(any_genre)
    offered = wanted.join(catalogue, "genre", "inner").join(
        heard.select("user_id", "recording"), ["user_id", "recording"], "left_anti"
    )
    new = offered.select(
        *_shared(),
        *[F.lit(0).cast("bigint").alias(name) for name in ("listens", "skips", "told")],
        "fit",
        F.lit(True).alias("is_measured"),
        F.when(F.col("genre") == ANY_GENRE, 4).otherwise(3).alias("layer"),
        ranking(F.col("fit") + F.col("popularity") / F.lit(100.0)).alias("score"),
        *OFFERED,
    )
    rows = own.unionByName(new).join(started, "user_id", "inner")
    return rows.where((F.col("playlist_name") != LIFT) | (F.col("valence") >= F.col("start_valence")))


def _shared() -> list[Column]:
    return [F.col(name) for name in ("user_id", "playlist_name", "recording", *TRACK)]
