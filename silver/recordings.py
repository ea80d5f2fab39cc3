"""The recordings: songs in the sense of listeners, each under one name and one of its track ids."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.names import artist_key, with_folded
from silver.parsing import LOCAL_PREFIX

# More rows than a track can have: the most played one sorts first.
MOST_ROWS = 10**12 - 1


def recordings_of(changed: DataFrame, recording_ids: DataFrame) -> DataFrame:
    """The recordings of the changed track ids: one row (recording_id) each."""
    return recording_ids.join(F.broadcast(changed), on="track_id", how="left_semi").select("recording_id").distinct()


@table(
    "silver.recordings",
    key=["recording_id"],
    scope="entity",
    schema=[
        column("recording_id", "string", "hash of folded artist and plain title; of the id where these are unknown"),
        column(
            "track_id",
            "string",
            "id that represents it: the catalogue's preferred one, else the Spotify id with most rows, else a local one",
            nullable=False,
        ),
        column("track_name", "string", "shown title of that id"),
        column("artist_name", "string", "shown artist of that id"),
        column("artist_key", "string", "hash of the folded artist; null without a name"),
        column("ids", "bigint", "number of its track ids", nullable=False, at_least=1),
    ],
    touches=dict.fromkeys(("recording_ids", "track_rows"), (recordings_of, "recording_ids")),
)
def recordings(recording_ids: DataFrame, track_rows: DataFrame, names: DataFrame) -> DataFrame:
    """One row per recording of the history or the catalogue. Those that corrections alone make are in silver.tracks."""
    # The least text wins: what stands first decides. Of ids in the catalogue nobody's plays do.
    of_plays = [
        # What synthetic listeners hear does not decide what a real one sees.
        F.when(F.col("by_real"), "0").otherwise("1"),
        F.when(F.col("track_id").startswith(LOCAL_PREFIX), "1").otherwise("0"),
        F.lpad((F.lit(MOST_ROWS) - F.coalesce("rows", F.lit(0))).cast("string"), 12, "0"),
    ]
    unlisted = F.concat_ws(" ", F.lit("unlisted"), *of_plays)
    counted = recording_ids.join(track_rows, on="track_id", how="left")
    place = F.concat_ws(" ", F.coalesce("preference", unlisted), "track_id")
    placed = counted.select("recording_id", "track_id", "track_name", "artist_name", place.alias("place"))
    best = placed.groupBy("recording_id").agg(F.min("place").alias("place"), F.count(F.lit(1)).alias("ids"))
    named = with_folded(
        best.join(placed, on=["recording_id", "place"], how="inner"), names, {"artist_name": {"artist": "folded"}}
    )
    return named.select(
        *["recording_id", "track_id", "track_name", "artist_name"], artist_key(F.col("artist")).alias("artist_key"), "ids"
    )
