"""Which rows are the same play: identical rows of one kind of source, and records of one play from several kinds."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from music.names import hashed

# The richer record of a play wins.
KIND_RANK = {"export": 0, "api": 1, "account_data": 2, "scrobble": 3, "synthetic": 4}
# Services that hold the same scrobbles, the one with ids and seconds first; minutes alone come last.
SERVICE_RANK = {"listenbrainz": 0, "lastfm_uts_csv": 1, "lastfm_1k": 2, "lastfm_csv": 8}
# Formats of one kind that hold the same plays, the richer first.
FORMAT_RANK = {"spotify_extended": 0, **SERVICE_RANK}
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
    """The rank of a column's value, by comparisons, which are many times cheaper than a map looked up for every row."""
    cases = [(F.col(column) == name, rank) for name, rank in ranks.items()]
    return reduce(lambda chain, case: chain.when(*case), cases[1:], F.when(*cases[0])).otherwise(F.lit(otherwise))


def valid(typed_history: DataFrame) -> DataFrame:
    """The rows that can be plays."""
    return typed_history.where(F.col("set_aside").isNull() & F.col("problem").isNull())


def identical_rows(rows: DataFrame) -> DataFrame:
    """One row (user_id, row_id, keeper) per row that repeats an earlier one of its format in every kept source field."""
    same = ["user_id", "source_kind", "source", "content"]
    firsts = rows.groupBy(*same).agg(F.min("row_id").alias("keeper"), F.count("*").alias("copies")).where("copies > 1")
    return rows.join(firsts, on=same, how="inner").where("row_id <> keeper").select("user_id", "row_id", "keeper")


def other_formats(rows: DataFrame, identical: DataFrame) -> DataFrame:
    """One row (user_id, row_id, keeper) per row whose play a richer format of the same kind holds (JSON and CSV).

    Identical in every field that the formats share, matched one to one, so that what a poorer format cannot tell apart
    is kept as often as the richer one has it. `identical` are the rows already found to repeat another.
    """
    of_kind = ["user_id", "source_kind"]
    contested = _of_mixed(rows, of_kind, "source").join(identical.select("row_id"), on="row_id", how="left_anti")
    nth = Window.partitionBy(*of_kind, "source", "shared").orderBy("content", "row_id")
    rank = ranked("source", FORMAT_RANK, 9).cast("string")
    counted = contested.select(
        *of_kind,
        "row_id",
        "shared",
        F.concat_ws(" ", rank, "source", "row_id").alias("preferred"),
        F.row_number().over(nth).alias("nth"),
    )
    richest = counted.groupBy(*of_kind, "shared", "nth").agg(F.min("preferred").alias("richest"))
    paired = counted.join(richest, on=[*of_kind, "shared", "nth"], how="inner").where("preferred <> richest")
    return paired.select("user_id", "row_id", F.split("richest", " ")[2].alias("keeper"))


def _of_mixed(rows: DataFrame, groups: list[str], column: str) -> DataFrame:
    """The rows of those groups that hold more than one value of `column`; where there is one source, the rest costs nothing."""
    mixed = rows.groupBy(*groups).agg(F.min(column).alias("least"), F.max(column).alias("most")).where("least <> most")
    return rows.join(F.broadcast(mixed.select(*groups)), on=groups, how="left_semi")


def content_hash() -> Column:
    """Hash of every kept source field of a row, as the source wrote it."""
    return hashed(*[F.col(name) for name in SOURCE_FIELDS])


def shared_hash() -> Column:
    """Hash of the fields that every format of a kind holds."""
    names = ("track_name", "artist_name", "album_name", "platform", "reason_start", "reason_end")
    flags = [F.lower(name) for name in ("shuffle", "skipped")]
    return hashed(F.unix_micros("at"), F.col("ms"), F.col("track"), *[F.col(name) for name in names], *flags)


