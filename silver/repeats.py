"""Which rows of one source are the same play: overlapping exports, an export in two formats, a listen that was sent twice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.source_facts import SourceFacts
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
    "first": "string",
    **dict.fromkeys(("is_copy", "is_identical"), "boolean"),
    **dict.fromkeys(("keeper", "reason"), "string"),
}
ROW = f"struct<{', '.join(f'{name}: {kind}' for name, kind in FIELDS.items())}>"
PREFERENCE = ("format", "_ingested_at", "row_id")
TIMES = ("title", "start_second", "end_second", "exact", "is_to_minute")


def within_sources(rows: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """One row (user_id, row_id, keeper, reason) per row that repeats the play of another row of its source.

    `rows` are valid rows of silver.typed_history with their recording. Another value in any other field makes no second play.
    The first row is kept: of the richest format, then the earliest, then the one seen first.
    """
    # One chain of steps: an engine computes again what two branches share.
    judged = _of_same_recording(_with_copies(_placed(rows, facts)))
    of_first = F.max("keeper").over(Window.partitionBy("user_id", "first"))
    reason = F.when(F.col("is_identical"), IDENTICAL).otherwise(SAME_SECOND)
    return (
        # The row that a copy repeats may itself repeat another.
        judged.withColumn("kept", of_first)
        .where("is_copy OR keeper IS NOT NULL")
        .select(
            *["user_id", "row_id"],
            F.coalesce("kept", "first").alias("keeper"),
            F.when(F.col("is_copy"), reason).otherwise(F.col("reason")).alias("reason"),
        )
    )


def _placed(rows: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """The rows with what is compared: service, recording, title and times, and the order in which rows are kept."""
    start, end = F.unix_micros("played_at"), F.unix_micros("ended_at")
    by_overlap = is_of_kind(facts, lambda kind: kind.sources_overlap)
    return rows.select(
        *["user_id", "row_id", "recording_id", "is_to_minute", "content", "_ingested_at"],
        F.when(by_overlap, F.col("source")).otherwise(F.col("source_kind")).alias("service"),
        # Of one title, start second and end second; of one recording, where times are to the minute.
        F.coalesce(F.when(~F.col("is_to_minute"), F.col("title_key")), "recording_id").alias("title"),
        F.floor(start / F.lit(1_000_000)).alias("start_second"),
        F.floor(end / F.lit(1_000_000)).alias("end_second"),
        F.when(F.col("is_to_minute"), end - start).otherwise(F.lit(0)).alias("exact"),
        (start / 1e6).alias("start_s"),
        (end / 1e6).alias("end_s"),
        F.coalesce(F.col("ms_played") > 0, F.lit(False)).alias("has_length"),
        (~F.col("is_to_minute") & is_of_kind(facts, lambda kind: kind.window_seconds > 0)).alias("is_compared"),
        by_kind(facts, lambda kind: kind.repeat_seconds).alias("repeat_s"),
        format_order(facts).alias("format"),
    )


def _with_copies(rows: DataFrame) -> DataFrame:
    """The rows with `is_copy`, whether they have the title and times of a row before them, and `is_copied`."""
    # One window for each listener: nearly all rows are alone, and as many small windows are slow.
    in_order = Window.partitionBy("user_id", "service").orderBy(*TIMES, *PREFERENCE)
    is_same = reduce(and_, [F.col(name).eqNullSafe(F.lag(name).over(in_order)) for name in TIMES])
    marked = rows.withColumn("is_copy", is_same)
    return marked.withColumn("is_copied", F.coalesce(F.lead("is_copy").over(in_order), F.lit(False)))


def _of_same_recording(rows: DataFrame) -> DataFrame:
    """The rows that may be repeats or be repeated, with `keeper` and `reason`, null for plays of their own and for copies.

    Rows of one recording are one play if they end in one second, overlap by more than half of the shorter, or start too soon
    after another. A row is compared with the rows kept before it, so that a long run of near repeats does not become one play.
    """
    is_compared = F.col("is_compared") & ~F.col("is_copy")
    of_recording = Window.partitionBy("user_id", "service", "recording", "is_compared").orderBy("start_s", *PREFERENCE)
    before = of_recording.rowsBetween(Window.unboundedPreceding, -1)
    last_end = F.max("end_s").over(before)
    is_near = (
        (F.col("start_s") < last_end)
        | (F.floor("end_s") == F.floor(last_end))
        | (F.col("start_s") - F.lag("start_s").over(of_recording) < F.col("repeat_s"))
    )
    lanes = rows.withColumns({"is_compared": is_compared, "recording": F.when(is_compared, F.col("recording_id"))})
    marked = lanes.withColumn("is_apart", F.when(F.col("is_compared") & F.coalesce(is_near, F.lit(False)), 0).otherwise(1))
    # Nearly all rows are alone, and are not worth a list.
    several = marked.withColumns(
        {
            "run": F.sum("is_apart").over(of_recording.rowsBetween(Window.unboundedPreceding, 0)),
            "is_followed": F.coalesce(F.lead("is_apart").over(of_recording) == 0, F.lit(False)),
        }
    ).where("is_apart = 0 OR is_followed OR is_copy OR is_copied")
    by_preference = Window.partitionBy("user_id", "service", *TIMES).orderBy(*PREFERENCE)
    compared = several.withColumns(
        {
            "preferred": F.concat_ws(" ", "format", F.date_format("_ingested_at", "yyyyMMddHHmmss"), "row_id"),
            "second": F.floor("start_s"),
            "first": F.first("row_id").over(by_preference),
            "is_identical": F.col("content") == F.first("content").over(by_preference),
            **dict.fromkeys(("keeper", "reason"), F.lit(None).cast("string")),
        }
    )
    # The order of the fields decides what is kept: the richest format, then the earliest.
    row = F.struct(*FIELDS).cast(ROW)
    runs = compared.groupBy("user_id", "service", "is_compared", "recording", "run").agg(
        F.array_sort(F.collect_list(row)).alias("rows")
    )
    judged = runs.select("user_id", F.explode(_judged("rows")).alias("row"))
    return judged.select("user_id", *[F.col("row")[name].alias(name) for name in _JUDGED])


_JUDGED = ("row_id", "first", "is_copy", "is_identical", "keeper", "reason")


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
