"""How long and how energetically will a listener listen in each hour of the coming week, and how good were such forecasts?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features.hourly_history import HOUR_SECONDS, WEEK, anchors, listened_hours, weekly_features
from lakehouse.declare import Model, Rule, column, satisfies, table
from models.common.linear import Linear, choose, from_arrow
from models.hours.hourly_listening import BACKTEST_WEEKS, EVALUATION, REFIT
from models.hours.hourly_quantiles import DECIMALS, ENDS
from music.local_time import time_columns
from music.populations import POPULATIONS, population
from music.ranking import summed
from music.statistics import ratio

TARGETS = ("minutes", "energy")


def _nested(name: str) -> Rule:
    ends = [f"{name}_{end}" for end in ENDS if end != "median"]

    def in_order() -> Column:
        low_95, low_80, high_80, high_95 = (F.col(end) for end in ends)
        return F.coalesce((low_95 <= low_80) & (low_80 <= high_80) & (high_80 <= high_95), F.lit(True))

    return satisfies(f"the intervals of {name} are nested", ends, in_order)


@table(
    "gold.energy_forecasts",
    key=["user_id", "forecast_hour"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("forecast_hour", "timestamp", "start of the hour, UTC"),
        column("model_id", "string", "model that made the forecast, see ops.models", nullable=False),
        column(
            "is_future",
            "boolean",
            "true for hours after as_of; false for backtests, which are shown with the actual values",
            nullable=False,
        ),
        column("origin", "timestamp", "time of the forecast, UTC: only earlier plays are used", nullable=False),
        column(
            "local_time", "timestamp", "start of the hour in the listener's time zone, stored as if it were UTC", nullable=False
        ),
        column("hour_of_day", "int", "hour, 0-23 (UTC if the time zone is unknown)", nullable=False),
        column("day_of_week", "int", "1 (Monday) to 7 (Sunday)", nullable=False),
        column(
            "expected_minutes",
            "double",
            "expected minutes of plays that start in the hour; can lie above the interval where listening is rare",
            nullable=False,
            at_least=0,
        ),
        column(
            "listening_probability",
            "double",
            "share (0-1) of hours with a similar forecast in which anything was played",
            between=(0, 1),
        ),
        column("minutes_median", "double", "median minutes"),
        column("minutes_low_80", "double", "lower end of the 80% interval of minutes; null with too little history"),
        column("minutes_high_80", "double", "upper end of the 80% interval"),
        column("minutes_low_95", "double", "lower end of the 95% interval"),
        column("minutes_high_95", "double", "upper end of the 95% interval"),
        column(
            "predicted_energy",
            "double",
            "expected mean energy (0-1) of the hour's listens, if there are any; null with too few measured listens",
            between=(0, 1),
        ),
        column("energy_low_80", "double", "lower end of its 80% interval"),
        column("energy_high_80", "double", "upper end of the 80% interval"),
        column("energy_low_95", "double", "lower end of the 95% interval"),
        column("energy_high_95", "double", "upper end of the 95% interval"),
        column("naive_minutes", "double", "baseline: minutes in the same hour one week earlier", nullable=False),
        column("hour_of_week_minutes", "double", "baseline: mean minutes in the same hour of all earlier weeks", nullable=False),
        column(
            "hour_of_week_energy",
            "double",
            "baseline: mean energy in the same hour of all earlier weeks; over all hours if that hour has none",
        ),
        column("actual_minutes", "double", "minutes of plays that started in the hour; null for future hours"),
        column("energy", "double", "mean energy of the hour's measured listens; null without such listens and for future hours"),
        column("danceability", "double", "mean danceability of the same listens; not forecast"),
        column("tempo", "double", "mean tempo of the same listens, beats per minute; not forecast"),
        column(
            "fit",
            "string",
            "evaluation: trained on data before the test window; refit: trained on all weeks before training, all earlier",
            nullable=False,
            one_of=(EVALUATION, REFIT),
        ),
        column(
            "published_minutes", "string", "method that forecasts the minutes: the model, or the baseline that it does not beat"
        ),
        column("published_energy", "string", "method that forecasts the energy"),
    ],
    rules=[
        *[_nested(name) for name in TARGETS],
        satisfies(
            "the future is not known",
            ["is_future", "actual_minutes"],
            lambda: F.col("is_future") == F.col("actual_minutes").isNull(),
        ),
    ],
)
def energy_forecasts(listening_with_features: DataFrame, users: DataFrame, hourly_listening: Model) -> DataFrame:
    """One row per listener and hour: 168 hours after as_of (end of the last day with a play), and the 4 weeks before.

    Each past week is forecast from the data before it, by the fit trained before the test window.
    """
    anchored = anchors(listening_with_features, users)
    hours = listened_hours(listening_with_features, anchored)
    # A week can be forecast from a week of history.
    back = F.explode(F.sequence(F.lit(0), F.lit(BACKTEST_WEEKS))).alias("back")
    origins = anchored.select("user_id", "weeks", back).where("back = 0 OR weeks - back >= 1")
    grid = _with_actual(_grid(anchored, origins), hours)
    featured = grid.join(weekly_features(hours, origins), on=["user_id", "back", "cell"], how="inner")
    seen = hourly_listening.frame("listeners")
    is_seen = F.col("trained_until") > F.col("origin")
    featured = featured.join(F.broadcast(seen), on="user_id", how="left").withColumn(
        "fit", F.when(is_seen, EVALUATION).otherwise(REFIT)
    )
    return _forecast(featured, hourly_listening)


def _grid(anchored: DataFrame, origins: DataFrame) -> DataFrame:
    """Every hour to forecast, generated in UTC, so that a clock change neither repeats nor skips an hour."""
    steps = F.explode(F.sequence(F.lit(0), F.lit(WEEK - 1))).alias("step")
    named = population(F.col("is_synthetic")).alias("population")
    listeners = anchored.select("user_id", "as_of", "as_of_local", "timezone", named)
    start = F.unix_seconds("as_of") - F.col("back") * F.lit(WEEK * HOUR_SECONDS)
    at = F.timestamp_seconds(F.unix_seconds("as_of") + F.col("slot") * F.lit(HOUR_SECONDS))
    since = F.unix_seconds("local_time") - F.unix_seconds("as_of_local")
    return (
        origins.select("user_id", "back", steps)
        .join(F.broadcast(listeners), on="user_id", how="inner")
        .withColumn("slot", (F.col("step") - F.col("back") * F.lit(WEEK)).cast("bigint"))
        .withColumn("origin", F.timestamp_seconds(start))
        .withColumn("forecast_hour", at)
        .withColumn("local_time", F.from_utc_timestamp("forecast_hour", F.coalesce("timezone", F.lit("UTC"))))
        .withColumn("cell", F.pmod(F.floor(since / F.lit(float(HOUR_SECONDS))), F.lit(WEEK)).cast("int"))
    )


def _with_actual(grid: DataFrame, hours: DataFrame) -> DataFrame:
    came = hours.select(
        "user_id",
        F.col("slot").cast("bigint").alias("slot"),
        *["minutes", "danceability", "tempo"],
        ratio(F.col("energy_sum"), F.col("energy_listens")).alias("energy"),
    )
    return grid.join(came, on=["user_id", "slot"], how="left")


def _forecast(featured: DataFrame, model: Model) -> DataFrame:
    lines, published = from_arrow(model.arrow("coefficients")), model.parameters["published"]
    bins = model.arrow("bins").to_pylist()
    forecast = featured.withColumns({f"expected_{t}": _expected(lines, t) for t in TARGETS})
    forecast = forecast.withColumns({f"{t}_bin": _bin(bins, t) for t in TARGETS})
    stored = model.frame("bins")
    for target in TARGETS:
        names = {"bin": f"{target}_bin", "listening_share": f"{target}_share"} | {end: f"{target}_{end}" for end in ENDS}
        own = stored.where(F.col("target") == target).select(
            "population", "fit", *[F.col(name).alias(alias) for name, alias in names.items()]
        )
        forecast = forecast.join(F.broadcast(own), on=["population", "fit", f"{target}_bin"], how="left")
    local, is_future = time_columns(F.col("local_time")), F.col("back") == 0
    return forecast.select(
        *["user_id", "forecast_hour"],
        F.lit(model.id).alias("model_id"),
        is_future.alias("is_future"),
        *["origin", "local_time"],
        *[local[name].alias(name) for name in ("hour_of_day", "day_of_week")],
        F.col("expected_minutes"),
        F.col("minutes_share").alias("listening_probability"),
        *[f"minutes_{end}" for end in ENDS],
        # Without a bin there was too little measured energy to learn any from.
        F.when(F.col("energy_bin") >= 0, _unit(F.col("expected_energy"))).alias("predicted_energy"),
        *[_unit(F.col("expected_energy") + F.col(f"energy_{end}")).alias(f"energy_{end}") for end in ENDS if end != "median"],
        F.col("last_week_minutes").alias("naive_minutes"),
        F.col("all_hour").alias("hour_of_week_minutes"),
        "hour_of_week_energy",
        F.when(~is_future, F.coalesce("minutes", F.lit(0.0))).alias("actual_minutes"),
        *["energy", "danceability", "tempo", "fit"],
        *[
            choose((F.col("population") == name, F.lit(published[f"{name} {t}"])) for name in POPULATIONS).alias(f"published_{t}")
            for t in TARGETS
        ],
    )


def _expected(lines: dict[tuple[str, str], Linear], target: str) -> Column:
    """The mean that each listener's fit predicts; minutes are never below 0."""
    cases = [
        ((F.col("population") == name) & (F.col("fit") == fit), lines[f"{name} {target}", fit].column())
        for name in POPULATIONS
        for fit in (EVALUATION, REFIT)
    ]
    return F.round(summed(F.greatest(choose(cases), F.lit(0.0))), DECIMALS)


def _bin(bins: list[dict[str, object]], target: str) -> Column:
    """The bin of similar forecasts that an hour belongs to: the last one that begins at or below its forecast."""
    expected, cases = F.col(f"expected_{target}"), []
    for name in POPULATIONS:
        for fit in (EVALUATION, REFIT):
            own = [b for b in bins if (b["population"], b["target"], b["fit"]) == (name, target, fit)]
            number = F.lit(-1)
            for row in own:
                number = number + (expected >= F.lit(row["from"])).cast("int")
            cases.append(((F.col("population") == name) & (F.col("fit") == fit), number))
    return choose(cases)


def _unit(value: Column) -> Column:
    """Clipped to 0-1; least and greatest would ignore null."""
    return F.when(value < 0, F.lit(0.0)).when(value > 1, F.lit(1.0)).otherwise(value)
