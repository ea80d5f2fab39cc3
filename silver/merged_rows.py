"""What the rows of one play say together, and which plays cannot have ended when their source says so."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.source_facts import SourceFacts
from silver.parsing import LISTEN_MS
from silver.source_columns import format_order, is_of_kind, richness

# Fields of typed_history that a kept row takes from the other rows of its play where it has none.
FILLED = (
    *(
        "spotify_id",
        "track_name",
        "artist_name",
        "artist_key",
        "album_name",
        "album_key",
        "ms_played",
        "platform",
        "conn_country",
    ),
    *("reason_start", "reason_end", "shuffle", "skipped", "offline", "incognito_mode"),
)


def merged(typed_history: DataFrame, repeats: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """One row (row_id, first_play_id, kinds, other_FIELD ...) per kept row that other rows repeat.

    `repeats` maps row_id to the kept row (`duplicate_of`). A field is that of the richest row that has it, of the one seen
    first among equally rich ones. `first_play_id` is the id of the row that was seen first; `kinds` are all kinds, sorted.
    """
    keepers = repeats.select(F.col("duplicate_of").alias("keeper")).distinct()
    groups = repeats.select("row_id", F.col("duplicate_of").alias("keeper")).unionByName(
        keepers.select(F.col("keeper").alias("row_id"), "keeper")
    )
    seen = F.concat_ws(" ", F.date_format("_ingested_at", "yyyyMMddHHmmss"), "row_id")
    rows = typed_history.select(
        *["row_id", "play_id", "source_kind", *FILLED],
        seen.alias("seen"),
        F.concat_ws(" ", F.lpad(richness(facts).cast("string"), 3, "0"), format_order(facts), seen).alias("rank"),
    )
    return (
        rows.join(groups, on="row_id", how="inner")
        .groupBy(F.col("keeper").alias("row_id"))
        .agg(
            F.min_by("play_id", "seen").alias("first_play_id"),
            F.array_sort(F.collect_set("source_kind")).alias("kinds"),
            *[_first_told(name).alias(f"other_{name}") for name in FILLED],
        )
    )


def _first_told(name: str) -> Column:
    return F.min_by(name, F.when(F.col(name).isNotNull(), F.col("rank")))


def with_late_reports(plays: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """The rows with `is_reported_late`: kept plays of 30 s or more that share their end second with another one.

    Nobody hears two tracks to one end; a client that was offline reports its plays when it is online again.
    """
    is_end = is_of_kind(facts, lambda kind: kind.ts == "end")
    is_listen = (F.col("disposition") == "kept") & is_end & ~F.col("is_to_minute") & (F.col("ms_played") >= LISTEN_MS)
    listens = plays.where(is_listen).groupBy("user_id", F.col("ended_at").alias("end")).agg(F.count(F.lit(1)).alias("listens"))
    shared = F.broadcast(
        listens.where("listens > 1").select("user_id", F.col("end").alias("ended_at"), F.lit(True).alias("shared"))
    )
    joined = plays.join(shared, on=["user_id", "ended_at"], how="left")
    return joined.withColumn("is_reported_late", F.coalesce(is_listen & F.col("shared"), F.lit(False)))
