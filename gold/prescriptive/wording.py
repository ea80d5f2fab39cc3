"""How figures are worded in sentences: the same digits on every engine."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from music.local_time import utc_mark

EXACT_DIGITS = 6


def number(value: Column, digits: int = 2) -> Column:
    """A figure with that many digits, with halves rounded away from zero; null stays null."""
    # Engines differ in the last bit of a sum and in what a half such as 0.285 rounds to: 28.5 as a double is exact.
    units = F.round(F.abs(value) * F.lit(float(10**digits)), EXACT_DIGITS)
    rounded = F.floor(units + F.lit(0.5)) * F.signum(value) / F.lit(float(10**digits))
    return rounded.cast(f"decimal(20,{digits})").cast("string")


def percent(share: Column) -> Column:
    """A share (0-1) as whole percent."""
    return F.concat(number(share * F.lit(100), 0), F.lit("%"))


def hour(value: Column) -> Column:
    """An hour of the day as 07:00, or 07:00 UTC if the row's `lacks_timezone` is true."""
    return F.concat(F.lpad(value.cast("string"), 2, "0"), F.lit(":00"), utc_mark())


def times(count: Column) -> Column:
    """once, twice, 3 times."""
    return F.when(count == 1, "once").when(count == 2, "twice").otherwise(F.concat(count.cast("string"), F.lit(" times")))


def sentence(*parts: Column | str) -> Column:
    """The parts as one text; null parts are left out."""
    return F.concat_ws("", *[F.lit(part) if isinstance(part, str) else part for part in parts])
