"""The listeners: how many rows each has, and how far the history reaches."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.listener_settings import TIMEZONE_SOURCES, UNKNOWN
from lakehouse.declare import column, fresh, satisfies, table
from music.populations import is_synthetic_play
from silver.timezone_guess import GUESSED_FROM, timezone_guesses

# Spotify delivers an export within 30 days; a history older than that and a few days more wants a new one.
FRESH_DAYS = 45


@table(
    "silver.users",
    key=["user_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("timezone", "string", "IANA time zone of the listener's hours and days; UTC if it is unknown", nullable=False),
        column(
            "timezone_source",
            "string",
            "set (by an option or a setting), file (the history names it) or unknown",
            nullable=False,
            one_of=TIMEZONE_SOURCES,
        ),
        column("timezone_guess", "string", "time zone that the history suggests if it is unknown; no table uses it"),
        column(
            "timezone_guess_from",
            "string",
            "country (of most plays) or hours (without music); null without a guess",
            one_of=GUESSED_FROM,
        ),
        column("timezone_guess_n", "bigint", "plays from that country, or dates with a play that the hours are counted on"),
        column(
            "is_synthetic",
            "boolean",
            "marks synthetic listeners, which are never mixed with real ones in a figure",
            nullable=False,
        ),
        column("source_kinds", "array<string>", "source kinds that the rows come from, sorted", nullable=False),
        column("rows", "bigint", "rows of the history", nullable=False),
        column("kept", "bigint", "rows that are plays", nullable=False),
        column("duplicates", "bigint", "rows that duplicate another play", nullable=False),
        column("quarantined", "bigint", "rows that cannot be plays", nullable=False),
        column("set_aside", "bigint", "podcasts and audiobooks", nullable=False),
        column("first_played_at", "timestamp", "start of the first kept play, UTC"),
        column("last_played_at", "timestamp", "start of the last kept play, UTC"),
    ],
    rules=[
        fresh("last_played_at", FRESH_DAYS, among="NOT is_synthetic"),
        satisfies(
            "every row is accounted for",
            ["rows", "kept", "duplicates", "quarantined", "set_aside"],
            lambda: F.col("rows") == F.col("kept") + F.col("duplicates") + F.col("quarantined") + F.col("set_aside"),
        ),
    ],
)
def users(plays: DataFrame, listener_settings: DataFrame) -> DataFrame:
    """One row per listener in the history.

    A time zone is guessed only for listeners whose zone is unknown, by the method of silver/timezone_guess.py, and only to be
    shown: a setting is what changes hours.
    """
    is_kept = F.col("disposition") == "kept"
    counted = plays.groupBy("user_id").agg(
        F.max(is_synthetic_play()).alias("is_synthetic"),
        F.array_sort(F.collect_set("source_kind")).alias("source_kinds"),
        F.count("*").alias("rows"),
        F.count_if(is_kept).alias("kept"),
        F.count_if(F.col("disposition") == "duplicate").alias("duplicates"),
        F.count_if(F.col("disposition") == "quarantined").alias("quarantined"),
        F.count_if(F.col("disposition") == "set_aside").alias("set_aside"),
        F.min(F.when(is_kept, F.col("played_at"))).alias("first_played_at"),
        F.max(F.when(is_kept, F.col("played_at"))).alias("last_played_at"),
    )
    settings = listener_settings.select("user_id", "timezone", "timezone_source")
    unknown = settings.where(F.col("timezone_source") == UNKNOWN).select("user_id")
    asked = plays.where(is_kept).join(F.broadcast(unknown), on="user_id", how="left_semi")
    named = counted.join(settings, on="user_id", how="inner")
    return named.join(timezone_guesses(asked), on="user_id", how="left")
