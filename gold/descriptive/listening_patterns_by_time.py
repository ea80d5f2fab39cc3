"""When in the week does a listener listen, and how does the music of that hour sound?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.descriptive.figures import listen_count, mean_of_listens, no_more, play_count
from lakehouse.declare import column, satisfies, table
from music.listening import measured_share_of_listens, minutes
from music.local_time import DAY_NAMES, PARTS_OF_DAY, UTC_PARTS, day_name, part_of_day

FEATURES = ("valence", "energy", "danceability", "acousticness", "tempo")


@table(
    "gold.listening_patterns_by_time",
    key=["user_id", "day_of_week", "hour_of_day"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("day_of_week", "int", "weekday of the start, 1 (Monday) to 7 (Sunday)", between=(1, 7)),
        column("hour_of_day", "int", "hour of the start, 0-23 (UTC if the time zone is unknown)", between=(0, 23)),
        column("day_name", "string", "English weekday name, Monday to Sunday", nullable=False, one_of=DAY_NAMES),
        column(
            "part_of_day",
            "string",
            "morning 6-11, afternoon 12-17, evening 18-22, night 23-5; such as 6-11 UTC if the time zone is unknown",
            nullable=False,
            one_of=(*PARTS_OF_DAY, *UTC_PARTS),
        ),
        column("is_weekend", "boolean", "Saturday or Sunday", nullable=False),
        column("play_count", "bigint", "plays, short ones included", nullable=False, at_least=1),
        column("listen_count", "bigint", "plays of 30 s or more", nullable=False),
        column("minutes", "double", "minutes listened, short plays included", nullable=False, at_least=0),
        column("avg_valence", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("avg_energy", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("avg_danceability", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("avg_acousticness", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("avg_tempo", "double", "mean over listens with a known value, beats per minute", between=(1, 300)),
        column(
            "measured_share",
            "double",
            "share (0-1) of listens with measured features; null without listens",
            between=(0, 1),
        ),
    ],
    rules=[
        no_more("listen_count", "play_count"),
        satisfies("weekends are days 6 and 7", ["is_weekend"], lambda: F.col("is_weekend") == (F.col("day_of_week") >= 6)),
    ],
)
def listening_patterns_by_time(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, weekday and hour with a play.

    Feature means are over listens whose features are not synthetic.
    """
    slots = listening_with_features.groupBy("user_id", "day_of_week", "hour_of_day").agg(
        play_count().alias("play_count"),
        listen_count().alias("listen_count"),
        minutes().alias("minutes"),
        *[mean_of_listens(feature).alias(f"avg_{feature}") for feature in FEATURES],
        measured_share_of_listens().alias("measured_share"),
        F.max("lacks_timezone").alias("lacks_timezone"),
    )
    return slots.select(
        "user_id",
        "day_of_week",
        "hour_of_day",
        day_name(F.col("day_of_week")).alias("day_name"),
        part_of_day(F.col("hour_of_day"), F.col("lacks_timezone")).alias("part_of_day"),
        (F.col("day_of_week") >= 6).alias("is_weekend"),
        "play_count",
        "listen_count",
        "minutes",
        *[f"avg_{feature}" for feature in FEATURES],
        "measured_share",
    )
