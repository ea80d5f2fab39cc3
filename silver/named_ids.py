"""The one name of each track id, and which ids share a name: those whose shown artist and plain title agree when folded."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import column, table
from music.catalogues import preference
from music.names import hashed, name_key, with_folded
from music.populations import is_synthetic_play
from silver.duplicates import valid


def tracks_in_files(changed: DataFrame, rows: DataFrame) -> DataFrame:
    """The tracks with rows in the changed files: one row (track_id) each."""
    return (
        rows.join(F.broadcast(changed), on="file_hash", how="left_semi")
        .where("track_id IS NOT NULL")
        .select("track_id")
        .distinct()
    )


@table(
    "silver.named_ids",
    key=["track_id"],
    scope="entity",
    schema=[
        column("track_id", "string", "Spotify id, or local: + hash of folded artist and title"),
        column("name_id", "string", "hash of folded artist and plain title; of the id where these are unknown", nullable=False),
        column(
            "track_name", "string", "shown title: the catalogue's, else the commonest in plays of real listeners, else of others"
        ),
        column("artist_name", "string", "shown artist, chosen with the title"),
        column("in_catalogue", "boolean", "the catalogue has this id", nullable=False),
        column("preference", "string", "order of the tracks of one name in the catalogues, least first; null for other tracks"),
        column("by_real", "boolean", "a real listener has valid rows with this id", nullable=False),
        column("is_heard", "boolean", "the history has valid rows with this id", nullable=False),
    ],
    touches={"typed_history": (tracks_in_files, "typed_history")},
)
def named_ids(typed_history: DataFrame, catalogue: DataFrame, names: DataFrame) -> DataFrame:
    """One row per track id of the history or the catalogue. Each id has one name, so names do not chain."""
    heard, listed = _heard(typed_history), _listed(catalogue, names)
    joined = listed.join(heard, on="track_id", how="full")
    is_listed = F.coalesce("is_listed", F.lit(False))
    key = F.when(is_listed, F.coalesce("listed_key", "heard_key")).otherwise(F.col("heard_key"))
    return joined.select(
        "track_id",
        F.coalesce(key, hashed(F.col("track_id"))).alias("name_id"),
        F.coalesce("listed_track_name", "heard_track_name").alias("track_name"),
        F.coalesce("listed_artist_name", "heard_artist_name").alias("artist_name"),
        is_listed.alias("in_catalogue"),
        "preference",
        F.coalesce("by_real", F.lit(False)).alias("by_real"),
        F.col("by_real").isNotNull().alias("is_heard"),
    )


def _listed(catalogue: DataFrame, names: DataFrame) -> DataFrame:
    first = F.get("artists", F.lit(0))
    place, unpopularity = preference()
    order = F.concat_ws(" ", place.cast("string"), F.lpad(unpopularity.cast("string"), 3, "0")).alias("preference")
    tracks = catalogue.select("track_id", "track_name", first.alias("artist_name"), order)
    forms = {
        "track_name": {"title": "plain_title", "is_track_placeholder": "is_placeholder"},
        "artist_name": {"artist": "folded", "is_artist_placeholder": "is_placeholder"},
    }
    is_named = ~(F.col("is_track_placeholder") | F.col("is_artist_placeholder"))
    return with_folded(tracks, names, forms).select(
        "track_id",
        F.lit(True).alias("is_listed"),
        "preference",
        F.col("track_name").alias("listed_track_name"),
        F.col("artist_name").alias("listed_artist_name"),
        F.when(is_named, name_key(F.col("artist"), F.col("title"))).alias("listed_key"),
    )


def _heard(typed_history: DataFrame) -> DataFrame:
    """One row per track id of the history: the name that most rows of real listeners have, the latest of equally common ones."""
    counted = (
        valid(typed_history)
        .groupBy("track_id", "name_key", "track_name", "artist_name")
        .agg(
            F.count_if(~is_synthetic_play()).alias("real"),
            F.count(F.lit(1)).alias("rows"),
            F.max(F.unix_micros("played_at")).alias("last"),
        )
    )
    spelling = F.struct("real", "rows", "last", F.concat_ws(" ", "artist_name", "track_name").alias("text"))
    by_key = counted.groupBy("track_id", "name_key").agg(
        *[F.max_by(name, spelling).alias(name) for name in ("track_name", "artist_name")],
        *[F.sum(name).alias(name) for name in ("real", "rows")],
        F.max("last").alias("last"),
    )
    # Rows without a name say nothing of it, however many there are; synthetic rows say nothing of what a real listener hears.
    is_named, is_real = F.col("name_key").isNotNull(), F.col("real") > 0
    weights = [(is_named & is_real).alias("named_by_real"), is_real.alias("by_real"), is_named.alias("named")]
    common = F.struct(*weights, "real", "rows", "last", F.coalesce("name_key", F.lit("")).alias("key"))
    return by_key.groupBy("track_id").agg(
        F.max_by("name_key", common).alias("heard_key"),
        *[F.max_by(name, common).alias(f"heard_{name}") for name in ("track_name", "artist_name")],
        (F.sum("real") > 0).alias("by_real"),
    )
