"""One row per bronze row, with what became of it: kept, duplicate, quarantined or set aside, and why."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.rules import at_least, between, is_in, satisfies
from lakehouse.table import column, table
from silver.duplicates import across_kinds, mark_identical
from silver.names import hashed
from silver.parsing import DAY_MS, parse_boolean, parsed

DISPOSITIONS = ("kept", "duplicate", "quarantined", "set_aside")


@table(
    "silver.plays",
    key=["file_hash", "row_number"],
    scope="user",
    schema=[
        column("user_id", "string", "listener", nullable=False),
        column("file_hash", "string", "file of the bronze row"),
        column("row_number", "bigint", "position of the bronze row in its file"),
        column("disposition", "string", "kept, duplicate, quarantined or set_aside", nullable=False),
        column("reason", "string", "why the row is not kept"),
        column("reason_value", "string", "the value a quarantined row was quarantined for"),
        column("duplicate_of", "string", "file_hash:row_number of the row that holds the same play"),
        column("play_id", "string", "id of a kept play: hash of listener, end, track, duration and occurrence"),
        column("source", "string", "format of the file", nullable=False),
        column("source_kind", "string", "export, account_data, api, scrobble or synthetic", nullable=False),
        column("sources", "array<string>", "kinds of source that hold a kept play, sorted"),
        column("played_at", "timestamp", "start, UTC; null where it cannot be known"),
        column("ended_at", "timestamp", "end, UTC; null where it cannot be known"),
        column("ms_played", "bigint", "ms listened"),
        column("track_id", "string", "Spotify id, or local: + hash of case-folded artist and title"),
        column("track_name", "string", "as the source wrote it"),
        column("artist_name", "string", "as the source wrote it"),
        column("album_name", "string", "as the source wrote it"),
        column("platform", "string", "device or client"),
        column("conn_country", "string", "ISO 3166 country of the connection"),
        column("reason_start", "string", "why playback began"),
        column("reason_end", "string", "why playback ended"),
        column("shuffle", "boolean", "shuffle was on"),
        column("skipped", "boolean", "the source says that the track was skipped"),
        column("offline", "boolean", "played offline"),
        column("incognito_mode", "boolean", "played in a private session"),
    ],
    rules=[
        is_in("disposition", DISPOSITIONS),
        satisfies(
            "kept plays are complete",
            ["disposition", "play_id", "played_at", "ended_at", "track_id"],
            lambda: (
                (F.col("disposition") != "kept")
                | (F.col("play_id").isNotNull() & F.col("played_at").isNotNull() & F.col("track_id").isNotNull())
            ),
        ),
        satisfies(
            "what is not kept has a reason",
            ["disposition", "reason"],
            lambda: (F.col("disposition") == "kept") == F.col("reason").isNull(),
        ),
        satisfies(
            "duplicates name the row they repeat",
            ["disposition", "duplicate_of"],
            lambda: (F.col("disposition") == "duplicate") == F.col("duplicate_of").isNotNull(),
        ),
        satisfies(
            "kept plays last 0 ms to 24 h",
            ["disposition", "ms_played"],
            lambda: (F.col("disposition") != "kept") | F.coalesce(F.col("ms_played"), F.lit(0)).between(0, DAY_MS),
        ),
        at_least("row_number", 1),
        between("row_number", 1, 1e12),
    ],
)
def plays(listening_history: DataFrame) -> DataFrame:
    """One row per row of bronze.listening_history."""
    rows = parsed(listening_history).withColumn("row_id", F.concat_ws(":", "file_hash", F.col("row_number").cast("string")))
    good = F.col("set_aside").isNull() & F.col("problem").isNull()
    valid = mark_identical(rows.where(good))
    valid = _with_matches(valid, across_kinds(valid.where(F.col("duplicate_of").isNull())))
    rest = rows.where(~good).select(
        "*",
        F.lit(None).cast("string").alias("duplicate_of"),
        F.lit(None).cast("string").alias("duplicate_reason"),
        F.lit(None).cast("string").alias("content"),
        F.lit(None).cast("array<string>").alias("also_in"),
    )
    return _disposed(valid.select(rest.columns).unionByName(rest))


def _with_matches(valid: DataFrame, matches: DataFrame) -> DataFrame:
    """Add the cross-kind winner to losers, and to winners the kinds of source that hold the same play."""
    kinds = matches.join(valid.select("row_id", "source_kind"), on="row_id", how="inner")
    also_in = kinds.groupBy(F.col("winner").alias("row_id")).agg(F.collect_set("source_kind").alias("also_in"))
    joined = valid.join(matches, on="row_id", how="left").join(also_in, on="row_id", how="left")
    return joined.withColumn(
        "duplicate_reason", F.coalesce("duplicate_reason", F.when(F.col("winner").isNotNull(), "same_play_in_richer_source"))
    ).withColumn("duplicate_of", F.coalesce("duplicate_of", "winner"))


def _disposed(rows: DataFrame) -> DataFrame:
    disposition = (
        F.when(F.col("set_aside").isNotNull(), "set_aside")
        .when(F.col("problem").isNotNull(), "quarantined")
        .when(F.col("duplicate_of").isNotNull(), "duplicate")
        .otherwise("kept")
    )
    rows = rows.withColumn("disposition", disposition)
    is_kept = F.col("disposition") == "kept"
    same = Window.partitionBy("user_id", "disposition", "end", "track", "ms").orderBy("content", "file_hash", "row_number")
    rows = rows.withColumn("occurrence", F.row_number().over(same))
    play_id = hashed(F.col("user_id"), F.unix_micros("end"), F.col("track"), F.col("ms"), F.col("occurrence"))
    kinds = F.array_sort(F.array_union(F.array("source_kind"), F.coalesce("also_in", F.array().cast("array<string>"))))
    return rows.select(
        "user_id",
        "file_hash",
        "row_number",
        "disposition",
        F.coalesce("set_aside", F.col("problem")["reason"], "duplicate_reason").alias("reason"),
        F.col("problem")["value"].alias("reason_value"),
        "duplicate_of",
        F.when(is_kept, play_id).alias("play_id"),
        "source",
        "source_kind",
        F.when(is_kept, kinds).alias("sources"),
        F.col("start").alias("played_at"),
        F.col("end").alias("ended_at"),
        F.col("ms").alias("ms_played"),
        F.col("track").alias("track_id"),
        "track_name",
        "artist_name",
        "album_name",
        "platform",
        "conn_country",
        "reason_start",
        "reason_end",
        *[parse_boolean(F.col(name)).alias(name) for name in ("shuffle", "skipped", "offline", "incognito_mode")],
    )
