"""Which rows are the same play: identical rows of one kind of source, and records of one play from several kinds."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.source_facts import SourceFacts, kinds_of
from music.names import hashed
from silver.source_columns import format_order, is_of_kind, richness, window_seconds

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


def valid(typed_history: DataFrame) -> DataFrame:
    """The rows that can be plays."""
    return typed_history.where(F.col("set_aside").isNull() & F.col("problem").isNull())


def identical_rows(rows: DataFrame) -> DataFrame:
    """One row (user_id, row_id, keeper) per row that repeats an earlier one of its format in every kept source field."""
    same = ["user_id", "source_kind", "source", "content"]
    firsts = rows.groupBy(*same).agg(F.min("row_id").alias("keeper"), F.count("*").alias("copies")).where("copies > 1")
    return rows.join(firsts, on=same, how="inner").where("row_id <> keeper").select("user_id", "row_id", "keeper")


def other_formats(rows: DataFrame, identical: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """One row (user_id, row_id, keeper) per row whose play is also in a richer format of the same kind (JSON and CSV).

    The rows are equal in every field that the formats share, and are matched one to one. Plays that the poorer format
    cannot distinguish are therefore kept as often as the richer format has them. `identical` are the rows already found to
    repeat another row.
    """
    of_kind = ["user_id", "source_kind"]
    contested = _of_mixed(rows, of_kind, "source").join(identical.select("row_id"), on="row_id", how="left_anti")
    nth = Window.partitionBy(*of_kind, "source", "shared").orderBy("content", "row_id")
    counted = contested.select(
        *of_kind,
        "row_id",
        "shared",
        F.concat_ws(" ", format_order(facts), "source", "row_id").alias("preferred"),
        F.row_number().over(nth).alias("nth"),
    )
    richest = counted.groupBy(*of_kind, "shared", "nth").agg(F.min("preferred").alias("richest"))
    paired = counted.join(richest, on=[*of_kind, "shared", "nth"], how="inner").where("preferred <> richest")
    return paired.select("user_id", "row_id", F.split("richest", " ")[2].alias("keeper"))


def _of_mixed(rows: DataFrame, groups: list[str], column: str) -> DataFrame:
    """The rows of groups with more than one value of `column`; with one source there are none, so later steps cost nothing."""
    mixed = rows.groupBy(*groups).agg(F.min(column).alias("least"), F.max(column).alias("most")).where("least <> most")
    return rows.join(F.broadcast(mixed.select(*groups)), on=groups, how="left_semi")


def content_hash() -> Column:
    """Hash of every kept source field of a row, as the source wrote it."""
    return hashed(*[F.col(name) for name in SOURCE_FIELDS])


def shared_hash() -> Column:
    """Hash of the fields that all formats of a kind have."""
    names = ("track_name", "artist_name", "album_name", "platform", "reason_start", "reason_end")
    flags = [F.lower(name) for name in ("shuffle", "skipped")]
    return hashed(F.unix_micros("at"), F.col("ms"), F.col("track"), *[F.col(name) for name in names], *flags)


def across_kinds(rows: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """One row (user_id, row_id, keeper, source_kind) per record whose play is also in a richer kind of source or service.

    Records match if they have the same listener and track (Spotify id if both have one, else case-folded artist and title)
    and lie within the poorer kind's window. They are matched one to one, kind by kind (scrobbles: service by service),
    nearest first.
    """
    events = _of_mixed(rows.withColumn("rank", richness(facts)), ["user_id"], "rank").select(
        "user_id",
        "row_id",
        "spotify_id",
        "source_kind",
        "rank",
        window_seconds(facts).alias("window"),
        (F.unix_micros("played_at") / 1e6).alias("start_s"),
        (F.unix_micros("ended_at") / 1e6).alias("end_s"),
        F.explode(F.array_compact(F.array("spotify_id", "names"))).alias("identity"),
    )
    return _nearest_first(_candidates(events.where("window > 0"), facts))


def _candidates(events: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """Pairs of a poorer and a richer record of one track that lie within the poorer kind's window.

    The poorer record's `ts` is compared with those times of the richer record that the poorer kind names.
    """
    anchor = F.when(is_of_kind(facts, lambda kind: kind.ts == "end"), F.col("end_s")).otherwise(F.col("start_s"))
    # Records within a window of each other are in the same bucket or in neighbouring ones.
    bucket_seconds = max(1, *(kind.window_seconds for kind in kinds_of(facts)))
    bucket = F.floor(anchor / bucket_seconds)
    poorer = events.where("rank > 0").select(
        "user_id",
        "identity",
        "window",
        F.col("row_id").alias("loser"),
        F.col("rank").alias("loser_rank"),
        F.col("source_kind").alias("loser_kind"),
        F.col("spotify_id").alias("loser_id"),
        F.col("start_s").alias("loser_start"),
        F.col("end_s").alias("loser_end"),
        anchor.alias("anchor"),
        is_of_kind(facts, lambda kind: "start" in kind.compared_with).alias("by_start"),
        is_of_kind(facts, lambda kind: "end" in kind.compared_with).alias("by_end"),
        F.explode(F.array(bucket - 1, bucket, bucket + 1)).alias("bucket"),
    )
    richer = events.select(
        "user_id",
        "identity",
        F.col("row_id").alias("winner"),
        F.col("rank").alias("winner_rank"),
        F.col("spotify_id").alias("winner_id"),
        F.col("start_s").alias("winner_start"),
        F.col("end_s").alias("winner_end"),
        F.posexplode(F.array("start_s", "end_s")).alias("is_end", "moment"),
    ).withColumn("bucket", F.floor(F.col("moment") / bucket_seconds))
    is_compared = F.when(F.col("is_end") == 1, F.col("by_end")).otherwise(F.col("by_start"))
    both_have_ids = F.col("loser_id").isNotNull() & F.col("winner_id").isNotNull()
    is_same_track = ~both_have_ids | (F.col("identity") == F.col("loser_id"))
    distance = F.abs(F.col("moment") - F.col("anchor"))
    pairs = poorer.join(richer, on=["user_id", "identity", "bucket"], how="inner").where(
        (F.col("winner_rank") < F.col("loser_rank")) & is_compared & is_same_track & (distance <= F.col("window"))
    )
    return pairs.groupBy("user_id", "loser_rank", "loser_kind", "loser", "winner").agg(
        F.min(distance).alias("distance"),
        F.min(F.least("winner_start", "loser_start")).alias("from_s"),
        F.max(F.greatest("winner_end", "loser_end")).alias("to_s"),
    )


def _nearest_first(pairs: DataFrame) -> DataFrame:
    """Greedy one-to-one matching of candidate pairs, richer kinds first, then nearest: one row per match.

    Pairs that share a record overlap in time, so each run of overlapping pairs is matched separately. A fold over the
    sorted pairs of a run keeps those whose records are still free.
    """
    in_time = Window.partitionBy("user_id").orderBy("from_s", "to_s", "loser", "winner")
    before = in_time.rowsBetween(Window.unboundedPreceding, -1)
    pairs = pairs.withColumn("is_apart", F.coalesce(F.col("from_s") > F.max("to_s").over(before), F.lit(True)).cast("int"))
    pairs = pairs.withColumn("run", F.sum("is_apart").over(in_time.rowsBetween(Window.unboundedPreceding, 0)))
    candidate = F.struct("loser_rank", "distance", "loser", "winner", "loser_kind")
    runs = pairs.groupBy("user_id", "run").agg(F.array_sort(F.collect_list(candidate)).alias("candidates"))

    def accept(taken: Column, pair: Column) -> Column:
        loser, winner, rank = pair["loser"], pair["winner"], pair["loser_rank"].cast("string")
        is_loser_free = ~F.array_contains(taken, F.concat(F.lit("lost "), loser))
        is_winner_there = ~F.array_contains(taken, F.concat(F.lit("lost "), winner))
        is_winner_free = ~F.array_contains(taken, F.concat(F.lit("won "), rank, F.lit(" "), winner))
        new = F.array(
            F.concat(F.lit("lost "), loser),
            F.concat(F.lit("won "), rank, F.lit(" "), winner),
            F.concat_ws(" ", F.lit("pair"), loser, winner, pair["loser_kind"]),
        )
        return F.when(is_loser_free & is_winner_there & is_winner_free, F.concat(taken, new)).otherwise(taken)

    none = F.array().cast("array<string>")
    matched = runs.select("user_id", F.explode(F.aggregate("candidates", none, accept)).alias("entry"))
    parts = F.split("entry", " ")
    named = [parts[position].alias(name) for position, name in enumerate(("row_id", "keeper", "source_kind"), start=1)]
    return matched.where(F.col("entry").startswith("pair ")).select("user_id", *named)
