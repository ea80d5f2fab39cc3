"""How a listener listens in four figures: what segments are cut from and listeners are placed by."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from music.listening import measured_share_of_listens, not_synthetic, of_listens
from music.local_time import of_local_time
from music.statistics import ratio

RECENT_DAYS = 365
FOREMOST = 5
NIGHT_BEGINS, NIGHT_ENDS = 23, 5
SOUND = ("valence", "energy", "danceability", "acousticness")


@dataclass(frozen=True)
class Axis:
    """One way in which listeners differ: the measure, the names of its high and low end, and how to say the figure."""

    measure: str
    high: str
    low: str
    said: str
    reference: float | None
    source: str
    """where the reference is from that stands in while too few listeners are there to compare with"""


AXES = (
    Axis(
        "discovery_share", "explorer", "loyalist", "of the last year's listens are of artists never listened to before", None, ""
    ),
    Axis(
        "night_share",
        "night listener",
        "day listener",
        "of the listens begin between 23 and 6 h",
        7 / 24,
        "an even spread over the day gives 29%",
    ),
    Axis(
        "early_skip_share",
        "skipper",
        "finisher",
        "of the plays are left within 30 s",
        0.3505,
        "35% is published for Spotify's listeners (Lamere 2014)",
    ),
    Axis(
        "variety",
        "eclectic",
        "focused",
        "of the listens are of other artists than the five most heard",
        0.64,
        "64% is the published median of Last.fm's listeners (HetRec 2011)",
    ),
)
MEASURES = tuple(axis.measure for axis in AXES)


def behaviour(plays: DataFrame) -> DataFrame:
    """One row per listener: MEASURES (0-1, null where nothing can be known), listens, and means and spread of the sound.

    `discovery_share`: of the listens of a named artist on the last 365 dates up to the listener's last play, the
    share that are the first listen of their artist. `variety`: share of the listens of named artists outside the
    listener's five most heard. `early_skip_share` is over plays of known length; all else over listens. `night_share` is
    null if the listener's time zone is unknown.
    """
    artists = _artists(plays)
    heard = F.when(F.col("is_listen"), F.lit(1))
    is_night = (F.col("hour_of_day") >= NIGHT_BEGINS) | (F.col("hour_of_day") <= NIGHT_ENDS)
    values = {name: of_listens(not_synthetic(name)) for name in SOUND}
    last_date = plays.groupBy("user_id").agg(
        F.count(heard).alias("total_listens"),
        F.count(F.lit(1)).alias("plays"),
        ratio(F.count(F.when(of_local_time(is_night), heard)), F.count(of_local_time(heard))).alias("night_share"),
        F.avg(F.when(F.col("ms_played").isNotNull(), F.col("is_short").cast("double"))).alias("early_skip_share"),
        *[F.avg(value).alias(f"overall_{name}") for name, value in values.items()],
        F.stddev(values["valence"]).alias("mood_variability"),
        F.stddev(values["energy"]).alias("energy_variability"),
        measured_share_of_listens().alias("measured_share"),
    )
    return last_date.join(artists, on="user_id", how="left")


def _artists(plays: DataFrame) -> DataFrame:
    """One row per listener with a listen of a named artist: discovery_share and variety."""
    dated = plays.where("is_listen AND artist_key IS NOT NULL").select(
        "user_id", "artist_key", F.datediff("date", F.lit("1970-01-01").cast("date")).alias("day")
    )
    days = dated.groupBy("user_id", "artist_key", "day").agg(F.count(F.lit(1)).alias("listens"))
    last = F.max("day").over(Window.partitionBy("user_id"))
    recent = F.when(F.col("day") > F.col("last") - F.lit(RECENT_DAYS), F.col("listens")).otherwise(F.lit(0))
    artists = (
        days.withColumn("last", last)
        .groupBy("user_id", "artist_key", "last")
        .agg(F.sum("listens").alias("listens"), F.sum(recent).alias("recent"), F.min("day").alias("first"))
    )
    place = F.row_number().over(Window.partitionBy("user_id").orderBy(F.desc("listens"), "artist_key"))
    is_new = (F.col("first") > F.col("last") - F.lit(RECENT_DAYS)).cast("bigint")
    return (
        artists.withColumn("place", place)
        .groupBy("user_id")
        .agg(
            ratio(F.sum(is_new), F.sum("recent")).alias("discovery_share"),
            ratio(F.sum(F.when(F.col("place") > FOREMOST, F.col("listens")).otherwise(F.lit(0))), F.sum("listens")).alias(
                "variety"
            ),
        )
    )
