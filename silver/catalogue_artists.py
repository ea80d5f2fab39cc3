"""Artists credited in the catalogue, with the mean features of their tracks: the ladder's estimate for unknown tracks."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import CONTINUOUS, FEATURE_COLUMNS
from music.ranking import summed
from silver.credits import credited, spellings


@table(
    "silver.catalogue_artists",
    key=["artist_key"],
    scope="entity",
    schema=[
        column("artist_key", "string", "hash of the folded artist name"),
        column("artist_name", "string", "name, in one of its spellings", nullable=False),
        column("tracks", "bigint", "catalogue tracks that credit the artist", nullable=False, at_least=1),
        column("main_genre", "string", "most frequent genre of these tracks; ties go to the first alphabetically"),
        *[c for c in FEATURE_COLUMNS if c.name in CONTINUOUS],
    ],
)
def catalogue_artists(catalogue: DataFrame, names: DataFrame) -> DataFrame:
    """One row per artist credited in the catalogue; each track counts once.

    Means are rounded, because moods and playlists compare them with thresholds.
    """
    told = catalogue.select("track_id", "genres", *CONTINUOUS)
    credits = credited(catalogue, names).join(told, on="track_id", how="inner")
    means = credits.groupBy("artist_key").agg(
        F.count("*").alias("tracks"), *[summed(F.avg(name)).alias(name) for name in CONTINUOUS]
    )
    counted = credits.select("artist_key", F.explode("genres").alias("genre")).groupBy("artist_key", "genre").count()
    rank = F.struct((-F.col("count")).alias("fewer"), "genre")
    genres = counted.groupBy("artist_key").agg(F.min(rank)["genre"].alias("main_genre"))
    return means.join(spellings(catalogue, names), on="artist_key", how="inner").join(genres, on="artist_key", how="left")
