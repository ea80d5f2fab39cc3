"""A guess of the time zone of listeners whose zone nobody has told. It is shown to people and never used in a figure."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from music.country_zones import zones_of_countries

COUNTRY, HOURS = "country", "hours"
GUESSED_FROM = (COUNTRY, HOURS)
HOURS_A_DAY, QUIET = 24, 6
FEWEST_DATES = 60
"""Two months: with fewer dates, hours without music are no habit yet."""
MOST_IN_QUIET = 0.4
"""The quiet hours hold at most this share of what an even spread over the day would give them. Of made-up listeners, as many
guesses were right with a quarter, but there were fewer of them."""
FAR = 4
"""Six-hour intervals that begin at least this many hours earlier or later lie elsewhere in the day."""
TIMES_BUSIER = 2.0
"""Every interval elsewhere is at least so many times busier than the quiet one."""
MIDDLE_OF_NIGHT = 4
"""Local hour in the middle of the quiet interval: people are least awake at about four."""


def timezone_guesses(kept: DataFrame) -> DataFrame:
    """One row per listener for whom there is a guess: timezone_guess, timezone_guess_from and timezone_guess_n.

    `kept` are kept plays of silver.plays. By country: the country (ISO 3166) of most of the listener's plays, if it has one
    time zone (music/country_zones.py); n is the plays from there. Ties go to the first by the alphabet; ZZ and other codes
    that are no country do not count. Else by hours: of each UTC hour, the dates with a play that starts in it are counted.
    The six consecutive hours with the fewest, if there are 60 dates (n) and the interval is clear, are taken for the night,
    its middle for 4:00. Clear means: it holds at most 0.4 of an even spread, and every such interval that begins four
    or more hours away is twice as busy. The zone is then a fixed whole hour from UTC (Etc/GMT-2 is two hours ahead of it).
    """
    by_country, by_hours = _by_country(kept), _by_hours(kept)
    both = by_country.join(by_hours, on="user_id", how="full")
    is_country = F.col("country_zone").isNotNull()
    return both.select(
        "user_id",
        F.coalesce("country_zone", "hours_zone").alias("timezone_guess"),
        F.when(is_country, COUNTRY).otherwise(HOURS).alias("timezone_guess_from"),
        F.when(is_country, F.col("country_n")).otherwise(F.col("hours_n")).alias("timezone_guess_n"),
    ).where("timezone_guess IS NOT NULL")


def _by_country(kept: DataFrame) -> DataFrame:
    """One row per listener with a country: its zone (null if it has several) and the plays from there."""
    known = kept.withColumn("country", F.upper(F.trim("conn_country"))).where(F.col("country").isin(*zones_of_countries()))
    counted = known.groupBy("user_id", "country").agg(F.count(F.lit(1)).alias("country_n"))
    most = F.row_number().over(Window.partitionBy("user_id").orderBy(F.desc("country_n"), "country"))
    return counted.withColumn("place", most).where("place = 1").select("user_id", _zone_of("country"), "country_n")


def _zone_of(country: str) -> Column:
    zones = {code: zone for code, zone in zones_of_countries().items() if zone is not None}
    place = F.nullif(F.array_position(F.array(*[F.lit(code) for code in zones]), F.col(country)), F.lit(0))
    return F.element_at(F.array(*[F.lit(zone) for zone in zones.values()]), place.cast("int")).alias("country_zone")


def _by_hours(kept: DataFrame) -> DataFrame:
    """One row per listener with a clear quiet interval: the zone that makes it the night, and the dates with a play."""
    dated = kept.select("user_id", F.to_date("played_at").alias("date"), F.hour("played_at").alias("hour")).distinct()
    by_hour = dated.groupBy("user_id", "hour").agg(F.count(F.lit(1)).alias("dates"))
    days = dated.groupBy("user_id").agg(F.countDistinct("date").alias("hours_n"), F.count(F.lit(1)).alias("total"))
    # An hour lies in the six intervals that begin up to five hours before it; intervals without any play have a row, too.
    steps = F.explode(F.sequence(F.lit(0), F.lit(HOURS_A_DAY - 1))).alias("step")
    spread = by_hour.select("user_id", "hour", "dates", steps)
    intervals = spread.groupBy("user_id", F.pmod(F.col("hour") - F.col("step"), F.lit(HOURS_A_DAY)).alias("first")).agg(
        F.sum(F.when(F.col("step") < QUIET, F.col("dates")).otherwise(F.lit(0))).alias("busy")
    )
    quietest = intervals.groupBy("user_id").agg(F.min(F.struct("busy", "first")).alias("quiet"))
    away = F.pmod(F.col("first") - F.col("quiet.first"), F.lit(HOURS_A_DAY))
    compared = intervals.join(quietest, on="user_id", how="inner").where(away.between(FAR, HOURS_A_DAY - FAR))
    elsewhere = compared.groupBy("user_id", F.col("quiet.first").alias("first"), F.col("quiet.busy").alias("least")).agg(
        F.min("busy").alias("elsewhere")
    )
    judged = elsewhere.join(days.where(F.col("hours_n") >= FEWEST_DATES), on="user_id", how="inner").where(_is_clear())
    return judged.select("user_id", _fixed_zone(F.col("first")).alias("hours_zone"), "hours_n")


def _is_clear() -> Column:
    even = F.col("total") * F.lit(QUIET / HOURS_A_DAY)
    is_quiet = F.col("least") <= even * F.lit(MOST_IN_QUIET)
    return is_quiet & (F.col("elsewhere") >= F.greatest(F.col("least") * F.lit(TIMES_BUSIER), F.lit(1.0)))


def _fixed_zone(first: Column) -> Column:
    """The zone in which six hours from the UTC hour `first` have 4:00 in their middle, 11 hours behind UTC to 12 ahead."""
    ahead = F.pmod(F.lit(MIDDLE_OF_NIGHT - QUIET // 2) - first + F.lit(HOURS_A_DAY // 2 - 1), F.lit(HOURS_A_DAY))
    ahead = ahead - F.lit(HOURS_A_DAY // 2 - 1)
    # POSIX: these names count hours west of Greenwich.
    east, west = F.concat(F.lit("Etc/GMT-"), ahead.cast("string")), F.concat(F.lit("Etc/GMT+"), (-ahead).cast("string"))
    return F.when(ahead > 0, east).when(ahead < 0, west).otherwise("UTC")
