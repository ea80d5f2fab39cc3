"""Sessions, hours, days and weeks of a listener in one row format: what was played in each, as sums that can be added."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from music.listening import measured_listens, not_synthetic, of_listens
from music.local_time import of_local_time

GRAINS = ("session", "hour", "day", "week")
NIGHT_BEGINS, NIGHT_ENDS = 23, 5
WEEK_DAYS = 7

# Counts and sums of a unit. `_n`, `_s`, `_q`: how many known values, their sum, and the sum of their squares.
# `nights` is null if the listener's time zone is unknown.
SUMS = (
    *("plays", "ms", "sessions", "skips", "skips_told", "named", "new_artists", "nights", "measured", "listens"),
    *("valence_n", "valence_s", "valence_q", "energy_n", "energy_s", "energy_q"),
)


def listening_units(plays: DataFrame) -> DataFrame:
    """One row per listener, grain and unit with a play, with SUMS.

    `at` is the start of the unit in the listener's time zone, stored as if it were UTC; `session_id` is null except for
    sessions. A week (from Monday) counts once it is over, that is, if its last date is no later than the listener's last
    date with a play.
    """
    cells = (
        _cells(plays)
        .unionByName(_first_plays(plays))
        .withColumns(
            {
                "begun": F.min("first_at").over(Window.partitionBy("user_id", "session_id")),
                "last_day": F.date_trunc("day", F.max("first_at").over(Window.partitionBy("user_id"))),
            }
        )
    )
    starts = [
        (F.col("begun"), F.col("session_id")),
        (F.date_trunc("hour", "first_at"), F.lit(None)),
        (F.date_trunc("day", "first_at"), F.lit(None)),
        (F.date_trunc("week", "first_at"), F.lit(None)),
    ]
    units = [
        F.struct(F.lit(place).alias("place"), at.alias("at"), session.cast("string").alias("session_id"))
        for place, (at, session) in enumerate(starts, start=1)
    ]
    exploded = cells.select(
        "user_id",
        *[F.col(name) for name in SUMS if name != "sessions"],
        # A session belongs to the hour, day and week in which it begins.
        ((F.col("first_at") == F.col("begun")) & (F.col("plays") > 0)).cast("bigint").alias("sessions"),
        "last_day",
        F.explode(F.array(*units)).alias("unit"),
    )
    summed = exploded.groupBy("user_id", "unit.place", "unit.at").agg(
        *[F.sum(name).alias(name) for name in SUMS],
        F.max("unit.session_id").alias("session_id"),
        F.max("last_day").alias("last_day"),
    )
    is_over = (F.col("place") != len(GRAINS)) | (F.datediff("last_day", "at") >= WEEK_DAYS - 1)
    grain = F.element_at(F.array(*[F.lit(name) for name in GRAINS]), F.col("place"))
    return summed.where(is_over).withColumn("grain", grain)


def _cells(plays: DataFrame) -> DataFrame:
    """One row per session and hour of a date: the parts that all units consist of."""
    is_night = (F.col("hour_of_day") >= NIGHT_BEGINS) | (F.col("hour_of_day") <= NIGHT_ENDS)
    counts = {
        "plays": F.count(F.lit(1)),
        "ms": F.coalesce(F.sum("ms_played"), F.lit(0)),
        "skips": F.count_if(F.col("is_skip") & F.col("tells_skip")),
        "skips_told": F.count_if("tells_skip"),
        "named": F.count("artist_key"),
        "nights": F.sum(of_local_time(is_night.cast("bigint"))),
        "measured": measured_listens(),
        "listens": F.count_if("is_listen"),
        "new_artists": F.lit(0),
    }
    moments: dict[str, Column] = {}
    for name in ("valence", "energy"):
        value = of_listens(not_synthetic(name))
        moments |= {f"{name}_n": F.count(value), f"{name}_s": _total(value), f"{name}_q": _total(value * value)}
    return plays.groupBy("user_id", "session_id", "date", "hour_of_day").agg(
        F.min("local_time").alias("first_at"), *[value.alias(name) for name, value in {**counts, **moments}.items()]
    )


def _total(value: Column) -> Column:
    return F.coalesce(F.sum(value), F.lit(0.0))


def _first_plays(plays: DataFrame) -> DataFrame:
    """Cells with only the number of artists that the listener played for the first time ever."""
    artists = (
        plays.where("artist_key IS NOT NULL")
        .groupBy("user_id", "artist_key")
        .agg(*[F.min_by(name, "play_number").alias(name) for name in ("session_id", "local_time")])
    )
    # A sum passes over nulls: the cells of plays alone say whether nights are known.
    nothing = {name: F.lit(None if name == "nights" else 0) for name in SUMS if name[-2:] not in ("_s", "_q")}
    integers = [value.cast("bigint").alias(name) for name, value in nothing.items()]
    doubles = [F.lit(0.0).alias(name) for name in SUMS if name[-2:] in ("_s", "_q")]
    empty = artists.select(
        "user_id",
        "session_id",
        F.to_date("local_time").alias("date"),
        F.hour("local_time").alias("hour_of_day"),
        F.col("local_time").alias("first_at"),
        *integers,
        *doubles,
    )
    return empty.withColumn("new_artists", F.lit(1).cast("bigint")).drop("sessions")
