"""Which records of several kinds of source, or of several services, are of one play."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.source_facts import SourceFacts, kinds_of
from music.names import hashed
from silver.source_columns import by_kind, is_of_kind, richness, window_seconds

RICHER, SAME_TITLE, PAUSED = "same_play_in_richer_source", "same_title_and_second", "paused_play"
REASONS = (RICHER, SAME_TITLE, PAUSED)
PAUSE_SECONDS = 1800
"""An export gives a play's end and what was heard of it, so the start that follows from both is late by every pause."""
IS_START, IS_END, RICHER_IS_END = "as_start", "as_end", "richer_as_end"
READINGS = (IS_START, IS_END, RICHER_IS_END)
"""What the times of a pair are if it is one play: two starts, a start and the end that the poorer or the richer record states."""
DAY_SECONDS = 86_400
MONTH_DAYS = 30
"""Over which services are compared if a day does not tell: a client that changes may begin to state the other end."""
NEAR_SECONDS = 2 * 86_400
"""More than the length of a play (a day at most), a pause and the widest window together."""
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


def content_hash() -> Column:
    """Hash of every kept source field of a row, as the source wrote it."""
    return hashed(*[F.col(name) for name in SOURCE_FIELDS])


def with_recordings(rows: DataFrame, recording_ids: DataFrame) -> DataFrame:
    """Rows of silver.typed_history with the recording of their track."""
    return rows.join(recording_ids.select("track_id", "recording_id"), on="track_id", how="left")


