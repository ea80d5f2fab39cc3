"""What is known of a listener's week before it begins: the features that its hours are forecast from."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from music.listening import MINUTE_MS
from music.statistics import ratio

WEEK = 168
HOUR_SECONDS = 3600
# Half-lives of the weights of past weeks, in weeks; "all" weighs them alike.
HALF_LIVES = {"month": 4.0, "year": 26.0, "all": float("inf")}
PRIOR_LISTENS = 20
"""Listens that the listener's own mean weighs in the mean energy of an hour."""

BASELINES = {"seasonal naive (168 h)": "last_week_minutes", "hour-of-week mean": "all_hour"}
ENERGY_BASELINES = {"seasonal naive (168 h)": "last_week_energy", "hour-of-week mean": "hour_of_week_energy"}
MINUTE_FEATURES = (
    *[f"{name}_hour" for name in HALF_LIVES],
    *[f"{name}_hour_of_day" for name in HALF_LIVES],
    *[f"{name}_level" for name in HALF_LIVES],
    *["year_smooth", "all_smooth", "last_week_level"],
)
ENERGY_FEATURES = (
    *[f"{name}_energy" for name in HALF_LIVES],
    *[f"{name}_hour_energy" for name in HALF_LIVES],
    *[f"{name}_hour_of_day_energy" for name in HALF_LIVES],
)


def anchors(listening_with_features: DataFrame, users: DataFrame) -> DataFrame:
    """One row per listener: as_of and as_of_local (the midnight that ends the last day with a play), weeks of history.

    `as_of` is that moment in UTC, `as_of_local` on the listener's wall clock, stored as if it were UTC.
    """
    spans = listening_with_features.groupBy("user_id").agg(
        F.date_add(F.max("date"), 1).cast("timestamp").alias("as_of_local"), F.min("local_time").alias("first_local")
    )
    history = (F.unix_micros("as_of_local") - F.unix_micros("first_local")).cast("double")
    return (
        spans.join(F.broadcast(users.select("user_id", "timezone", "is_synthetic")), on="user_id", how="inner")
        .withColumn("as_of", F.to_utc_timestamp("as_of_local", F.coalesce("timezone", F.lit("UTC"))))
        .withColumn("weeks", history / F.lit(WEEK * HOUR_SECONDS * 1e6))
        .drop("first_local")
    )


def listened_hours(listening_with_features: DataFrame, anchored: DataFrame) -> DataFrame:
    """One row per listener and hour in which a play began.

    `slot` counts hours from as_of (-1: the last one); `week` counts weeks back from it (0: the last) and `cell` the hours
    of that week (0-167), both on the wall clock. Minutes of a play count where it began; features are of measured listens.
    """
    measured = F.col("is_listen") & F.col("is_measured")
    since = F.unix_micros("played_at") - F.unix_micros("as_of")
    hours = (
        listening_with_features.select(
            *["user_id", "played_at", "local_time", "ms_played"],
            *[F.when(measured, F.col(name)).alias(name) for name in ("energy", "danceability", "tempo")],
        )
        .join(F.broadcast(anchored.select("user_id", "as_of", "as_of_local")), on="user_id", how="inner")
        .withColumn("slot", F.floor(since / F.lit(HOUR_SECONDS * 1e6)))
        .groupBy("user_id", "slot")
        .agg(
            F.min("local_time").alias("local_time"),
            F.min("as_of_local").alias("as_of_local"),
            (F.coalesce(F.sum("ms_played"), F.lit(0)) / F.lit(MINUTE_MS)).alias("minutes"),
            F.sum("energy").alias("energy_sum"),
            F.count("energy").cast("double").alias("energy_listens"),
            F.avg("danceability").alias("danceability"),
            F.avg("tempo").alias("tempo"),
        )
    )
    ago = F.floor((F.unix_micros("as_of_local") - F.unix_micros("local_time") - 1) / F.lit(HOUR_SECONDS * 1e6))
    return (
        hours.withColumn("ago", F.greatest(ago, F.lit(0)))
        .withColumn("week", F.floor(F.col("ago") / F.lit(float(WEEK))).cast("int"))
        .withColumn("cell", (F.lit(WEEK - 1) - F.pmod("ago", F.lit(WEEK))).cast("int"))
        .drop("ago", "local_time", "as_of_local")
    )


def weekly_features(hours: DataFrame, origins: DataFrame) -> DataFrame:
    """One row per origin (user_id, back, weeks) and cell, with the features and baselines known at the origin.

    An origin lies `back` weeks before as_of; the forecast is of the 168 hours from there. Only hours before it count.
    `weeks` is the history before as_of, in weeks.
    """
    cells = F.explode(F.sequence(F.lit(0), F.lit(WEEK - 1))).alias("cell")
    grid = origins.select("user_id", "back", "weeks", cells)
    profile = grid.join(_sums(hours, origins), on=["user_id", "back", "cell"], how="left")
    history = F.greatest(F.col("weeks") - F.col("back"), F.lit(1.0))
    hourly = profile.select(
        *["user_id", "back", "cell"],
        *[
            (F.coalesce(f"{name}_minutes", F.lit(0.0)) / _weight(half_life, history)).alias(f"{name}_hour")
            for name, half_life in HALF_LIVES.items()
        ],
        F.coalesce("last_week_minutes", F.lit(0.0)).alias("last_week_minutes"),
        "last_week_energy",
        *[F.coalesce(name, F.lit(0.0)).alias(name) for name in _energy_sums()],
    )
    return _wider(hourly)


