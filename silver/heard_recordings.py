"""The recordings that each listener knows: how often, how recently and how willingly each was heard."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, satisfies, table
from music.ranking import ranking

DAY_SECONDS = 86_400
HALF_LIFE_DAYS = 365
"""A listen from a year ago counts half as much towards current taste as one from today."""
NAMES = ("track_id", "track_name", "artist_name", "artist_key")


@table(
    "silver.heard_recordings",
    key=["user_id", "recording"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("recording", "string", "recording_id of silver.recordings"),
        column("track_id", "string", "id that represents the recording", nullable=False),
        column("track_ids", "array<string>", "that id and all ids it was played under, sorted", nullable=False),
        column(
            "catalogue_id",
            "string",
            "catalogue track: that id if the catalogue has it, else another id of the recording; null if neither",
        ),
        column("track_name", "string", "as shown to the listener"),
        column("artist_name", "string", "as shown to the listener"),
        column("artist_key", "string", "hash of the folded artist"),
        column(
            "genres",
            "array<string>",
            "genres of the catalogue track, sorted; else the first genre of the latest play; empty if unknown",
            nullable=False,
        ),
        column("explicit", "boolean", "explicit lyrics; false where the catalogue has no value", nullable=False),
        column("plays", "bigint", "all plays, short ones included", nullable=False, at_least=1),
        column("listens", "bigint", "plays of 30 s or more", nullable=False),
        column("willing", "bigint", "listens that were not skipped", nullable=False),
        column("skips", "bigint", "skipped plays", nullable=False),
        column("last_played_at", "timestamp", "start of the last play, UTC", nullable=False),
        column("as_of", "timestamp", "end of the listener's last day with a play, UTC", nullable=False),
        column(
            "activation",
            "double",
            "sum of age^-0.5 over willing listens; age in days before as_of, at least 1",
            nullable=False,
            at_least=0,
        ),
        column("affinity", "double", "log(1 + willing), halved for each year between the last play and as_of", nullable=False),
    ],
    rules=[satisfies("willing <= listens", ["willing", "listens"], lambda: F.col("willing") <= F.col("listens"))],
)
def heard_recordings(
    listening_with_features: DataFrame, listener_settings: DataFrame, catalogue_recordings: DataFrame
) -> DataFrame:
    """One row per listener and recording that was played.

    Activation is the base-level activation of ACT-R (Anderson & Schooler, Psychological Science 2, 1991).
    """
    plays = listening_with_features.select(
        "user_id",
        F.col("recording_id").alias("recording"),
        *NAMES,
        *["played_track_id", "play_number", "played_at", "is_listen", "is_skip"],
        F.get("genres", F.lit(0)).alias("genre"),
    )
    as_of = _as_of(listening_with_features, listener_settings)
    aged = plays.join(F.broadcast(as_of), on="user_id", how="inner").withColumn("age", _age_days())
    is_willing = F.col("is_listen") & ~F.col("is_skip")
    counted = aged.groupBy("user_id", "recording").agg(
        F.collect_set("played_track_id").alias("played_ids"),
        F.count(F.lit(1)).alias("plays"),
        F.count_if("is_listen").alias("listens"),
        F.count_if(is_willing).alias("willing"),
        F.count_if("is_skip").alias("skips"),
        F.min("age").alias("age"),
        F.coalesce(ranking(F.sum(F.when(is_willing, F.pow("age", F.lit(-0.5))))), F.lit(0.0)).alias("activation"),
        F.max("played_at").alias("last_played_at"),
        *[F.max_by(name, "play_number").alias(name) for name in (*NAMES, "genre")],
        F.max("as_of").alias("as_of"),
    )
    fading = F.pow(F.lit(0.5), F.col("age") / F.lit(HALF_LIFE_DAYS))
    ids = F.array_sort(F.array_union("played_ids", F.array("track_id")))
    known = _with_catalogue(counted.withColumn("track_ids", ids).drop("played_ids"), catalogue_recordings)
    return known.withColumn("affinity", F.log1p(F.col("willing").cast("double")) * fading).drop("age", "genre")


def _as_of(plays: DataFrame, listener_settings: DataFrame) -> DataFrame:
    last = plays.groupBy("user_id").agg(F.max("date").alias("last_date"))
    midnight = F.date_add("last_date", F.lit(1)).cast("timestamp")
    zones = listener_settings.select("user_id", "timezone")
    joined = last.join(F.broadcast(zones), on="user_id", how="left")
    return joined.select("user_id", F.to_utc_timestamp(midnight, F.coalesce("timezone", F.lit("UTC"))).alias("as_of"))


def _age_days() -> Column:
    seconds = (F.unix_micros("as_of") - F.unix_micros("played_at")) / F.lit(1e6)
    return F.greatest(F.lit(1.0), seconds / F.lit(DAY_SECONDS))


def _with_catalogue(heard: DataFrame, catalogue_recordings: DataFrame) -> DataFrame:
    """Adds the catalogue track of each recording, found by the id of the latest play, else by the recording."""
    names = {"track_id": "id", "explicit": "explicit", "genres": "genres"}
    by_id = catalogue_recordings.select("track_id", *[F.col(name).alias(f"own_{short}") for name, short in names.items()])
    first = catalogue_recordings.where("is_first")
    by_name = first.select("recording", *[F.col(name).alias(f"named_{short}") for name, short in names.items()])
    joined = heard.join(by_id, on="track_id", how="left").join(by_name, on="recording", how="left")
    told = {
        "catalogue_id": F.coalesce("own_id", "named_id"),
        "explicit": F.coalesce("own_explicit", "named_explicit", F.lit(False)),
        "genres": F.coalesce("own_genres", "named_genres", F.array_compact(F.array("genre"))),
    }
    return joined.withColumns(told).drop(*[f"{kind}_{short}" for kind in ("own", "named") for short in names.values()])
