"""Tracks with kept plays, under their shown names."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.names import artist_key, name_key, with_folded
from music.populations import is_synthetic_play
from silver.counted import counted


@table(
    "silver.heard_tracks",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id, or local: + hash of folded artist and title"),
        column("track_name", "string", "shown title, as in silver.recording_ids"),
        column("artist_name", "string", "shown artist"),
        column("album_name", "string", "album that most plays by real listeners name; ties go to the first alphabetically"),
        column(
            "further_artists", "array<string>", "artists after the first, where a correction splits the credit", nullable=False
        ),
        column("artist_key", "string", "hash of the folded artist name"),
        column("name_key", "string", "hash of folded artist and plain title; null if either is missing or a placeholder"),
        column("features_id", "string", "id whose features it has: its own, or the one played most of those corrected to it"),
        column("by_real", "boolean", "has a kept play by a real listener", nullable=False),
        column("by_synthetic", "boolean", "has a kept play by a synthetic listener", nullable=False),
    ],
)
def heard_tracks(plays: DataFrame, recording_ids: DataFrame, names: DataFrame) -> DataFrame:
    """One row per track id of the history, and per id that corrections make.

    Ids that only duplicates have are heard by nobody, but may represent a recording.
    """
    kept = counted(plays)
    albums = kept.groupBy("track_id", "album_name").agg(
        F.count_if(~is_synthetic_play()).alias("real"), F.count(F.lit(1)).alias("plays")
    )
    commonest = F.struct(-F.col("real"), -F.col("plays"), F.col("album_name"))
    is_told = F.col("album_name").isNotNull()
    of_real = F.min_by("album_name", F.when(is_told & (F.col("real") > 0), commonest))
    # What a real listener sees does not depend on synthetic ones, even where the real one's plays name no album.
    tracks = albums.groupBy("track_id").agg(
        of_real.alias("album_of_real"),
        F.min_by("album_name", F.when(is_told, commonest)).alias("album_of_all"),
        (F.sum("real") > 0).alias("by_real"),
        (F.sum("plays") > F.sum("real")).alias("by_synthetic"),
    )
    is_of_real = F.col("by_real").alias("is_of_real")
    listed = recording_ids.where("is_heard").select("track_id", "track_name", "artist_name", is_of_real)
    made = _made(kept).join(listed, on="track_id", how="left_anti")
    further = {"further_artists": F.array().cast("array<string>"), "features_id": F.col("track_id")}
    forms = {
        "track_name": {"title": "plain_title", "is_track_placeholder": "is_placeholder"},
        "artist_name": {"artist": "folded", "is_artist_placeholder": "is_placeholder"},
    }
    is_named = ~(F.col("is_track_placeholder") | F.col("is_artist_placeholder"))
    ids = listed.withColumns(further).unionByName(made.withColumn("is_of_real", F.lit(False)))
    # Of a real listener's rows that are all duplicates no album is known.
    is_real = F.col("is_of_real") | F.col("by_real")
    album = F.when(is_real, F.col("album_of_real")).otherwise(F.col("album_of_all"))
    named = ids.join(tracks, on="track_id", how="left").withColumn("album_name", album)
    return with_folded(named, names, forms).select(
        *["track_id", "track_name", "artist_name", "further_artists", "album_name"],
        artist_key(F.col("artist")).alias("artist_key"),
        F.when(is_named, name_key(F.col("artist"), F.col("title"))).alias("name_key"),
        "features_id",
        *[F.coalesce(name, F.lit(False)).alias(name) for name in ("by_real", "by_synthetic")],
    )


def _made(kept: DataFrame) -> DataFrame:
    """One row per id that corrections make: the commonest names, and the id that was played most."""
    corrected = kept.where(F.col("track_id") != F.col("played_track_id"))
    names = ["track_name", "artist_name", "further_artists"]
    counts = corrected.groupBy("track_id", "played_track_id", *names).agg(F.count(F.lit(1)).alias("plays"))
    commonest = F.struct("plays", "played_track_id", F.concat_ws(" ", "track_name", "artist_name", "further_artists"))
    of_id = [F.max_by(name, commonest).alias(name) for name in names]
    return counts.groupBy("track_id").agg(*of_id, F.max_by("played_track_id", commonest).alias("features_id"))
