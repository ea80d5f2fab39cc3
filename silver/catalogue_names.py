"""The catalogue by name: which catalogue track represents an artist and title that appear under another id."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import FEATURE_COLUMNS, FEATURES
from music.names import name_key, with_folded


@table(
    "silver.catalogue_names",
    key=["name_key"],
    scope="entity",
    schema=[
        column("name_key", "string", "hash of folded plain title and one of the credited artists"),
        column("track_id", "string", "most popular catalogue track with that name; ties go to the lowest id", nullable=False),
        column("genres", "array<string>", "its genres, sorted", nullable=False),
        column("duration_ms", "bigint", "its length, ms"),
        *[c.unchecked() for c in FEATURE_COLUMNS],
    ],
)
def catalogue_names(catalogue: DataFrame, names: DataFrame) -> DataFrame:
    """One row per title and credited artist of the catalogue."""
    credits = catalogue.select("track_id", "popularity", "track_name", F.explode("artists").alias("artist"))
    folded = with_folded(credits, names, {"artist": {"folded": "folded"}, "track_name": {"title": "plain_title"}})
    named = folded.withColumn("name_key", name_key(F.col("folded"), F.col("title"))).where("name_key IS NOT NULL")
    # The least text wins: unpopularity first, then the id.
    place = F.concat_ws(" ", F.lpad((100 - F.col("popularity")).cast("string"), 3, "0"), "track_id")
    best = named.groupBy("name_key").agg(F.min(place).alias("place"))
    chosen = best.select("name_key", F.split("place", " ")[1].alias("track_id"))
    told = catalogue.select("track_id", "genres", "duration_ms", *FEATURES)
    return chosen.join(told, on="track_id", how="inner").select("name_key", "track_id", "genres", "duration_ms", *FEATURES)
