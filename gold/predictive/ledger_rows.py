"""Rows that training stored as JSON in the ledger of models."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def exploded(models: DataFrame, name: str, fields: str) -> DataFrame:
    """One row per model and object of its JSON array `name`, whose `fields` (SQL types) become columns."""
    return models.select(
        "model_id",
        F.col("model").alias("model_name"),
        F.col("kind").alias("model_type"),
        "is_current",
        F.col("created_at").alias("trained_at"),
        F.explode(F.from_json(name, f"array<struct<{fields}>>")).alias("entry"),
    ).select("model_id", "model_name", "model_type", "is_current", "trained_at", "entry.*")
