"""The catalogue by name: which catalogue track represents an artist and title that appear under another id."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.audio_features import FEATURE_COLUMNS, FEATURES
from music.catalogues import preference
from music.names import name_key, with_folded


@table(
    "silver.catalogue_names",
    key=["name_key"],
    scope="entity",
    schema=[
        column("name_key", "string", "hash of folded plain title and one of the credited artists"),
        column(
            "track_id",
            "string",
            "most popular track with that name of the first catalogue that has one; ties go to the lowest id",
            nullable=False,
        ),
        column("genres", "array<string>", "its genres, sorted", nullable=False),
        column("duration_ms", "bigint", "its length, ms"),
        *[c.unchecked() for c in FEATURE_COLUMNS],
        column("catalogue_source", "string", "first catalogue that has the track", nullable=False),
    ],
)
def catalogue_names(catalogue: DataFrame, names: DataFrame) -> DataFrame:
    """One row per title and credited artist of the catalogue."""
    # The least text wins: the preferred catalogue first, then unpopularity, then the id.
    place, unpopularity = preference()
    place = F.concat_ws(" ", place.cast("string"), F.lpad(unpopularity.cast("string"), 3, "0"), "track_id")
    credits = catalogue.select("track_id", place.alias("place"), "track_name", F.explode("artists").alias("artist"))
    folded = with_folded(credits, names, {"artist": {"folded": "folded"}, "track_name": {"title": "plain_title"}})
    named = folded.withColumn("name_key", name_key(F.col("folded"), F.col("title"))).where("name_key IS NOT NULL")
    best = named.groupBy("name_key").agg(F.min("place").alias("place"))
    chosen = best.select("name_key", F.split("place", " ")[2].alias("track_id"))
    told = ("genres", "duration_ms", *FEATURES, "catalogue_source")
    return chosen.join(catalogue.select("track_id", *told), on="track_id", how="inner").select("name_key", "track_id", *told)
