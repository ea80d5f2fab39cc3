"""Which rows of silver.plays statistics count."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def counted(plays: DataFrame) -> DataFrame:
    """The kept rows that no correction leaves out."""
    return plays.where((F.col("disposition") == "kept") & ~F.col("is_excluded"))
