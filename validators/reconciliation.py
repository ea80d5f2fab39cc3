"""Every play accounted for, per file: a row is in bronze or of a listener who is forgotten; what is in bronze is kept, duplicate,
quarantined, set aside, or of a listener held back.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table

COUNTS = ("kept", "duplicate", "quarantined", "set_aside")


@table(
    "ops.reconciliation",
    key=["file_hash"],
    scope="whole",
    schema=[
        column("file_hash", "string", "SHA-256 of the file's content"),
        column("file_name", "string", "where the file was found in the landing folder"),
        column("source", "string", "format of the file"),
        column("rows_read", "bigint", "rows counted by the parser"),
        column("bronze", "bigint", "rows in bronze.listening_history", nullable=False),
        *[column(name, "bigint", f"rows with that disposition in silver.plays: {name}", nullable=False) for name in COUNTS],
        column(
            "held_back",
            "bigint",
            "rows of listeners held back in silver (ops.held_keys): those that only bronze has, less those that only silver.plays"
            " has",
            nullable=False,
        ),
        column("forgotten", "bigint", "rows left out of bronze, as their listeners are forgotten", nullable=False),
        column(
            "is_balanced",
            "boolean",
            "rows_read = bronze + forgotten, and bronze = kept + duplicate + quarantined + set_aside + held_back",
            nullable=False,
        ),
    ],
    rules=[satisfies("the rows add up", ["is_balanced"], lambda: F.col("is_balanced"))],
)
def reconciliation(listening_history: DataFrame, plays: DataFrame, ingestion_state: DataFrame, held_keys: DataFrame) -> DataFrame:
    """One row per file of listening history that was read."""
    # A listener who is held back in silver keeps earlier plays, so what is newer waits in bronze.
    held = held_keys.where(F.col("table_name").startswith("silver.")).select("user_id").distinct()
    read = ingestion_state.where((F.col("status") == "ingested") & (F.col("target") == "listening_history"))
    read = read.groupBy("file_hash").agg(F.max("rows").alias("rows_read"), F.max("forgotten").alias("forgotten"))
    bronze = listening_history.groupBy("file_hash").agg(
        F.min("file_name").alias("file_name"), F.min("source").alias("source"), F.count("*").alias("bronze")
    )
    disposed = plays.groupBy("file_hash").agg(*[F.count_if(F.col("disposition") == name).alias(name) for name in COUNTS])
    sides = [
        rows.join(held, on="user_id", how="left_semi").groupBy("file_hash").agg((F.count("*") * sign).alias("difference"))
        for rows, sign in ((listening_history, 1), (plays, -1))
    ]
    waiting = sides[0].unionAll(sides[1]).groupBy("file_hash").agg(F.sum("difference").alias("held_back"))
    joined = bronze.join(disposed, on="file_hash", how="full").join(read.where("rows_read > 0"), on="file_hash", how="full")
    joined = joined.join(waiting, on="file_hash", how="left")
    counts = {name: F.coalesce(name, F.lit(0)) for name in ("bronze", *COUNTS, "held_back", "forgotten")}
    total = counts["kept"] + counts["duplicate"] + counts["quarantined"] + counts["set_aside"] + counts["held_back"]
    is_all_read = F.coalesce(F.col("rows_read") == counts["bronze"] + counts["forgotten"], F.lit(False))
    is_balanced = (counts["bronze"] == total) & is_all_read
    return joined.select(
        *["file_hash", "file_name", "source", "rows_read"],
        *[value.alias(name) for name, value in counts.items()],
        is_balanced.alias("is_balanced"),
    )
