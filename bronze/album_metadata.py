"""What Spotify says of the albums of heard tracks: label, release date, genres."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.newest_fields import newest_fields
from lakehouse.declare import column, table
from music.metadata import ALBUM


def albums_in_answers(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The albums that answers in the changed files are about: one row (album_id) each."""
    in_files = rows.join(F.broadcast(changed), on="file_hash", how="left_semi").where(F.col("kind") == ALBUM)
    return in_files.select(F.col("spotify_id").alias("album_id")).distinct()


@table(
    "bronze.album_metadata",
    key=["album_id"],
    scope="entity",
    schema=[
        column("album_id", "string", "Spotify id"),
        column("album_name", "string", "title"),
        column("artist_ids", "array<string>", "Spotify ids of the artists, in order"),
        column("artist_names", "array<string>", "their names, in order"),
        column("release_date", "string", "YYYY, YYYY-MM or YYYY-MM-DD"),
        column("label", "string", "label"),
        column("genres", "array<string>", "genres, as Spotify has them"),
        column("popularity", "int", "popularity when it was last asked for", between=(0, 100)),
        column("fetched_at", "timestamp", "date of the newest answer, UTC", nullable=False),
    ],
    touches={"spotify_answers": (albums_in_answers, "spotify_answers")},
)
def album_metadata(spotify_answers: DataFrame) -> DataFrame:
    """One row per album that Spotify knows and that was asked for; null where no answer has a value."""
    fields, lists = ("name", "release_date", "label", "popularity"), ("artist_ids", "artist_names", "genres")
    return newest_fields(spotify_answers, ALBUM, "album_id", fields, lists).withColumnRenamed("name", "album_name")
