"""How the rows of a catalogue become one row per track: the most popular row tells, and the genres are collected."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.audio_features import FEATURES
from music.catalogues import catalogue_number
from music.names import hashed
from silver.parsing import is_blank, parse_boolean, spotify_id


def with_ids(rows: DataFrame) -> DataFrame:
    """The rows that have a track id, which may be written as a URI or a link."""
    track_id = F.trim("track_id")
    # An id alone has no colon: most files are spared the pattern.
    of_uri = F.when(F.contains(track_id, F.lit(":")), spotify_id(track_id))
    return rows.where(~is_blank(F.col("track_id"))).withColumn("track_id", F.coalesce(of_uri, track_id))


def parsed() -> list[Column]:
    """What catalogues tell besides names and popularity, and `row_id`."""
    return [
        catalogue_number("duration_ms"),
        parse_boolean(F.col("explicit")).alias("explicit"),
        *[catalogue_number(name) for name in FEATURES],
        F.concat_ws(":", F.substring("file_hash", 1, 16), F.col("row_number").cast("string")).alias("row_id"),
    ]


def most_popular(rows: DataFrame, within: Sequence[str], told: Sequence[Column]) -> DataFrame:
    """One row per value of the columns `within`: the most popular; of several, what they tell decides, not where they stand."""
    # The least text wins, so it begins with the unpopularity; the row's place only decides between equal rows.
    unpopularity = F.lpad((100 - F.col("popularity")).cast("string"), 3, "0")
    placed = rows.withColumn("place", F.concat_ws(" ", unpopularity, hashed(*told), "row_id"))
    # No two rows have one place, so it says enough to join by. The narrow side comes first: an engine may hold it in memory.
    best = placed.groupBy(*within).agg(F.min("place").alias("place")).select("place")
    return best.join(placed, on="place", how="inner").drop("place", "row_id")


def with_genres(tracks: DataFrame, rows: DataFrame, within: Sequence[str]) -> DataFrame:
    """The tracks with `genres`, all of `genre` of their rows, sorted; null without any."""
    genres = rows.select(*within, "genre").where("genre IS NOT NULL").distinct()
    gathered = genres.groupBy(*within).agg(F.array_sort(F.collect_list("genre")).alias("genres"))
    return tracks.join(gathered, on=list(within), how="left")
