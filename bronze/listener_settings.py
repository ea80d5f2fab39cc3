"""Settings per listener, as a table, so that a changed setting rebuilds only the affected listeners."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.landed import listeners_of_files
from lakehouse.declare import column, table


@table(
    "bronze.listener_settings",
    key=["user_id"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("timezone", "string", "IANA time zone of the listener's local hours and days", nullable=False),
    ],
    touches={"listening_history": (listeners_of_files, "listening_history")},
)
def listener_settings(listening_history: DataFrame, *, default_timezone: str, timezones: Mapping[str, str]) -> DataFrame:
    """One row per listener in the history. A listener's setting overrides the value in a file, which overrides the default."""
    zone = F.coalesce("named", F.lit(default_timezone))
    for user, name in timezones.items():
        zone = F.when(F.col("user_id") == user, name).otherwise(zone)
    listeners = listening_history.groupBy("user_id").agg(F.min("timezone").alias("named"))
    return listeners.select("user_id", zone.alias("timezone"))