def richness() -> Column:
    """Rank of a record, 0 the richest: its kind's, and among scrobbles its service's."""
    service = F.when(F.col("source_kind") == "scrobble", ranked("source", SERVICE_RANK, 7)).otherwise(F.lit(0))
    return ranked("source_kind", KIND_RANK, 9) * 10 + service


def across_kinds(rows: DataFrame) -> DataFrame:
    """One row (user_id, row_id, keeper, source_kind) per record whose play a richer kind of source or service holds too.

    Same listener and track (Spotify id where both have one, else case-folded artist and title), within the poorer
    kind's window; matched one to one, kind by kind (scrobbles: service by service), nearest first.
    """
    events = _of_mixed(rows.withColumn("rank", richness()), ["user_id"], "rank").select(
        "user_id",
        "row_id",
        "spotify_id",
        "source_kind",
        "rank",
        ranked("source_kind", WINDOW_SECONDS, 0).alias("window"),
        (F.unix_micros("played_at") / 1e6).alias("start_s"),
        (F.unix_micros("ended_at") / 1e6).alias("end_s"),
        F.explode(F.array_compact(F.array("spotify_id", "names"))).alias("known_as"),
    )
    return _nearest_first(_candidates(events.where("window > 0")))


def _candidates(events: DataFrame) -> DataFrame:
    """Pairs of a poorer and a richer record of one track that lie within the poorer kind's window.

    A scrobble is held against starts, account data against ends, the API against both.
    """
    is_account_data = F.col("source_kind") == "account_data"
    is_scrobble = F.col("source_kind") == "scrobble"
    anchor = F.when(is_account_data, F.col("end_s")).otherwise(F.col("start_s"))
    bucket = F.floor(anchor / BUCKET_SECONDS)
    poorer = events.where("rank > 0").select(
        "user_id",
        "known_as",
        "window",
        F.col("row_id").alias("loser"),
        F.col("rank").alias("loser_rank"),
        F.col("source_kind").alias("loser_kind"),
        F.col("spotify_id").alias("loser_id"),
        F.col("start_s").alias("loser_start"),
        F.col("end_s").alias("loser_end"),
        anchor.alias("anchor"),
        is_account_data.alias("by_end"),
        is_scrobble.alias("by_start"),
        F.explode(F.array(bucket - 1, bucket, bucket + 1)).alias("bucket"),
    )
    richer = events.select(
        "user_id",
        "known_as",
        F.col("row_id").alias("winner"),
        F.col("rank").alias("winner_rank"),
        F.col("spotify_id").alias("winner_id"),
        F.col("start_s").alias("winner_start"),
        F.col("end_s").alias("winner_end"),
        F.posexplode(F.array("start_s", "end_s")).alias("is_end", "moment"),
    ).withColumn("bucket", F.floor(F.col("moment") / BUCKET_SECONDS))
    fits = ~(F.col("by_end") & (F.col("is_end") == 0)) & ~(F.col("by_start") & (F.col("is_end") == 1))
    both_have_ids = F.col("loser_id").isNotNull() & F.col("winner_id").isNotNull()
    is_same_track = ~both_have_ids | (F.col("known_as") == F.col("loser_id"))
    distance = F.abs(F.col("moment") - F.col("anchor"))
    pairs = poorer.join(richer, on=["user_id", "known_as", "bucket"], how="inner").where(
        (F.col("winner_rank") < F.col("loser_rank")) & fits & is_same_track & (distance <= F.col("window"))
    )
    return pairs.groupBy("user_id", "loser_rank", "loser_kind", "loser", "winner").agg(
        F.min(distance).alias("distance"),
        F.min(F.least("winner_start", "loser_start")).alias("from_s"),
        F.max(F.greatest("winner_end", "loser_end")).alias("to_s"),
    )


def _nearest_first(pairs: DataFrame) -> DataFrame:
    """Greedy one-to-one matching of candidate pairs, richer kinds first, then nearest: one row per match.

    Pairs that share a record overlap in time, so runs of overlapping pairs are matched apart from each other; a fold
    over a run's sorted pairs keeps the ones whose records are still free.
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
