"""Who is this listener in numbers: how much, how regular, how varied, how loyal, how happy?"""

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
    with_streak,
)
from lakehouse.declare import column, satisfies, table
from music.listening import measured_listens, measured_share, not_synthetic, of_listens
from music.statistics import ratio

RECENT_DAYS = (30, 90, 365)
SUMS = (
    "plays",
    "listens",
    "ms",
    "skips",
    "skips_told",
    "shorts",
    "timed",
    "weekend_listens",
    "measured",
    "known_listens",
    "valence",
    "known_energy",
    "energy",
)

COUNTED = ("unique_tracks", "unique_artists", "unique_albums")


@table(
    "gold.user_metrics",
    key=["user_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("plays", "bigint", "all plays, short ones included", nullable=False, at_least=1),
        column("listens", "bigint", "plays of 30 s or more", nullable=False),
        column("minutes", "double", "minutes listened, short plays included", nullable=False, at_least=0),
        column("hours", "double", "minutes / 60", nullable=False),
        column("active_days", "bigint", "dates with a play", nullable=False),
        column("minutes_per_active_day", "double", "minutes / active_days", nullable=False),
        column("first_played_at", "timestamp", "start of the first play, UTC", nullable=False),
        column("last_played_at", "timestamp", "start of the last play, UTC", nullable=False),
        column(
            "as_of",
            "timestamp",
            "end of the last date with a play, in the listener's time zone, stored as if it were UTC",
            nullable=False,
        ),
        column("unique_tracks", "bigint", "tracks with a listen; a song under several ids is one track", nullable=False),
        column("unique_artists", "bigint", "artists with a listen", nullable=False),
        column("unique_albums", "bigint", "albums with a listen", nullable=False),
        column("sessions", "bigint", "sessions", nullable=False),
        column("plays_per_session", "double", "plays / sessions", nullable=False, at_least=1),
        column("skips_told", "bigint", "plays whose source reports skips"),
        column(
            "skip_rate",
            "double",
            "share (0-1) of plays that were skipped, among plays whose source reports skips; null without such plays",
            between=(0, 1),
        ),
        column(
            "short_rate",
            "double",
            "share (0-1) of plays shorter than 30 s, among plays of known length; null without such plays",
            between=(0, 1),
        ),
        *[
            column(f"listens_last_{days}_days", "bigint", f"listens on the {days} dates before as_of", nullable=False)
            for days in RECENT_DAYS
        ],
        column("longest_streak_days", "int", "longest run of consecutive dates with a listen", nullable=False),
        column("weekend_share", "double", "share (0-1) of listens on Saturdays and Sundays", between=(0, 1)),
        column("median_track_plays", "double", "median number of plays per track", nullable=False, at_least=1),
        column("top_artist_share", "double", "share (0-1) of listens that go to the most heard artist", between=(0, 1)),
        column(
            "artist_gini",
            "double",
            "Gini coefficient of listens over artists: 0 = equal, near 1 = dominated by one artist",
            between=(0, 1),
        ),
        column("artist_entropy", "double", "Shannon entropy of listens over artists, bits"),
        column("effective_artists", "double", "2 ^ artist_entropy: number of equally heard artists with the same diversity"),
        column("avg_valence", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("avg_energy", "double", "mean over listens with a known value, 0-1", between=(0, 1)),
        column("known_listens", "bigint", "listens with a known valence", nullable=False),
        column(
            "measured_share",
            "double",
            "share (0-1) of listens with measured features; null without listens",
            between=(0, 1),
        ),
    ],
    rules=[
        *[
            no_more(part, whole)
            for whole, parts in {
                "plays": ("listens", "active_days", "sessions"),
                "listens": ("unique_tracks", "unique_albums"),
            }.items()
            for part in parts
        ],
        no_more("listens_last_30_days", "listens_last_90_days"),
        no_more("listens_last_90_days", "listens_last_365_days"),
        no_more("listens_last_365_days", "listens"),
        no_more("known_listens", "listens"),
        no_more("longest_streak_days", "active_days"),
        no_more("first_played_at", "last_played_at"),
        satisfies(
            "no more effective artists than artists",
            ["effective_artists", "unique_artists"],
            lambda: F.coalesce(F.col("effective_artists") <= F.col("unique_artists") * F.lit(1 + 1e-9), F.lit(True)),
        ),
    ],
)
def user_metrics(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener.

    Tracks, artists, albums and sessions are counted over all plays. The Gini coefficient (Gini 1912), the entropy (Shannon
    1948) and its exponential, the effective number (Hill 1973; Jost 2006), are over the listens of named artists.
    """
    joined = _amounts(listening_with_features).join(_variety(listening_with_features), on=["user_id"], how="inner")
    plays, listens, minutes = F.col("plays"), F.col("listens"), as_minutes(F.col("ms"))
    return joined.select(
        "user_id",
        "plays",
        "listens",
        minutes.alias("minutes"),
        (minutes / F.lit(60.0)).alias("hours"),
        "active_days",
        ratio(minutes, F.col("active_days")).alias("minutes_per_active_day"),
        "first_played_at",
        "last_played_at",
        "as_of",
        "unique_tracks",
        "unique_artists",
        "unique_albums",
        "sessions",
        ratio(plays, F.col("sessions")).alias("plays_per_session"),
        "skips_told",
        ratio(F.col("skips"), F.col("skips_told")).alias("skip_rate"),
        ratio(F.col("shorts"), F.col("timed")).alias("short_rate"),
        *[f"listens_last_{days}_days" for days in RECENT_DAYS],
        "longest_streak_days",
        ratio(F.col("weekend_listens"), listens).alias("weekend_share"),
        "median_track_plays",
        ratio(F.col("most_listens"), listens).alias("top_artist_share"),
        "artist_gini",
        "artist_entropy",
        F.pow(F.lit(2.0), F.col("artist_entropy")).alias("effective_artists"),
        ratio(F.col("valence"), F.col("known_listens")).alias("avg_valence"),
        ratio(F.col("energy"), F.col("known_energy")).alias("avg_energy"),
        "known_listens",
        measured_share(F.col("measured"), listens).alias("measured_share"),
    )


def _amounts(plays: DataFrame) -> DataFrame:
    """One row per listener, from one row per day: sums, recent listens and the longest streak."""
    days = plays.groupBy("user_id", "date").agg(
        play_count().alias("plays"),
        listen_count().alias("listens"),
        ms_total().alias("ms"),
        F.count_if(F.col("is_skip")).alias("skips"),
        skip_told_count().alias("skips_told"),
        F.count_if(~F.col("is_listen")).alias("shorts"),
        F.count("ms_played").alias("timed"),
        F.count_if(F.col("is_listen") & F.col("is_weekend")).alias("weekend_listens"),
        measured_listens().alias("measured"),
        F.count(of_listens(not_synthetic("valence"))).alias("known_listens"),
        F.sum(of_listens(not_synthetic("valence"))).alias("valence"),
        F.count(of_listens(not_synthetic("energy"))).alias("known_energy"),
        F.sum(of_listens(not_synthetic("energy"))).alias("energy"),
        F.min("played_at").alias("first_played_at"),
        F.max("played_at").alias("last_played_at"),
    )
    age = F.datediff(F.max("date").over(Window.partitionBy("user_id")), F.col("date"))
    recent = {n: F.sum(F.when(F.col("age") < n, F.col("listens")).otherwise(F.lit(0))) for n in RECENT_DAYS}
    return (
        with_streak(days, ["user_id"])
        .withColumn("age", age)
        .groupBy("user_id")
        .agg(
            *[F.sum(name).alias(name) for name in SUMS],
            *[listens.alias(f"listens_last_{n}_days") for n, listens in recent.items()],
            play_count().alias("active_days"),
            F.max("streak_days").alias("longest_streak_days"),
            F.min("first_played_at").alias("first_played_at"),
            F.max("last_played_at").alias("last_played_at"),
            F.date_add(F.max("date"), 1).cast("timestamp").alias("as_of"),
        )
    )


def _variety(plays: DataFrame) -> DataFrame:
    """One row per listener: distinct counts, and how listens are distributed over artists."""
    identities = {"track": "track_id", "artist": "artist_key", "album": "album_key", "session": "session_id"}
    ids = occurrences(plays, ["user_id"], identities)
    heard = F.when((F.col("kind") == "artist") & (F.col("listens") > 0), F.col("listens"))
    place = F.row_number().over(Window.partitionBy("user_id", "kind", F.col("listens") > 0).orderBy("listens", "id"))
    sums = (
        ids.withColumns({"heard": heard, "place": place})
        .groupBy("user_id")
        .agg(
            number_of("track").alias("unique_tracks"),
            number_of("artist").alias("unique_artists"),
            number_of("album").alias("unique_albums"),
            F.count_if(F.col("kind") == "session").alias("sessions"),
            F.percentile(F.when(F.col("kind") == "track", F.col("plays")), 0.5).alias("median_track_plays"),
            F.max("heard").alias("most_listens"),
            F.count("heard").alias("n"),
            F.sum("heard").alias("total"),
            F.sum(F.col("place") * F.col("heard")).alias("weighted"),
            F.sum(F.col("heard") * F.log2("heard")).alias("logs"),
        )
    )
    return sums.withColumns({"artist_gini": _gini(), "artist_entropy": _entropy()})


def _gini() -> Column:
    """(2 sum(place x) - (n + 1) sum(x)) / (n sum(x)), x ascending."""
    n, total = F.col("n"), F.col("total")
    return ratio(F.lit(2) * F.col("weighted") - (n + F.lit(1)) * total, n * total)


def _entropy() -> Column:
    """log2(S) - sum(x log2 x) / S, kept from falling below 0 by rounding."""
    entropy = F.log2("total") - ratio(F.col("logs"), F.col("total"))
    return F.when(F.col("total") > 0, F.greatest(F.lit(0.0), entropy))
