"""How much did a listener play each day, how varied and how new was it, and how long was the streak without a silent day?"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.descriptive.figures import listen_count, no_more, number_of, occurrences, play_count, skip_told_count, with_streak
from lakehouse.declare import column, satisfies, table
from music.listening import minutes
from music.statistics import ratio


@table(
    "gold.daily_listening",
    key=["user_id", "date"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("date", "date", "date of the start"),
        column("plays", "bigint", "all plays, short ones included", nullable=False, at_least=1),
        column("listens", "bigint", "plays of 30 s or more", nullable=False),
        column("minutes", "double", "minutes listened, short plays included", nullable=False, at_least=0),
        column("skips", "bigint", "plays that were skipped", nullable=False),
        column(
            "skip_rate",
            "double",
            "share (0-1) of plays that were skipped, among plays whose source reports skips; null without such plays",
            between=(0, 1),
        ),
        column("unique_tracks", "bigint", "tracks with a listen; a song under several ids is one track", nullable=False),
        column("unique_artists", "bigint", "artists with a listen; plays without an artist are not counted", nullable=False),
        column("new_tracks", "bigint", "tracks with their first listen on this date", nullable=False),
        column("new_artists", "bigint", "artists with their first listen on this date", nullable=False),
        column(
            "sessions",
            "bigint",
            "sessions with a play on this date; a session that spans midnight counts on both dates",
            nullable=False,
            at_least=1,
        ),
        column(
            "first_play_local_time",
            "timestamp",
            "start of the first play in the listener's time zone, stored as if it were UTC",
            nullable=False,
        ),
        column(
            "last_play_local_time",
            "timestamp",
            "start of the last play in the listener's time zone, stored as if it were UTC",
            nullable=False,
        ),
        column(
            "streak_days",
            "int",
            "consecutive dates with a listen up to and including this date; 0 if it has none",
            nullable=False,
        ),
    ],
    rules=[
        *[no_more(part, "plays") for part in ("listens", "skips", "sessions")],
        no_more("unique_tracks", "listens"),
        no_more("new_tracks", "unique_tracks"),
        no_more("new_artists", "unique_artists"),
        no_more("first_play_local_time", "last_play_local_time"),
        satisfies(
            "a streak is of listens", ["streak_days", "listens"], lambda: (F.col("streak_days") > 0) == (F.col("listens") > 0)
        ),
        satisfies(
            "times lie on the date",
            ["date", "first_play_local_time", "last_play_local_time"],
            lambda: (F.to_date("first_play_local_time") == F.col("date")) & (F.to_date("last_play_local_time") == F.col("date")),
        ),
    ],
)
def daily_listening(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener and date with a play.

    Tracks, artists and sessions are counted over all plays, short ones included.
    """
    days = listening_with_features.groupBy("user_id", "date").agg(
        play_count().alias("plays"),
        listen_count().alias("listens"),
        minutes().alias("minutes"),
        F.count_if(F.col("is_skip")).alias("skips"),
        ratio(F.count_if(F.col("is_skip")), skip_told_count()).alias("skip_rate"),
        F.min("local_time").alias("first_play_local_time"),
        F.max("local_time").alias("last_play_local_time"),
    )
    return with_streak(days, ["user_id"]).join(_variety(listening_with_features), on=["user_id", "date"], how="inner")


def _variety(plays: DataFrame) -> DataFrame:
    """One row per listener and date; every play has a track and a session, so no date is missing."""
    ids = occurrences(plays, ["user_id", "date"], {"track": "track_id", "artist": "artist_key", "session": "session_id"})
    is_listened = F.col("listens") > 0
    first_date = F.min(F.when(is_listened, F.col("date"))).over(Window.partitionBy("user_id", "kind", "id"))
    is_new = is_listened & (F.col("date") == F.col("first_date"))
    return (
        ids.withColumn("first_date", first_date)
        .groupBy("user_id", "date")
        .agg(
            number_of("track").alias("unique_tracks"),
            number_of("artist").alias("unique_artists"),
            F.count_if(F.col("kind") == "session").alias("sessions"),
            F.count_if((F.col("kind") == "track") & is_new).alias("new_tracks"),
            F.count_if((F.col("kind") == "artist") & is_new).alias("new_artists"),
        )
    )
