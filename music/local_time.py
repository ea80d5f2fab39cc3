"""Local time columns of a play: one definition of hour, weekday and part of day for every table."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare import Column as TableColumn
from lakehouse.declare import column

PARTS_OF_DAY = ("morning", "afternoon", "evening", "night")
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

TIME_COLUMNS: tuple[TableColumn, ...] = (
    column(
        "local_time",
        "timestamp",
        "start of the play in the listener's local time, stored as if it were UTC",
        nullable=False,
    ),
    column("date", "date", "local date of the start", nullable=False),
    column("hour_of_day", "int", "local hour of the start, 0-23", nullable=False),
    column("day_of_week", "int", "1 (Monday) to 7 (Sunday)", nullable=False),
    column("day_name", "string", "English weekday name, Monday to Sunday", nullable=False),
    column("is_weekend", "boolean", "Saturday or Sunday", nullable=False),
    column(
        "part_of_day", "string", "morning 6-11, afternoon 12-17, evening 18-22, night 23-5", nullable=False, one_of=PARTS_OF_DAY
    ),
)


def day_name(day_of_week: Column) -> Column:
    """English name of a weekday 1 (Monday) - 7."""
    named = F.when(day_of_week == 1, DAY_NAMES[0])
    for number, name in enumerate(DAY_NAMES[1:], start=2):
        named = named.when(day_of_week == number, name)
    return named


def part_of_day(hour: Column) -> Column:
    """Part of day of a local hour 0-23."""
    return (
        F.when(hour.between(6, 11), "morning")
        .when(hour.between(12, 17), "afternoon")
        .when(hour.between(18, 22), "evening")
        .otherwise("night")
    )


def time_columns(local_time: Column) -> dict[str, Column]:
    """The columns of TIME_COLUMNS, from a local timestamp."""
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
        "part_of_day": part_of_day(hour),
    }
