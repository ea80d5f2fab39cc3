"""Which rows of one source are the same play: overlapping exports, an export in two formats, a listen that was sent twice."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.source_facts import SourceFacts
from silver.duplicates import resolved
from silver.source_columns import by_kind, format_order, is_of_kind

IDENTICAL, SAME_SECOND, OVERLAP, AGAIN = "identical_row", "same_second", "overlapping_play", "sent_again"
REASONS = (IDENTICAL, SAME_SECOND, OVERLAP, AGAIN)
FIELDS = {
    **dict.fromkeys(("format",), "string"),
    "second": "bigint",
    **dict.fromkeys(("preferred", "row_id"), "string"),
    **dict.fromkeys(("start_s", "end_s"), "double"),
    "has_length": "boolean",
    "repeat_s": "int",
    **dict.fromkeys(("keeper", "reason"), "string"),
}
ROW = f"struct<{', '.join(f'{name}: {kind}' for name, kind in FIELDS.items())}>"
COLUMNS = ("user_id", "row_id", "keeper", "reason")


def within_sources(rows: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """One row (user_id, row_id, keeper, reason) per row that repeats the play of another row of its source.

    `rows` are valid rows of silver.typed_history with their recording. Another value in any other field makes no second play.
    The first row is kept: of the richest format, then the earliest, then the one seen first.
    """
    services = rows.select(
        *["user_id", "row_id", "source_kind", "recording_id", "title_key", "is_to_minute", "content", "played_at", "ended_at"],
        F.when(is_of_kind(facts, lambda kind: kind.sources_overlap), F.col("source"))
        .otherwise(F.col("source_kind"))
        .alias("service"),
        F.concat_ws(" ", format_order(facts), F.date_format("_ingested_at", "yyyyMMddHHmmss"), "row_id").alias("preferred"),
        F.coalesce(F.col("ms_played") > 0, F.lit(False)).alias("has_length"),
    )
    same_times = _of_same_times(services)
    left = services.join(same_times.select("row_id"), on="row_id", how="left_anti")
    return resolved(same_times, _of_same_recording(left, facts)).select(*COLUMNS)


def _of_same_times(rows: DataFrame) -> DataFrame:
    """Rows of one title, start second and end second; of one recording, where times are to the minute."""
    title = F.when(~F.col("is_to_minute"), F.col("title_key"))
    same = {"title": F.coalesce(title, "recording_id"), "start_s": _second("played_at"), "end_s": _second("ended_at")}
    placed = rows.withColumns({**same, "length": F.unix_micros("ended_at") - F.unix_micros("played_at")})
    exact = F.when(F.col("is_to_minute"), F.col("length")).otherwise(F.lit(0))
    group = ["user_id", "service", "is_to_minute", "title", "start_s", "end_s", "exact"]
    placed = placed.withColumn("exact", exact)
    # Counted first, because nearly all rows are alone and the least struct of a group is slow to find.
    copies = placed.groupBy(*group).agg(F.count(F.lit(1)).alias("copies")).where("copies > 1")
    several = placed.join(F.broadcast(copies.drop("copies")), on=group, how="inner")
    firsts = several.groupBy(*group).agg(F.min(F.struct("preferred", "row_id", "content")).alias("first"))
    repeated = several.join(firsts, on=group, how="inner").where(F.col("row_id") != F.col("first")["row_id"])
    reason = F.when(F.col("content") == F.col("first")["content"], IDENTICAL).otherwise(SAME_SECOND)
    return repeated.select("user_id", "row_id", F.col("first")["row_id"].alias("keeper"), reason.alias("reason"))


def _of_same_recording(rows: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """Rows of one recording that end in one second, overlap by more than half of the shorter, or start too soon after another.

    A row is compared with the rows kept before it, so that a long run of near repeats does not become one play.
    """
    events = rows.where(~F.col("is_to_minute") & is_of_kind(facts, lambda kind: kind.window_seconds > 0)).select(
        *["user_id", "service", "recording_id", "row_id", "preferred", "has_length"],
        (F.unix_micros("played_at") / 1e6).alias("start_s"),
        (F.unix_micros("ended_at") / 1e6).alias("end_s"),
        by_kind(facts, lambda kind: kind.repeat_seconds).alias("repeat_s"),
    )
    of_recording = Window.partitionBy("user_id", "service", "recording_id").orderBy("start_s", "preferred")
    before = of_recording.rowsBetween(Window.unboundedPreceding, -1)
    last_end = F.max("end_s").over(before)
    is_near = (
        (F.col("start_s") < last_end)
        | (F.floor("end_s") == F.floor(last_end))
        | (F.col("start_s") - F.lag("start_s").over(of_recording) < F.col("repeat_s"))
    )
    marked = events.withColumn("is_apart", F.when(F.coalesce(is_near, F.lit(False)), 0).otherwise(1))
    # Nearly all rows are alone, and are not worth a list.
    numbered = marked.withColumns(
        {
            "run": F.sum("is_apart").over(of_recording.rowsBetween(Window.unboundedPreceding, 0)),
            "is_followed": F.coalesce(F.lead("is_apart").over(of_recording) == 0, F.lit(False)),
        }
    ).where("is_apart = 0 OR is_followed")
    # The order decides what is kept: the richest format, then the earliest.
    row = F.struct(
        F.substring("preferred", 1, 4).alias("format"),
        F.floor("start_s").alias("second"),
        *["preferred", "row_id", "start_s", "end_s", "has_length", "repeat_s"],
        F.lit(None).cast("string").alias("keeper"),
        F.lit(None).cast("string").alias("reason"),
    ).cast(ROW)
    runs = numbered.groupBy("user_id", "service", "recording_id", "run").agg(F.array_sort(F.collect_list(row)).alias("rows"))
    judged = runs.select("user_id", F.explode(_judged("rows")).alias("row"))
    return judged.where(F.col("row")["keeper"].isNotNull()).select("user_id", "row.row_id", "row.keeper", "row.reason")


def _judged(rows: str) -> Column:
    """The rows of an array, in order, each with the kept row before it whose play it repeats (`keeper`), or null."""

    def judge(taken: Column, row: Column) -> Column:
        kept = F.filter(taken, lambda other: other["keeper"].isNull() & _reason(other, row).isNotNull())
        first = F.get(kept, F.lit(0))
        told = {name: row[name] for name in FIELDS} | {"keeper": first["row_id"], "reason": _reason(first, row)}
        return F.concat(taken, F.array(F.struct(*[value.alias(name) for name, value in told.items()]).cast(ROW)))

    return F.aggregate(rows, F.array().cast(f"array<{ROW}>"), judge)


def _reason(kept: Column, row: Column) -> Column:
    """Why a row is the play of a kept one; null where it is a play of its own."""
    overlap = F.least(kept["end_s"], row["end_s"]) - F.greatest(kept["start_s"], row["start_s"])
    shorter = F.least(kept["end_s"] - kept["start_s"], row["end_s"] - row["start_s"])
    return (
        F.when(F.floor(kept["end_s"]) == F.floor(row["end_s"]), SAME_SECOND)
        .when(kept["has_length"] & row["has_length"] & (overlap * 2 > shorter), OVERLAP)
        .when(F.abs(kept["start_s"] - row["start_s"]) < row["repeat_s"], AGAIN)
    )


def _second(name: str) -> Column:
    return F.floor(F.unix_micros(name) / F.lit(1_000_000))
