"""All artists of tracks, with the mean features of their measured tracks."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import CONTINUOUS
from silver.credits import spellings
from silver.entity_means import HEARD_COLUMNS, MEAN_COLUMNS, NOT_EMPTY, heard_counts, measured_means, preferred
from silver.hearers import with_hearers


@table(
    "silver.artists",
    key=["artist_key"],
    scope="entity",
    schema=[
        column("artist_key", "string", "hash of the folded artist name"),
        column("artist_name", "string", "name, in one of its spellings", nullable=False),
        column("genres", "array<string>", "genres of the artist's tracks, sorted", nullable=False),
        *HEARD_COLUMNS,
        *MEAN_COLUMNS,
    ],
    rules=[NOT_EMPTY],
)
def artists(tracks: DataFrame, heard_tracks: DataFrame, names: DataFrame) -> DataFrame:
    """One row per artist credited on any track; a track counts for each of its artists."""
    heard = with_hearers(tracks, heard_tracks)
    told = ["genres", "is_known", "by_real", "by_synthetic", "feature_source", *CONTINUOUS]
    credits = heard.select(*told, F.explode("artist_keys").alias("artist_key"))
    genres = credits.where("is_known").select("artist_key", F.explode("genres").alias("genre")).distinct()
    gathered = genres.groupBy("artist_key").agg(F.array_sort(F.collect_list("genre")).alias("genres"))
    counted = credits.groupBy("artist_key").agg(*heard_counts(), *measured_means())
    shown = spellings(heard, names, preferred("artist"), "is_known")
    named = counted.join(shown, on="artist_key", how="inner").join(gathered, on="artist_key", how="left")
    return named.withColumn("genres", F.coalesce("genres", F.array().cast("array<string>")))
