"""The catalogue as recordings: which recording a track is, and which of its ids represents it."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.names import artist_key, with_folded
from silver.recording_ids import tracks_of_recordings


@table(
    "silver.catalogue_recordings",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id"),
        column("recording", "string", "recording_id of silver.recordings", nullable=False),
        column(
            "is_first",
            "boolean",
            "true for the id that represents the recording",
            nullable=False,
        ),
        column("track_name", "string", "title"),
        column("primary_artist", "string", "first credited artist"),
        column("artist_key", "string", "hash of the folded first artist"),
        column("album", "string", "folded album title; null without one"),
        column("track_genre", "string", "first of its genres"),
        column("genres", "array<string>", "all genres the track is listed under, sorted", nullable=False),
        column("popularity", "int", "popularity to compare tracks by, 0-100; 0 where unknown", nullable=False),
        column("explicit", "boolean", "explicit lyrics; false where unknown", nullable=False),
    ],
    touches={"recordings": (tracks_of_recordings, "recording_ids")},
)
def catalogue_recordings(catalogue: DataFrame, recording_ids: DataFrame, recordings: DataFrame, names: DataFrame) -> DataFrame:
    """One row per track id of the catalogue."""
    first = recordings.select("recording_id", F.col("track_id").alias("representative_id"))
    ids = recording_ids.select("track_id", "recording_id").join(first, on="recording_id", how="inner")
    listed = catalogue.withColumn("primary_artist", F.get("artists", F.lit(0))).join(ids, on="track_id", how="inner")
    return with_folded(listed, names, {"primary_artist": {"artist": "folded"}, "album_name": {"album": "folded"}}).select(
        "track_id",
        F.col("recording_id").alias("recording"),
        (F.col("track_id") == F.col("representative_id")).alias("is_first"),
        *["track_name", "primary_artist"],
        artist_key(F.col("artist")).alias("artist_key"),
        "album",
        F.get("genres", F.lit(0)).alias("track_genre"),
        "genres",
        F.col("comparable_popularity").alias("popularity"),
        F.coalesce("explicit", F.lit(False)).alias("explicit"),
    )
