"""Of several answers about one thing, the newest value of each field: an answer may lack what an earlier one had."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def newest_fields(spotify_answers: DataFrame, kind: str, key: str, fields: Sequence[str], lists: Sequence[str]) -> DataFrame:
    """One row per id of the kind that Spotify knows: `key` is its name; of `lists`, an empty one says nothing."""
    known = spotify_answers.where((F.col("kind") == kind) & F.col("is_known"))
    told = {**{name: F.col(name).isNotNull() for name in fields}, **{name: F.size(name) > 0 for name in lists}}
    at = F.struct("fetched_at", "file_hash", "row_number")
    newest = [F.max_by(name, F.when(is_told, at)).alias(name) for name, is_told in told.items()]
    return known.groupBy(F.col("spotify_id").alias(key)).agg(*newest, F.max("fetched_at").alias("fetched_at"))
