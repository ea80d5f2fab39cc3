"""Settings per listener, as a table, so that a changed setting rebuilds only the affected listeners."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import listeners_of_files
from lakehouse.declare import column, table

SET, FILE, UNKNOWN = "set", "file", "unknown"
TIMEZONE_SOURCES = (SET, FILE, UNKNOWN)


@table(
    "bronze.listener_settings",
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
    ],
    touches={"listening_history": (listeners_of_files, "listening_history")},
)
def listener_settings(listening_history: DataFrame, *, default_timezone: str | None, timezones: Mapping[str, str]) -> DataFrame:
    """One row per listener in the history. A listener's setting overrides the value in a file, which overrides the default.

    Without any of them the time zone is unknown: hours are computed in UTC, and no table may call them local.
    """
    zone = F.coalesce("named", F.lit(default_timezone or "UTC"))
    source = F.when(F.col("named").isNotNull(), FILE).otherwise(UNKNOWN if default_timezone is None else SET)
    for user, name in timezones.items():
        zone = F.when(F.col("user_id") == user, name).otherwise(zone)
    source = F.when(F.col("user_id").isin(*timezones), SET).otherwise(source) if timezones else source
    listeners = listening_history.groupBy("user_id").agg(F.min("timezone").alias("named"))
    return listeners.select("user_id", zone.alias("timezone"), source.alias("timezone_source"))
