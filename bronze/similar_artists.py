"""Which artists are similar to those that were heard, as Last.fm and ListenBrainz say?"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.newest_answers import artists_in_files, newest_of_artists
from lakehouse.declare import column, table
from music.metadata import SIMILAR_ARTISTS
from music.names import artist_key


@table(
    "bronze.similar_artists",
    key=["artist_key", "source", "similar_artist_key"],
    scope="entity",
    schema=[
        column("artist_key", "string", "hash of the folded artist name"),
        column("source", "string", "who says so: lastfm_api or listenbrainz_api"),
        column("similar_artist_key", "string", "hash of the folded name of the similar artist"),
        column("artist_name", "string", "artist that was asked for", nullable=False),
        column("similar_artist_name", "string", "name of the similar artist, as the source has it", nullable=False),
        column("similar_artist_mbid", "string", "MusicBrainz id of the similar artist, where the source states it"),
        column("score", "double", "as the source has it: match (0-1) of Last.fm, score (a count) of ListenBrainz"),
        column("scaled_score", "double", "score / the highest of the artist in this source, 0-1", between=(0, 1)),
        column("fetched_at", "timestamp", "the source's date, UTC", nullable=False),
    ],
    touches={"artist_answers": (artists_in_files, "artist_answers")},
)
def similar_artists(artist_answers: DataFrame) -> DataFrame:
    """One row per artist, source and similar artist, from the newest answer of the source."""
    told = newest_of_artists(artist_answers, SIMILAR_ARTISTS)
    similar = told.withColumn("similar_artist_key", artist_key(F.col("value_folded")))
    # Spellings of one artist are one row; nobody is similar to themselves.
    best = F.struct(F.coalesce("score", F.lit(0.0)), "value", F.coalesce("value_mbid", F.lit("")))
    grouped = similar.where("similar_artist_key <> artist_key").groupBy("artist_key", "source", "similar_artist_key")
    counted = grouped.agg(
        F.max("artist_name").alias("artist_name"),
        F.max_by("value", best).alias("similar_artist_name"),
        F.max("value_mbid").alias("similar_artist_mbid"),
        F.max("score").alias("score"),
        F.max("fetched_at").alias("fetched_at"),
    )
    highest = counted.groupBy("artist_key", "source").agg(F.max("score").alias("highest"))
    scaled = F.when(F.col("highest") > 0, F.greatest(F.col("score"), F.lit(0.0)) / F.col("highest"))
    return counted.join(highest, on=["artist_key", "source"], how="left").withColumn("scaled_score", scaled).drop("highest")