def _energy_sums() -> list[str]:
    return [f"{name}_{kind}" for name in HALF_LIVES for kind in ("energy_sum", "energy_listens")]


def _sums(hours: DataFrame, origins: DataFrame) -> DataFrame:
    """Weighted sums over the weeks before each origin, by cell."""
    before = hours.join(origins.select("user_id", "back"), on="user_id", how="inner").where("week >= back")
    age = (F.col("week") - F.col("back")).cast("double")
    is_last = F.col("week") == F.col("back")
    sums = []
    for name, half_life in HALF_LIVES.items():
        weight = F.pow(F.lit(_kept(half_life)), age)
        for column, told in (("minutes", "minutes"), ("energy_sum", "energy_sum"), ("energy_listens", "energy_listens")):
            sums.append(F.sum(weight * F.coalesce(F.col(column), F.lit(0.0))).alias(f"{name}_{told}"))
    return before.groupBy("user_id", "back", "cell").agg(
        *sums,
        F.sum(F.when(is_last, F.col("minutes"))).alias("last_week_minutes"),
        ratio(F.sum(F.when(is_last, F.col("energy_sum"))), F.sum(F.when(is_last, F.col("energy_listens")))).alias(
            "last_week_energy"
        ),
    )


def _kept(half_life: float) -> float:
    return float(0.5 ** (1 / half_life))


def _weight(half_life: float, weeks: Column) -> Column:
    """What the weights of `weeks` weeks sum to."""
    kept = _kept(half_life)
    return weeks if kept == 1.0 else (F.lit(1.0) - F.pow(F.lit(kept), weeks)) / F.lit(1 - kept)


def _wider(hourly: DataFrame) -> DataFrame:
    """Add the same hour on all days, the level of all hours, and neighbouring hours."""
    week = Window.partitionBy("user_id", "back")
    day = Window.partitionBy("user_id", "back", "hour")
    in_order = week.orderBy("cell")

    def smooth(name: str) -> Column:
        own = F.col(name)
        before, after = (F.coalesce(near(name).over(in_order), own) for near in (F.lag, F.lead))
        return (before + F.lit(2.0) * own + after) / F.lit(4.0)

    def mean_energy(name: str, window: object) -> Column:
        return ratio(F.sum(f"{name}_energy_sum").over(window), F.sum(f"{name}_energy_listens").over(window))  # type: ignore[arg-type]

    wide = hourly.withColumn("hour", F.pmod("cell", F.lit(24))).withColumns(
        {
            **{f"{name}_hour_of_day": F.avg(f"{name}_hour").over(day) for name in HALF_LIVES},
            **{f"{name}_level": F.avg(f"{name}_hour").over(week) for name in HALF_LIVES},
            "year_smooth": smooth("year_hour"),
            "all_smooth": smooth("all_hour"),
            "last_week_level": F.avg("last_week_minutes").over(week),
            **{f"{name}_energy": mean_energy(name, week) for name in HALF_LIVES},
            **{f"{name}_day_energy_sum": F.sum(f"{name}_energy_sum").over(day) for name in HALF_LIVES},
            **{f"{name}_day_energy_listens": F.sum(f"{name}_energy_listens").over(day) for name in HALF_LIVES},
        }
    )
    own = ratio(F.col("all_energy_sum"), F.col("all_energy_listens"))
    return wide.withColumns(
        {
            **{f"{name}_hour_energy": _drawn(name, name) for name in HALF_LIVES},
            **{f"{name}_hour_of_day_energy": _drawn(f"{name}_day", name) for name in HALF_LIVES},
            "hour_of_week_energy": F.coalesce(own, F.col("all_energy")),
            "last_week_energy": F.coalesce("last_week_energy", "all_energy"),
        }
    ).select(
        *["user_id", "back", "cell", *MINUTE_FEATURES, *ENERGY_FEATURES],
        *["last_week_minutes", "last_week_energy", "hour_of_week_energy"],
    )


def _drawn(sums: str, towards: str) -> Column:
    """Mean energy of the hour, drawn to the listener's own mean by PRIOR_LISTENS listens of it."""
    prior = F.lit(float(PRIOR_LISTENS))
    return (F.col(f"{sums}_energy_sum") + prior * F.col(f"{towards}_energy")) / (F.col(f"{sums}_energy_listens") + prior)
