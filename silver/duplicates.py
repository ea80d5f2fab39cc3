"""Which rows are the same play: identical rows of one kind of source, and records of one play from several kinds."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from silver.names import folded, hashed

# The richer record of a play wins.
KIND_RANK = {"export": 0, "api": 1, "account_data": 2, "scrobble": 3, "synthetic": 4}
# Formats of one kind that hold the same plays, the richer first.
FORMAT_RANK = {"spotify_extended": 0}
WINDOW_SECONDS = {"export": 30, "api": 30, "account_data": 60, "scrobble": 60}
BUCKET_SECONDS = 60

SOURCE_FIELDS = (
    "ts",
    "ms_played",
    "track_uri",
    "track_name",
    "artist_name",
    "album_name",
    "episode_name",
    "episode_show_name",
    "episode_uri",
    "audiobook_title",
    "audiobook_uri",
    "audiobook_chapter_uri",
    "audiobook_chapter_title",
    "platform",
    "conn_country",
    "reason_start",
    "reason_end",
    "shuffle",
    "skipped",
    "offline",
    "offline_timestamp",
    "incognito_mode",
)


def ranked(column: str, ranks: dict[str, int], otherwise: int) -> Column:
    """The rank of a column's value."""
    pairs = [F.lit(part) for name, rank in ranks.items() for part in (name, rank)]
    return F.coalesce(F.element_at(F.create_map(*pairs), F.col(column)), F.lit(otherwise)) if pairs else F.lit(otherwise)


def mark_identical(rows: DataFrame) -> DataFrame:
    """Add `duplicate_of` (row_id or null) and `duplicate_reason` for rows of one kind that are the same play.

    Within a format: identical in every kept source field. Between formats of one kind (the export as JSON and as flat
    CSV): identical in every field that both hold, matched one to one, so that what one format cannot tell apart is
    kept as often as the richer one has it.
    """
    content = hashed(*[F.col(name) for name in SOURCE_FIELDS])
    shared = hashed(
        F.unix_micros("at"),
        F.col("ms"),
        F.col("track"),
        *[F.col(name) for name in ("track_name", "artist_name", "album_name", "platform", "reason_start", "reason_end")],
        *[F.lower(name) for name in ("shuffle", "skipped")],
    )
    rows = rows.select("*", content.alias("content"), shared.alias("shared"))
    in_order = (F.col("file_hash"), F.col("row_number"))
    same = Window.partitionBy("user_id", "source_kind", "source", "content").orderBy(*in_order)
    rows = rows.select("*", F.first("row_id").over(same).alias("first_identical"))
    is_first = F.col("first_identical") == F.col("row_id")
    nth = Window.partitionBy("user_id", "source_kind", "source", "shared", "is_first").orderBy("content", *in_order)
    rows = rows.withColumn("is_first", is_first).withColumn("occurrence", F.row_number().over(nth))
    richest = Window.partitionBy("user_id", "source_kind", "shared", "is_first", "occurrence").orderBy("format_rank", "source", *in_order)
    rows = rows.withColumn("format_rank", ranked("source", FORMAT_RANK, 9))
    rows = rows.withColumn("richest", F.first("row_id").over(richest))
    is_richest = F.col("richest") == F.col("row_id")
    return rows.withColumn(
        "duplicate_of", F.when(~is_first, F.col("first_identical")).when(~is_richest, F.col("richest"))
    ).withColumn("duplicate_reason", F.when(~is_first, "identical_row").when(~is_richest, "same_play_in_other_format"))


def across_kinds(rows: DataFrame) -> DataFrame:
    """One row (row_id, winner) per record whose play a richer kind of source holds too.

    Same listener and track (Spotify id where both have one, else case-folded artist and title), within the poorer
    kind's window; matched one to one, kind by kind, nearest first.
    """
    names = F.when(F.col("has_track_name") & F.col("has_artist_name"), hashed(folded(F.col("artist_name")), folded(F.col("track_name"))))
    events = rows.select(
        "user_id",
        "row_id",
        "source_kind",
        ranked("source_kind", KIND_RANK, 9).alias("rank"),
        ranked("source_kind", WINDOW_SECONDS, 0).alias("window"),
        "spotify_id",
        names.alias("names"),
        (F.unix_micros("start") / 1e6).alias("start_s"),
        (F.unix_micros("end") / 1e6).alias("end_s"),
    )
    pairs = _candidates(events, "spotify_id").unionByName(_candidates(events, "names"))
    return _nearest_first(pairs)


