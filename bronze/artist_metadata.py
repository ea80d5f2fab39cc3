"""What Spotify says of the artists of heard tracks: genres, popularity."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.newest_fields import newest_fields
from lakehouse.declare import column, table
from music.metadata import ARTIST


def artists_in_answers(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The artists that answers in the changed files are about: one row (artist_id) each."""
    in_files = rows.join(F.broadcast(changed), on="file_hash", how="left_semi").where(F.col("kind") == ARTIST)
    return in_files.select(F.col("spotify_id").alias("artist_id")).distinct()


@table(
    "bronze.artist_metadata",
    key=["artist_id"],
    scope="entity",
    schema=[
        column("artist_id", "string", "Spotify id"),
        column("artist_name", "string", "name"),
        column("genres", "array<string>", "genres, as Spotify has them"),
        column("popularity", "int", "popularity when it was last asked for", between=(0, 100)),
        column("fetched_at", "timestamp", "date of the newest answer, UTC", nullable=False),
    ],
    touches={"spotify_answers": (artists_in_answers, "spotify_answers")},
)
def artist_metadata(spotify_answers: DataFrame) -> DataFrame:
    """One row per artist that Spotify knows and that was asked for; null where no answer has a value."""
    newest = newest_fields(spotify_answers, ARTIST, "artist_id", ("name", "popularity"), ("genres",))
    return newest.withColumnRenamed("name", "artist_name")
