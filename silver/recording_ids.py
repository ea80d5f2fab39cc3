"""Which recording each track id is: ids are one recording if their names agree, or an ISRC says that their names are one."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table


def tracks_of_recordings(changed: DataFrame, recording_ids: DataFrame) -> DataFrame:
    """The track ids of the changed recordings: one row (track_id) each."""
    return recording_ids.join(F.broadcast(changed), on="recording_id", how="left_semi").select("track_id").distinct()


def tracks_of_names(changed: DataFrame, named_ids: DataFrame) -> DataFrame:
    """The track ids of the changed names: one row (track_id) each."""
    return named_ids.join(F.broadcast(changed), on="name_id", how="left_semi").select("track_id")


@table(
    "silver.recording_ids",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id, or local: + hash of folded artist and title"),
        column(
            "recording_id",
            "string",
            "hash of folded artist and plain title; of the id where these are unknown; of one name of several with one ISRC",
            nullable=False,
        ),
        column(
            "track_name", "string", "shown title: the catalogue's, else the commonest in plays of real listeners, else of others"
        ),
        column("artist_name", "string", "shown artist, chosen with the title"),
        column("in_catalogue", "boolean", "the catalogue has this id", nullable=False),
        column("preference", "string", "order of the tracks of one name in the catalogues, least first; null for other tracks"),
        column("by_real", "boolean", "a real listener has valid rows with this id", nullable=False),
        column("is_heard", "boolean", "the history has valid rows with this id", nullable=False),
    ],
    touches={"merged_names": (tracks_of_names, "named_ids")},
)
def recording_ids(named_ids: DataFrame, merged_names: DataFrame) -> DataFrame:
    """One row per track id of the history or the catalogue."""
    joined = named_ids.join(merged_names, on="name_id", how="left")
    told = ("track_name", "artist_name", "in_catalogue", "preference", "by_real", "is_heard")
    return joined.select("track_id", F.coalesce("recording_id", "name_id").alias("recording_id"), *told)