def of_several(rows: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """The rows, with their richness (`rank`), at times of which the listener's rows of other ranks tell too.

    Others are in no other source: most of a history of years, where polls tell of the last weeks.
    """
    ranked = rows.withColumn("rank", richness(facts))
    seconds = F.unix_seconds("played_at")
    covered = ranked.groupBy("user_id", "rank").agg(F.min(seconds).alias("from_s"), F.max(seconds).alias("to_s"))
    others = covered.select("user_id", F.col("rank").alias("other_rank"), "from_s", "to_s")
    shared = covered.select("user_id", "rank").join(others, on="user_id", how="inner").where("rank <> other_rank")
    reach = shared.groupBy("user_id", "rank").agg(F.min("from_s").alias("from_s"), F.max("to_s").alias("to_s"))
    near = seconds.between(F.col("from_s") - NEAR_SECONDS, F.col("to_s") + NEAR_SECONDS)
    return ranked.join(F.broadcast(reach), on=["user_id", "rank"], how="inner").where(near).drop("from_s", "to_s")


def with_repeats(rows: DataFrame, repeated_rows: DataFrame) -> DataFrame:
    """The rows without copies, with `repeats`: the row of their source whose play they repeat, null for plays of their own.

    A copy has the times of the row that it repeats. Other repeats stay, because a poorer source may list both rows as it lists
    plays: of 6,000 plays of an export, account data of the same plays seemed to add 88, 48 of them repeats in the export.
    """
    kept = rows.select(
        F.col("row_id").alias("repeats"), F.col("played_at").alias("kept_from"), F.col("ended_at").alias("kept_to")
    )
    marked = rows.join(repeated_rows.select("row_id", F.col("keeper").alias("repeats")), on="row_id", how="left")
    is_copy = (F.col("played_at") == F.col("kept_from")) & (F.col("ended_at") == F.col("kept_to"))
    joined = marked.join(kept, on="repeats", how="left").where(~F.coalesce(is_copy, F.lit(False)))
    return joined.drop("kept_from", "kept_to")


def across_kinds(rows: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """One row (user_id, row_id, keeper, source_kind, reason) per record whose play is also in a richer kind of source or service.

    Records match if they have the same listener and recording (or title and artist credited first) and lie within the poorer
    kind's window, or if they have the same title and start second. They are matched one to one, kind by kind (scrobbles:
    service by service), as most records of the two services lie, nearest first. Then a scrobble of a play that was paused
    is matched: it lies up to PAUSE_SECONDS before the start that was computed from the end, and no other play starts between.
    `rows` are those of `with_repeats`. One that repeats another row of its source is only matched with poorer records.
    """
    events = rows.where(window_seconds(facts) > 0).select(
        *["user_id", "row_id", "source_kind", "rank", "recording_id", "lead_key", "repeats", "is_to_minute", "ms_played"],
        F.when(~F.col("is_to_minute"), F.col("title_key")).alias("title_key"),
        window_seconds(facts).alias("window"),
        (F.unix_micros("played_at") / 1e6).alias("start_s"),
        (F.unix_micros("ended_at") / 1e6).alias("end_s"),
        _unsure_seconds(facts).alias("length_s"),
    )
    nearest = _nearest_first(_candidates(events, facts))
    left = events.where("repeats IS NULL").join(nearest.select("row_id"), on="row_id", how="left_anti")
    paused = _paused(left, facts)
    return followed(nearest, paused, PAUSED).unionByName(paused)


def followed(first: DataFrame, later: DataFrame, reason: str | None = None) -> DataFrame:
    """Duplicates of a first step, each with the row that is finally kept: a keeper may itself repeat a row in a later step.

    `reason` replaces the reason of a row whose keeper does.
    """
    moved = later.select(F.col("row_id").alias("keeper"), F.col("keeper").alias("final"))
    changed = F.when(F.col("final").isNotNull() & F.lit(reason is not None), F.lit(reason)).otherwise(F.col("reason"))
    joined = first.join(moved, on="keeper", how="left")
    return joined.withColumns({"reason": changed, "keeper": F.coalesce("final", "keeper")}).drop("final")


def _unsure_seconds(facts: Sequence[SourceFacts]) -> Column:
    """How far the other end of a play may be from its time, where that may be its start or its end; null where it is known."""
    is_either = is_of_kind(facts, lambda kind: kind.ts == "start" and set(kind.compared_with) == {"start", "end"})
    return F.when(is_either & F.coalesce(F.col("ms_played") == 0, F.lit(True)), F.col("track_ms") / 1000)


def _paused(events: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """One row per scrobble that is followed directly by a richer record of its recording, whose start is only computed."""
    in_time = Window.partitionBy("user_id").orderBy("start_s", F.desc("rank"), "row_id")
    is_computed = is_of_kind(facts, lambda kind: kind.ts == "end")
    following = ["row_id", "rank", "start_s", "recording_id", "lead_key"]
    with_next = events.withColumn("is_computed", is_computed).withColumns(
        {f"next_{name}": F.lead(name).over(in_time) for name in (*following, "is_computed")}
    )
    is_same = (F.col("recording_id") == F.col("next_recording_id")) | (F.col("lead_key") == F.col("next_lead_key"))
    pause = F.col("next_start_s") - F.col("start_s")
    is_paused = ~F.col("is_computed") & F.col("next_is_computed") & (F.col("next_rank") < F.col("rank"))
    return with_next.where(is_paused & is_same & (pause <= PAUSE_SECONDS)).select(
        "user_id", "row_id", F.col("next_row_id").alias("keeper"), "source_kind", F.lit(PAUSED).alias("reason")
    )


def _candidates(events: DataFrame, facts: Sequence[SourceFacts]) -> DataFrame:
    """Pairs of a poorer and a richer record that share an identity and lie within its window.

    The poorer record's `ts` is compared with those times of the richer record that the poorer kind names.
    """
    # Of one title alone, only the same second is evidence; two artists may have played songs of one name.
    identities = {"recording_id": F.col("window"), "lead_key": F.col("window"), "title_key": F.lit(0)}
    listed = [F.struct(F.col(name).alias("identity"), seconds.alias("within")) for name, seconds in identities.items()]
    events = events.select("*", F.inline(F.array(*listed))).where("identity IS NOT NULL")
    anchor = F.when(is_of_kind(facts, lambda kind: kind.ts == "end"), F.col("end_s")).otherwise(F.col("start_s"))
    # Records within a window of each other are in the same bucket or in neighbouring ones.
    bucket_seconds = max(1, *(kind.window_seconds for kind in kinds_of(facts)))
    bucket = F.floor(anchor / bucket_seconds)
    poorer = events.where("rank > 0 AND repeats IS NULL").select(
        *["user_id", "identity", "within"],
        F.col("row_id").alias("loser"),
        F.col("rank").alias("loser_rank"),
        F.col("source_kind").alias("loser_kind"),
        F.col("start_s").alias("loser_start"),
        F.col("end_s").alias("loser_end"),
        F.col("ms_played").alias("loser_ms"),
        F.col("is_to_minute").alias("is_loser_to_minute"),
        anchor.alias("anchor"),
        (by_kind(facts, lambda kind: kind.repeat_seconds) * 1000).alias("least_ms"),
        is_of_kind(facts, lambda kind: kind.ts == "start").alias("is_start_kind"),
        is_of_kind(facts, lambda kind: "start" in kind.compared_with).alias("by_start"),
        is_of_kind(facts, lambda kind: "end" in kind.compared_with).alias("by_end"),
        F.explode(F.array(bucket - 1, bucket, bucket + 1)).alias("bucket"),
    )
    # Start and end as they are told; then the start if the time told is an end, and the end if it is a start.
    known, unsure = ["start_s", "end_s"], [F.col("start_s") - F.col("length_s"), F.col("start_s") + F.col("length_s")]
    moments = F.when(F.col("length_s").isNull(), F.array(*known)).otherwise(F.array(*known, *unsure))
    richer = events.select(
        *["user_id", "identity"],
        F.col("row_id").alias("winner"),
        F.col("rank").alias("winner_rank"),
        F.col("start_s").alias("winner_start"),
        F.col("end_s").alias("winner_end"),
        F.col("ms_played").alias("winner_ms"),
        F.col("is_to_minute").alias("is_winner_to_minute"),
        F.posexplode(moments).alias("place", "moment"),
    ).withColumn("bucket", F.floor(F.col("moment") / bucket_seconds))
    is_compared = F.when(F.col("place") % 2 == 1, F.col("by_end")).otherwise(F.col("by_start"))
    distance = F.abs(F.col("moment") - F.col("anchor"))
    is_same_second = (F.col("place") == 0) & (F.floor("winner_start") == F.floor("loser_start"))
    is_near = F.when(F.col("within") > 0, is_compared & (distance <= F.col("within"))).otherwise(is_same_second)
    pairs = poorer.join(richer, on=["user_id", "identity", "bucket"], how="inner").where(
        (F.col("winner_rank") < F.col("loser_rank")) & is_near
    )
    # Back to back plays of one track end when the next one starts: each time is both, and most records tell which it is.
    is_end = (F.col("place") == 1) & (F.col("winner_end") > F.col("winner_start")) & F.col("is_start_kind")
    is_end = is_end | (F.col("place") == 3)
    reading = F.when(F.col("place") == 2, RICHER_IS_END).when(is_end, IS_END).otherwise(IS_START)
    # A time to the minute is no nearer to the end of that minute than to its begin; of several plays in it the length tells.
    minutes = F.abs(F.floor(F.col("moment") / 60) - F.floor(F.col("anchor") / 60)) * 60.0
    is_to_minute = F.col("is_loser_to_minute") | F.col("is_winner_to_minute")
    nearness = F.struct(
        F.when(F.col("within") == 0, 1).otherwise(0).alias("by_title"),
        # A play that was too short to be told of is the last choice.
        F.when(F.col("winner_ms") < F.col("least_ms"), 1).otherwise(0).alias("too_short"),
        F.when(is_to_minute, minutes).otherwise(distance).alias("distance"),
        F.coalesce(F.abs(F.col("winner_ms") - F.col("loser_ms")), F.lit(0)).alias("length"),
        distance.alias("seconds"),
    )
    day = F.floor(F.col("anchor") / DAY_SECONDS).alias("day")
    return pairs.groupBy("user_id", day, "loser_rank", "loser_kind", "loser", "winner", "winner_rank").agg(
        *[F.min(F.when(reading == one, nearness)).alias(one) for one in READINGS],
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
    listed = _placed(pairs).groupBy("user_id", "run").agg(F.array_sort(F.collect_list("candidate")).alias("candidates"))
    matched = listed.select("user_id", F.explode(_matches("candidates")).alias("entry"))
    parts = F.split("entry", " ")
    named = [parts[position].alias(name) for position, name in enumerate(("row_id", "keeper", "source_kind", "reason"), start=1)]
    return matched.where(F.col("entry").startswith("pair ")).select("user_id", *named)


def _placed(pairs: DataFrame) -> DataFrame:
    """The pairs, with `candidate`: what the fold sorts and takes, with its `place` in the order.

    A service states starts or ends, by what most of its records of a day say beside those of the other service; if as many say
    either, by those of a month. Where a track is played again and again, or a record is missing, each end is as near to the start
    of the next play: such pairs come last.
    """
    services = ["user_id", "loser_rank", "winner_rank"]
    on_day = Window.partitionBy(*services, "day")
    in_month = Window.partitionBy(*services, F.floor(F.col("day") / MONTH_DAYS))
    counts = {
        one: F.struct(F.count(one).over(on_day).alias("day"), F.count(one).over(in_month).alias("month")) for one in READINGS
    }
    # The first of equals is the least of the negated places.
    ranked = [F.struct(counts[one].alias("count"), F.lit(-place).alias("place")) for place, one in enumerate(READINGS)]
    pairs = pairs.withColumn("usual", -F.array_max(F.array(*ranked))["place"])

    def place(number: int, reading: str) -> Column:
        near = F.col(reading)
        unusual = F.when(F.col("usual") == number, 0).otherwise(1 + number)
        order = {"by_title": near["by_title"], "too_short": near["too_short"], "unusual": unusual}
        order |= {name: near[name] for name in ("distance", "length", "seconds")}
        return F.when(near.isNotNull(), F.struct(*[value.alias(name) for name, value in order.items()]))

    best = F.array_min(F.array(*[place(number, reading) for number, reading in enumerate(READINGS)]))
    fields = [F.col(name) for name in ("loser", "winner", "loser_kind")]
    return pairs.select("user_id", "run", F.struct("loser_rank", best.alias("place"), *fields).alias("candidate"))


def _matches(candidates: str) -> Column:
    """What a fold over sorted candidates takes: entries `lost ROW`, `won RANK ROW`, and `pair LOSER WINNER KIND REASON`."""

    def accept(taken: Column, pair: Column) -> Column:
        loser, winner, rank = pair["loser"], pair["winner"], pair["loser_rank"].cast("string")
        reason = F.when(pair["place"]["by_title"] == 1, F.lit(SAME_TITLE)).otherwise(F.lit(RICHER))
        is_loser_free = ~F.array_contains(taken, F.concat(F.lit("lost "), loser))
        is_winner_there = ~F.array_contains(taken, F.concat(F.lit("lost "), winner))
        is_winner_free = ~F.array_contains(taken, F.concat(F.lit("won "), rank, F.lit(" "), winner))
        new = F.array(
            F.concat(F.lit("lost "), loser),
            F.concat(F.lit("won "), rank, F.lit(" "), winner),
            F.concat_ws(" ", F.lit("pair"), loser, winner, pair["loser_kind"], reason),
        )
        return F.when(is_loser_free & is_winner_there & is_winner_free, F.concat(taken, new)).otherwise(taken)

    return F.aggregate(F.col(candidates), F.array().cast("array<string>"), accept)