def _candidates(events: DataFrame, key: str) -> DataFrame:
    """Pairs of a poorer and a richer record of one track that lie within the poorer kind's window."""
    events = events.where(F.col(key).isNotNull())
    anchor = F.when(F.col("source_kind") == "account_data", F.col("end_s")).otherwise(F.col("start_s"))
    bucket = F.floor(anchor / BUCKET_SECONDS)
    poorer = events.where("rank > 0 AND window > 0").select(
        "user_id",
        key,
        F.col("row_id").alias("loser"),
        F.col("rank").alias("loser_rank"),
        "window",
        F.col("spotify_id").alias("loser_id"),
        anchor.alias("anchor"),
        F.col("start_s").alias("loser_start"),
        F.col("end_s").alias("loser_end"),
        F.explode(F.array(bucket - 1, bucket, bucket + 1)).alias("bucket"),
    )
    # Only a record of export or API may meet the other at either end of the play.
    moments = F.when(F.col("rank") <= 1, F.array("start_s", "end_s")).otherwise(F.array("start_s", "end_s"))
    richer = events.where(F.col("window") > 0).select(
        "user_id",
        key,
        F.col("row_id").alias("winner"),
        F.col("rank").alias("winner_rank"),
        F.col("spotify_id").alias("winner_id"),
        F.col("start_s").alias("winner_start"),
        F.col("end_s").alias("winner_end"),
        F.explode(moments).alias("moment"),
    )
    richer = richer.withColumn("bucket", F.floor(F.col("moment") / BUCKET_SECONDS))
    # A scrobble is held against starts, account data against ends, the API against both.
    fits = (
        F.when(F.col("loser_rank") == KIND_RANK["scrobble"], F.col("moment") == F.col("winner_start"))
        .when(F.col("loser_rank") == KIND_RANK["account_data"], F.col("moment") == F.col("winner_end"))
        .otherwise(F.lit(True))
    )
    pairs = poorer.join(richer, on=["user_id", key, "bucket"], how="inner").where(
        (F.col("winner_rank") < F.col("loser_rank")) & fits & (F.abs(F.col("moment") - F.col("anchor")) <= F.col("window"))
    )
    if key == "names":
        pairs = pairs.where(F.col("loser_id").isNull() | F.col("winner_id").isNull())
    return pairs.groupBy("user_id", "loser", "winner").agg(
        F.min(F.abs(F.col("moment") - F.col("anchor"))).alias("distance"),
        F.min("loser_rank").alias("loser_rank"),
        F.min(F.least("winner_start", "loser_start")).alias("from_s"),
        F.max(F.greatest("winner_end", "loser_end")).alias("to_s"),
    )


def _nearest_first(pairs: DataFrame) -> DataFrame:
    """Greedy one-to-one matching of candidate pairs, richer kinds first, then nearest: one row (row_id, winner) per match.

    Pairs that share a record overlap in time, so runs of overlapping pairs are matched apart from each other; a fold
    over a run's sorted pairs keeps the ones whose records are still free.
    """
    in_time = Window.partitionBy("user_id").orderBy("from_s", "to_s", "loser", "winner")
    before = in_time.rowsBetween(Window.unboundedPreceding, -1)
    pairs = pairs.withColumn("is_apart", F.coalesce(F.col("from_s") > F.max("to_s").over(before), F.lit(True)).cast("int"))
    pairs = pairs.withColumn("run", F.sum("is_apart").over(in_time.rowsBetween(Window.unboundedPreceding, 0)))
    candidate = F.struct("loser_rank", "distance", "loser", "winner")
    runs = pairs.groupBy("user_id", "run").agg(F.array_sort(F.collect_list(candidate)).alias("candidates"))

    def accept(taken: Column, pair: Column) -> Column:
        loser, winner, rank = pair["loser"], pair["winner"], pair["loser_rank"].cast("string")
        is_loser_free = ~F.array_contains(taken, F.concat(F.lit("lost "), loser))
        is_winner_there = ~F.array_contains(taken, F.concat(F.lit("lost "), winner))
        is_winner_free = ~F.array_contains(taken, F.concat(F.lit("won "), rank, F.lit(" "), winner))
        new = F.array(
            F.concat(F.lit("lost "), loser),
            F.concat(F.lit("won "), rank, F.lit(" "), winner),
            F.concat(F.lit("pair "), loser, F.lit(" "), winner),
        )
        return F.when(is_loser_free & is_winner_there & is_winner_free, F.concat(taken, new)).otherwise(taken)

    none = F.array().cast("array<string>")
    matched = runs.select(F.explode(F.aggregate("candidates", none, accept)).alias("entry")).where(F.col("entry").startswith("pair "))
    parts = F.split("entry", " ")
    return matched.select(parts[1].alias("row_id"), parts[2].alias("winner"))
