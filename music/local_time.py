"""Local time columns of a play: one definition of hour, weekday and part of day for every table."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare import Column as TableColumn
from lakehouse.declare import column

PARTS_OF_DAY = ("morning", "afternoon", "evening", "night")
UTC_PARTS = ("6-11 UTC", "12-17 UTC", "18-22 UTC", "23-5 UTC")
"""The same hours of a listener of unknown time zone, for whom they may be any part of the day."""
LACKS_TIMEZONE = column(
    "lacks_timezone", "boolean", "the listener's time zone is unknown, so hours and dates are in UTC", nullable=False
)
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

TIME_COLUMNS: tuple[TableColumn, ...] = (
    column(
        "local_time",
        "timestamp",
        "start of the play in the listener's time zone (UTC if unknown), stored as if it were UTC",
        nullable=False,
    ),
    column("date", "date", "date of the start, in the listener's time zone (UTC if unknown)", nullable=False),
    column("hour_of_day", "int", "hour of the start, 0-23, in the listener's time zone (UTC if unknown)", nullable=False),
    column("day_of_week", "int", "1 (Monday) to 7 (Sunday)", nullable=False),
    column("day_name", "string", "English weekday name, Monday to Sunday", nullable=False),
    column("is_weekend", "boolean", "Saturday or Sunday", nullable=False),
    column(
        "part_of_day",
        "string",
        "morning 6-11, afternoon 12-17, evening 18-22, night 23-5; such as 6-11 UTC if the time zone is unknown",
        nullable=False,
        one_of=(*PARTS_OF_DAY, *UTC_PARTS),
    ),
    LACKS_TIMEZONE,
)


def day_name(day_of_week: Column) -> Column:
    """English name of a weekday 1 (Monday) - 7."""
    named = F.when(day_of_week == 1, DAY_NAMES[0])
    for number, name in enumerate(DAY_NAMES[1:], start=2):
        named = named.when(day_of_week == number, name)
    return named


def part_of_day(hour: Column, lacks_timezone: Column) -> Column:
    """Part of day of an hour 0-23; only the hours themselves, in UTC, if the listener's time zone is unknown."""
    morning, afternoon, evening, night = (
        F.when(lacks_timezone, utc).otherwise(local) for local, utc in zip(PARTS_OF_DAY, UTC_PARTS, strict=True)
    )
    return (
        F.when(hour.between(6, 11), morning)
        .when(hour.between(12, 17), afternoon)
        .when(hour.between(18, 22), evening)
        .otherwise(night)
    )


def of_local_time(value: Column) -> Column:
    """A value that means something only on the listener's own clock; null if the time zone is unknown."""
    return F.when(F.col("lacks_timezone"), F.lit(None)).otherwise(value)


def utc_mark() -> Column:
    """What follows an hour in words: ` UTC` if the time zone is unknown, else nothing."""
    return F.when(F.col("lacks_timezone"), " UTC").otherwise("")


def hour_unit() -> Column:
    """The unit after an hour in words: ` h`, or ` h UTC` if the time zone is unknown."""
    return F.concat(F.lit(" h"), utc_mark())


def time_columns(local_time: Column, lacks_timezone: Column | None = None) -> dict[str, Column]:
    """The columns of TIME_COLUMNS, from a timestamp in the listener's time zone and whether that is unknown."""
    is_unknown = F.lit(False) if lacks_timezone is None else lacks_timezone
    # Not weekday(): the embedded engine gives -1 for Sundays. dayofweek() is 1 on Sunday everywhere.
    day = (F.pmod(F.dayofweek(local_time) + 5, F.lit(7)) + 1).cast("int")
    hour = F.hour(local_time)
    return {
        "local_time": local_time,
        "date": F.to_date(local_time),
        "hour_of_day": hour,
        "day_of_week": day,
        "day_name": day_name(day),
        "is_weekend": day >= 6,
        "part_of_day": part_of_day(hour, is_unknown),
        "lacks_timezone": is_unknown,
    }
