"""With which tags do people describe the artists that were heard?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.newest_answers import artists_in_files, newest_of_artists
from lakehouse.declare import column, table
from music.metadata import ARTIST_TAGS


@table(
    "bronze.artist_tags",
    key=["artist_key", "source", "tag"],
    scope="entity",
    schema=[
        column("artist_key", "string", "hash of the folded artist name"),
        column("source", "string", "who says so: lastfm_api"),
        column("tag", "string", "folded tag"),
        column("artist_name", "string", "artist that was asked for", nullable=False),
        column("count", "double", "how common the tag is, as the source has it: 100 for the commonest of an artist"),
        column("fetched_at", "timestamp", "the source's date, UTC", nullable=False),
    ],
    touches={"artist_answers": (artists_in_files, "artist_answers")},
)
def artist_tags(artist_answers: DataFrame) -> DataFrame:
    """One row per artist, source and tag, from the newest answer of the source."""
    told = newest_of_artists(artist_answers, ARTIST_TAGS)
    return told.groupBy("artist_key", "source", F.col("value_folded").alias("tag")).agg(
        F.max("artist_name").alias("artist_name"),
        F.max("score").alias("count"),
        F.max("fetched_at").alias("fetched_at"),
    )
