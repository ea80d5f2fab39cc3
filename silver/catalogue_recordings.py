"""The catalogue as recordings: which recording a track is, and which of its ids represents it."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.catalogues import preference
from music.names import artist_key, with_folded
from music.small_groups import in_small_groups


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
            "true for the id that represents the recording: the most popular of the first catalogue; ties go to the lowest",
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
)
def catalogue_recordings(catalogue: DataFrame, recording_ids: DataFrame, names: DataFrame) -> DataFrame:
    """One row per track id of the catalogue."""
    ids = recording_ids.select("track_id", F.col("recording_id").alias("recording"))
    listed = catalogue.withColumn("primary_artist", F.get("artists", F.lit(0))).join(ids, on="track_id", how="inner")
    told = with_folded(listed, names, {"primary_artist": {"artist": "folded"}, "album_name": {"album": "folded"}}).select(
        *["track_id", "recording", "track_name", "primary_artist"],
        artist_key(F.col("artist")).alias("artist_key"),
        "album",
        F.get("genres", F.lit(0)).alias("track_genre"),
        "genres",
        F.col("comparable_popularity").alias("popularity"),
        *[column.alias(name) for name, column in zip(("_catalogue", "_unpopularity"), preference(), strict=True)],
        F.coalesce("explicit", F.lit(False)).alias("explicit"),
    )
    kept = ("track_id", "track_name", "primary_artist", "artist_key", "album", "track_genre", "genres", "popularity", "explicit")
    order = [F.col("_catalogue"), F.col("_unpopularity"), F.col("track_id")]
    placed = in_small_groups(told, ["recording"], order, (*kept, "_catalogue", "_unpopularity"))
    return placed.drop("_catalogue", "_unpopularity").withColumn("is_first", F.col("place") == 1).drop("place")
