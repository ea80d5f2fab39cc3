"""Of several answers to one question, the newest."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def artists_in_files(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The artists that answers in the changed files are about: one row (artist_key) each."""
    in_files = rows.join(F.broadcast(changed), on="file_hash", how="left_semi")
    return in_files.select("artist_key").distinct()


def newest_of_artists(artist_answers: DataFrame, kind: str) -> DataFrame:
    """The rows of the newest answer of each source on each artist, with artist_key and the source in `source`."""
    told = artist_answers.where(F.col("kind") == kind).select(
        "artist_key",
        F.col("service").alias("source"),
        *["artist_name", "value", "value_folded", "value_mbid", "score", "fetched_at"],
    )
    newest = told.groupBy("artist_key", "source").agg(F.max("fetched_at").alias("fetched_at"))
    return told.join(newest, on=["artist_key", "source", "fetched_at"], how="inner").where("value_folded IS NOT NULL")
