"""What each catalogue beside the usual one tells of a track."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import FEATURE_COLUMNS, FEATURES
from music.catalogues import CATALOGUES, catalogue_number
from silver.catalogue_rows import most_popular, parsed, with_genres, with_ids

KEY = ("track_id", "catalogue_source")
TOLD = ("track_name", "artists", "album_name", "stated_popularity", "duration_ms", "explicit", *FEATURES)


@table(
    "silver.other_catalogues",
    key=KEY,
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id"),
        column("catalogue_source", "string", "catalogue", one_of=CATALOGUES[1:]),
        column("track_name", "string", "title"),
        column("artists", "array<string>", "credited artists, in order; null where unknown"),
        column("album_name", "string", "album"),
        column("genres", "array<string>", "all genres that this catalogue lists the track under, sorted; null without any"),
        column("popularity", "int", "popularity when this catalogue was made, 0-100", between=(0, 100)),
        column("duration_ms", "bigint", "length, ms"),
        column("explicit", "boolean", "explicit lyrics"),
        *FEATURE_COLUMNS,
    ],
)
def other_catalogues(catalogue_tracks: DataFrame) -> DataFrame:
    """One row per track and catalogue that has it; the usual catalogue is not among them.

    Some files list a track once per genre or playlist; names and numbers are taken from the most popular of its rows.
    """
    rows = with_ids(catalogue_tracks).select(
        "track_id",
        F.col("source").alias("catalogue_source"),
        *["track_name", "artists", "album_name"],
        catalogue_number("popularity").alias("stated_popularity"),
        F.coalesce(catalogue_number("popularity"), F.lit(0)).alias("popularity"),
        *parsed(),
        F.array("track_genre", "track_subgenre").alias("genre"),
    )
    told = [F.concat_ws(";", name) if name == "artists" else F.col(name) for name in TOLD]
    genres = rows.select(*KEY, F.explode("genre").alias("genre")).withColumn(
        "genre", F.nullif(F.lower(F.trim("genre")), F.lit(""))
    )
    tracks = with_genres(most_popular(rows, KEY, told).drop("genre"), genres, KEY)
    return tracks.drop("popularity").withColumnRenamed("stated_popularity", "popularity")
