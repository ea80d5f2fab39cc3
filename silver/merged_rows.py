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


def merged(rows: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """The rows, those that others repeat with what these say, and with `first_play_id` and `kinds`.

    `rows` are those of silver.typed_history with the kept row that they repeat (`duplicate_of`), null where they repeat none. An
    empty field is that of the richest other row that has it, of the one seen first among equally rich ones. `first_play_id` is
    the id of the row that was seen first, of the richest of several that one run brought. `kinds` are those of all rows, sorted.
    """
    rank = F.concat_ws(" ", F.lpad(richness(facts).cast("string"), 3, "0"), format_order(facts))
    seen = F.date_format("_ingested_at", "yyyyMMddHHmmss")
    ranked = rows.withColumns({"seen": F.concat_ws(" ", seen, rank, "row_id"), "rank": F.concat_ws(" ", rank, seen, "row_id")})
    joined = ranked.join(_others(ranked.where("duplicate_of IS NOT NULL")), on="row_id", how="left")
    kinds = F.array_sort(F.array_distinct(F.concat(F.array("source_kind"), F.col("other_kinds"))))
    return joined.withColumns(
        {
            "first_play_id": F.when(F.col("other_seen") < F.col("seen"), F.col("other_play_id")).otherwise(F.col("play_id")),
            "kinds": F.when(F.col("other_kinds").isNull(), F.array("source_kind")).otherwise(kinds),
            **{name: F.coalesce(name, f"other_{name}") for name in FILLED},
        }
    )


def _others(duplicates: DataFrame) -> DataFrame:
    """One row (row_id, other_seen, other_play_id, other_kinds, other_FIELD ...) per kept row that `duplicates` repeat."""
    counted = duplicates.groupBy("duplicate_of").agg(F.count(F.lit(1)).alias("n"))
    told = duplicates.select("duplicate_of", "seen", "play_id", "rank", "source_kind", *FILLED)
    # Nearly all plays have one other row at most, which needs no choice for each of its fields.
    alone = told.join(counted.where("n = 1"), on="duplicate_of", how="left_semi").select(
        F.col("duplicate_of").alias("row_id"),
        *[F.col(name).alias(f"other_{name}") for name in ("seen", "play_id")],
        F.array("source_kind").alias("other_kinds"),
        *[F.col(name).alias(f"other_{name}") for name in FILLED],
    )
    several = told.join(counted.where("n > 1"), on="duplicate_of", how="left_semi").groupBy("duplicate_of")
    chosen = several.agg(
        F.min("seen").alias("other_seen"),
        F.min_by("play_id", "seen").alias("other_play_id"),
        F.collect_set("source_kind").alias("other_kinds"),
        *[_first_told(name).alias(f"other_{name}") for name in FILLED],
    )
    return alone.unionByName(chosen.withColumnRenamed("duplicate_of", "row_id"))


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
