"""How much does a listener play each artist, since when and how loyally, and is it growing or fading?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.descriptive.figures import (
    as_minutes,
    listen_count,
    ms_total,
    no_more,
    number_of,
    occurrences,
    play_count,
    skip_told_count,
    with_labels,
)
from lakehouse.declare import column, satisfies, table
from music.listening import by_artist, measured_listens, measured_share, not_synthetic, of_listens
from music.statistics import ratio

TREND_DAYS = 90
SUMS = ("plays", "listens", "ms", "skips", "skips_told", "measured", "known_listens", "valence", "known_energy", "energy")


@table(
    "gold.artist_stats",
    key=["user_id", "artist_key"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("artist_key", "string", "hash of the case-folded artist name"),
        column("artist_name", "string", "as named on the latest play"),
        column("rank", "int", "1 = most listens; ties go to most ms, then lowest artist_key", nullable=False, at_least=1),
        column("plays", "bigint", "all plays, short ones included", nullable=False, at_least=1),
        column("listens", "bigint", "plays of 30 s or more", nullable=False),
        column("minutes", "double", "minutes listened, short plays included", nullable=False, at_least=0),
        column("share_of_listens", "double", "share (0-1) of the listener's listens; null if there are none", between=(0, 1)),
        column("unique_tracks", "bigint", "tracks of the artist with a listen", nullable=False),
        column("active_days", "bigint", "dates with a play of the artist", nullable=False),
        column("first_played_at", "timestamp", "start of the first play, UTC", nullable=False),
        column("last_played_at", "timestamp", "start of the last play, UTC", nullable=False),
        column(
            "skip_rate",
            "double",
            "share (0-1) of plays that were skipped, among plays whose source reports skips; null without such plays",
            between=(0, 1),
        ),
        column("listens_last_90_days", "bigint", "listens on the 90 dates up to the listener's last date", nullable=False),
        column("listens_previous_90_days", "bigint", "listens on the 90 dates before those", nullable=False),
        column(
            "trend",
            "double",
            "(last - previous) / (last + previous): -1 = faded, 1 = new or returning; null if both are 0",
            between=(-1, 1),
        ),
        column("avg_valence", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("avg_energy", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("known_listens", "bigint", "listens with a known valence", nullable=False),
        column(
            "measured_share",
            "double",
            "share (0-1) of the artist's listens with measured features; null without listens",
            between=(0, 1),
        ),
    ],
    rules=[
        *[no_more(part, "plays") for part in ("listens", "active_days")],
        no_more("unique_tracks", "listens"),
        *[no_more(part, "listens") for part in ("listens_last_90_days", "listens_previous_90_days", "known_listens")],
        no_more("first_played_at", "last_played_at"),
        satisfies("every artist has a day", ["active_days"], lambda: F.col("active_days") >= 1),
    ],
)
def artist_stats(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and artist with a play. Plays without an artist have no row but count in the shares.

    A play counts for every artist that a correction splits its credit into, in the shares too.

    The trend compares the listener's last 90 dates, up to the last date with any play, with the 90 dates before: the
    change divided by the sum, which stays between -1 and 1 even for small numbers.
    """
    plays = by_artist(listening_with_features)
    artists = with_labels(_figures(plays).where("artist_key IS NOT NULL"), plays, ["artist_name"])
    variety = _unique_tracks(plays)
    by_listens = Window.partitionBy("user_id").orderBy(F.desc("listens"), F.desc("ms"), "artist_key")
    return artists.join(variety, on=["user_id", "artist_key"], how="inner").select(
        "user_id",
        "artist_key",
        "artist_name",
        F.row_number().over(by_listens).alias("rank"),
        "plays",
        "listens",
        as_minutes(F.col("ms")).alias("minutes"),
        "share_of_listens",
        "unique_tracks",
        "active_days",
        "first_played_at",
        "last_played_at",
        ratio(F.col("skips"), F.col("skips_told")).alias("skip_rate"),
        "listens_last_90_days",
        "listens_previous_90_days",
        _trend().alias("trend"),
        ratio(F.col("valence"), F.col("known_listens")).alias("avg_valence"),
        ratio(F.col("energy"), F.col("known_energy")).alias("avg_energy"),
        "known_listens",
        measured_share(F.col("measured"), F.col("listens")).alias("measured_share"),
    )


def _figures(plays: DataFrame) -> DataFrame:
    """One row per listener and artist, including the missing artist, computed from one row per day."""
    days = plays.groupBy("user_id", "artist_key", "date").agg(
        play_count().alias("plays"),
        listen_count().alias("listens"),
        ms_total().alias("ms"),
        F.count_if(F.col("is_skip")).alias("skips"),
        skip_told_count().alias("skips_told"),
        measured_listens().alias("measured"),
        F.count(of_listens(not_synthetic("valence"))).alias("known_listens"),
        F.sum(of_listens(not_synthetic("valence"))).alias("valence"),
        F.count(of_listens(not_synthetic("energy"))).alias("known_energy"),
        F.sum(of_listens(not_synthetic("energy"))).alias("energy"),
        F.min("played_at").alias("first_played_at"),
        F.max("played_at").alias("last_played_at"),
        F.max("play_number").alias("last_play"),
    )
    age = F.datediff(F.max("date").over(Window.partitionBy("user_id")), F.col("date"))
    artists = (
        days.withColumn("age", age)
        .groupBy("user_id", "artist_key")
        .agg(
            *[F.sum(name).alias(name) for name in SUMS],
            play_count().alias("active_days"),
            _listens_of_ages(0).alias("listens_last_90_days"),
            _listens_of_ages(TREND_DAYS).alias("listens_previous_90_days"),
            F.min("first_played_at").alias("first_played_at"),
            F.max("last_played_at").alias("last_played_at"),
            F.max("last_play").alias("latest"),
        )
    )
    all_listens = F.sum("listens").over(Window.partitionBy("user_id"))
    return artists.withColumn("share_of_listens", ratio(F.col("listens"), all_listens))


def _unique_tracks(plays: DataFrame) -> DataFrame:
    tracks = occurrences(plays.where("artist_key IS NOT NULL"), ["user_id", "artist_key"], {"track": "track_id"})
    return tracks.groupBy("user_id", "artist_key").agg(number_of("track").alias("unique_tracks"))


def _listens_of_ages(first: int) -> Column:
    inside = F.col("age").between(first, first + TREND_DAYS - 1)
    return F.sum(F.when(inside, F.col("listens")).otherwise(F.lit(0)))


def _trend() -> Column:
    last, previous = F.col("listens_last_90_days"), F.col("listens_previous_90_days")
    return ratio(last - previous, last + previous)
