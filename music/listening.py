"""What the tables share about plays: which count as listens, which feature values count, and how measured they are."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.audio_features import STAND_IN
from music.statistics import ratio

MINUTE_MS = 60_000


def listens(listening_with_features: DataFrame) -> DataFrame:
    """The plays of 30 s or more; charts count these unless they say plays."""
    return listening_with_features.where("is_listen")


def of_listens(value: Column) -> Column:
    """The value where the play is a listen, else null, so that an aggregate of all plays is over listens."""
    return F.when(F.col("is_listen"), value)


def not_synthetic(feature: str) -> Column:
    """A feature's value for statistics: null where it is synthetic, so that no made-up number enters a figure."""
    return F.when(F.col("feature_source") != STAND_IN, F.col(feature))


def mood_not_synthetic() -> Column:
    """mood_category, null where the features are synthetic."""
    return not_synthetic("mood_category")


def measured_listens() -> Column:
    """Aggregate: listens whose features are measured, not estimated."""
    return F.count_if(F.col("is_listen") & F.col("is_measured"))


def measured_share(measured: Column, counted: Column) -> Column:
    """Share (0-1) of what is counted whose features are measured, from the two counts; null where nothing is counted."""
    return ratio(measured, counted)


def measured_share_of_listens() -> Column:
    """Aggregate: share (0-1) of the group's listens whose features are measured; null without listens."""
    return F.avg(of_listens(F.col("is_measured").cast("double")))


def skip_flag() -> Column:
    """1.0 for a skipped play, 0.0 for one that was not, null where the source does not say."""
    return F.when(F.col("tells_skip"), F.col("is_skip").cast("double"))


def minutes() -> Column:
    """Aggregate: minutes listened, exact in ms before the division."""
    return F.coalesce(F.sum("ms_played"), F.lit(0)) / F.lit(MINUTE_MS)


MOST_CREDITS = 100
"""Artists that one play can count for; corrections split no credit into more."""


def by_artist(listening_with_features: DataFrame) -> DataFrame:
    """One row per play and artist that it counts for: its artist, and further ones where a correction splits the credit.

    play_number is that of the play times MOST_CREDITS, plus the place of the artist in the credit: it stays unique and in order.
    """
    keys = F.concat(F.array("artist_key"), "further_artist_keys")
    names = F.concat(F.array("artist_name"), "further_artists")
    kept = listening_with_features.withColumn("names", names).select("*", F.posexplode(keys).alias("place", "credited_key"))
    number = F.col("play_number") * F.lit(MOST_CREDITS) + F.col("place")
    named = {"artist_key": F.col("credited_key"), "artist_name": F.get("names", F.col("place")), "play_number": number}
    return kept.withColumns(named).drop("names", "place", "credited_key")
