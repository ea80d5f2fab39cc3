"""What Spotify says of the tracks that were heard: their ISRC, album and release date."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.newest_fields import newest_fields
from lakehouse.declare import column, table
from music.metadata import TRACK

FIELDS = ("name", "isrc", "album_id", "album_name", "release_date", "duration_ms", "explicit", "popularity")


def tracks_in_answers(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The tracks that answers in the changed files are about: one row (track_id) each."""
    in_files = rows.join(F.broadcast(changed), on="file_hash", how="left_semi").where(F.col("kind") == TRACK)
    return in_files.select(F.col("spotify_id").alias("track_id")).distinct()


@table(
    "bronze.track_metadata",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id"),
        column("track_name", "string", "title"),
        column("isrc", "string", "ISRC, 12 characters; null where Spotify does not state one"),
        column("artist_ids", "array<string>", "Spotify ids of the artists, in order"),
        column("artist_names", "array<string>", "their names, in order"),
        column("album_id", "string", "Spotify id of the album"),
        column("album_name", "string", "title of the album"),
        column("release_date", "string", "of the album: YYYY, YYYY-MM or YYYY-MM-DD"),
        column("release_year", "int", "its year"),
        column("duration_ms", "bigint", "length, ms"),
        column("explicit", "boolean", "explicit lyrics"),
        column("popularity", "int", "popularity when it was last asked for", between=(0, 100)),
        column("fetched_at", "timestamp", "date of the newest answer, UTC", nullable=False),
    ],
    touches={"spotify_answers": (tracks_in_answers, "spotify_answers")},
)
def track_metadata(spotify_answers: DataFrame) -> DataFrame:
    """One row per track that Spotify knows and that was asked for, or told by a poll; null where no answer has a value."""
    newest = newest_fields(spotify_answers, TRACK, "track_id", FIELDS, ("artist_ids", "artist_names"))
    year = F.substring("release_date", 1, 4).cast("int")
    return newest.withColumnRenamed("name", "track_name").withColumn("release_year", year)
