"""Listening sessions: plays without a longer break between them."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import STAND_IN
from music.listening import measured_share_of_listens
from music.local_time import TIME_COLUMNS, time_columns

# A session of this many days ago weighs half as much as one of today.
HALF_LIFE_DAYS = 90
DAY_SECONDS = 86_400
OF_START = ("date", "day_of_week", "is_weekend", "part_of_day", "lacks_timezone")
"""Columns of time that a session has from its first play."""


@table(
    "silver.sessions",
    key=["user_id", "session_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("session_id", "string", "hash of listener and start"),
        column("started_at", "timestamp", "start of the first play, UTC", nullable=False),
        column("ended_at", "timestamp", "end of the play that ended last, UTC", nullable=False),
        column(
            "start_hour",
            "int",
            "hour of the start, 0-23, in the listener's time zone (UTC if unknown)",
            nullable=False,
            between=(0, 23),
        ),
        *[c.unchecked() for c in TIME_COLUMNS if c.name in OF_START],
        column("minutes", "double", "length from start to end, minutes", nullable=False, at_least=0),
        column("minutes_played", "double", "sum of the plays' durations, minutes", nullable=False),
        column("plays", "bigint", "kept plays", nullable=False, at_least=1),
        column("listens", "bigint", "plays of 30 s or more", nullable=False),
        column("unique_tracks", "bigint", "different tracks with a listen", nullable=False),
        column("unique_artists", "bigint", "different artists with a listen", nullable=False),
        column("skips", "bigint", "skipped plays", nullable=False),
        column(
            "skip_rate",
            "double",
            "share (0-1) of plays that were skipped, among plays whose source reports skips; null without such plays",
            between=(0, 1),
        ),
        column("avg_valence", "double", "mean valence (0-1) of listens with measured or artist-mean features"),
        column("avg_energy", "double", "mean energy (0-1) of the same listens"),
        column("measured_share", "double", "share (0-1) of listens with measured features; null without listens"),
        column(
            "recency_weight", "double", "0.5 ^ (days before the listener's last day / 90), 0-1", nullable=False, between=(0, 1)
        ),
    ],
)
def sessions(listening_with_features: DataFrame) -> DataFrame:
    """One row per session of a listener."""
    plays = listening_with_features
    of_session = ["user_id", "session_id"]
    is_known = F.col("is_listen") & (F.col("feature_source") != STAND_IN)
    sessions = plays.groupBy(*of_session).agg(
        F.min("played_at").alias("started_at"),
        F.max("ended_at").alias("ended_at"),
        F.min_by("local_time", "play_number").alias("local_time"),
        F.max("lacks_timezone").alias("lacks_timezone"),
        F.coalesce(F.sum("ms_played"), F.lit(0)).alias("ms_played"),
        F.count("*").alias("plays"),
        F.count_if("is_listen").alias("listens"),
        F.count_if("is_skip").alias("skips"),
        F.count_if("tells_skip").alias("skips_told"),
        F.avg(F.when(is_known, F.col("valence"))).alias("avg_valence"),
        F.avg(F.when(is_known, F.col("energy"))).alias("avg_energy"),
        measured_share_of_listens().alias("measured_share"),
    )
    local = time_columns(F.col("local_time"), F.col("lacks_timezone"))
    counted = sessions.withColumns({name: value for name, value in local.items() if name in ("hour_of_day", *OF_START)})
    for name, key in (("unique_tracks", "track_id"), ("unique_artists", "artist_key")):
        distinct = plays.where(F.col(key).isNotNull() & F.col("is_listen")).select(*of_session, key).distinct()
        counted = counted.join(distinct.groupBy(*of_session).agg(F.count("*").alias(name)), on=of_session, how="left")
    as_of = plays.groupBy("user_id").agg(F.max("date").alias("as_of"))
    age = F.datediff("as_of", "date").cast("double")
    span = (F.unix_micros("ended_at") - F.unix_micros("started_at")) / F.lit(60e6)
    return counted.join(F.broadcast(as_of), on="user_id", how="inner").select(
        *of_session,
        "started_at",
        "ended_at",
        F.col("hour_of_day").alias("start_hour"),
        *OF_START,
        span.alias("minutes"),
        (F.col("ms_played") / F.lit(60_000)).alias("minutes_played"),
        *["plays", "listens"],
        *[F.coalesce(name, F.lit(0)).alias(name) for name in ("unique_tracks", "unique_artists")],
        "skips",
        (F.col("skips") / F.nullif("skips_told", F.lit(0))).alias("skip_rate"),
        *["avg_valence", "avg_energy", "measured_share"],
        F.pow(F.lit(0.5), age / F.lit(HALF_LIFE_DAYS)).alias("recency_weight"),
    )
