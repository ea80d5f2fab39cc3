"""The names that a listener sees: the spelling that is commonest in the listener's own plays."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

RECORDING = ("user_id", "recording_id")
SHOWN = ("track_name", "artist_name", "artist_key")


def with_shown_names(plays: DataFrame) -> DataFrame:
    """The plays with one title and artist per listener and recording, and one spelling per listener and artist.

    `plays` have the names of their source (SHOWN) and, for a recording whose name no play of the listener has, those of the track
    (`any_` + name). The commonest spelling wins, of equally common ones the latest. A play without a name is shown under that of
    its recording.
    """
    spelled = plays.groupBy(*RECORDING, *SHOWN).agg(F.count(F.lit(1)).alias("plays"), F.max("played_at").alias("last"))
    shown = _recordings(spelled).drop("artist_name").join(_artists(spelled), on=["user_id", "artist_key"], how="left")
    own = shown.select(*RECORDING, *[F.col(name).alias(f"own_{name}") for name in SHOWN])
    joined = plays.join(own, on=list(RECORDING), how="left")
    return joined.withColumns({name: F.coalesce(f"own_{name}", f"any_{name}") for name in SHOWN})


def _recordings(spelled: DataFrame) -> DataFrame:
    """One row per listener and recording: its names in most plays; rows without any name do not count."""
    is_named = F.col("track_name").isNotNull() & F.col("artist_name").isNotNull()
    common = F.struct(
        is_named.alias("named"), "plays", "last", F.concat_ws(" ", "track_name", "artist_name", "artist_key").alias("text")
    )
    is_told = F.col("track_name").isNotNull() | F.col("artist_name").isNotNull()
    return spelled.where(is_told).groupBy(*RECORDING).agg(*[F.max_by(name, common).alias(name) for name in SHOWN])


def _artists(spelled: DataFrame) -> DataFrame:
    """One row (user_id, artist_key, artist_name) per listener and artist: the spelling in most plays."""
    counted = spelled.where("artist_key IS NOT NULL").groupBy("user_id", "artist_key", "artist_name")
    totals = counted.agg(F.sum("plays").alias("plays"), F.max("last").alias("last"))
    common = F.struct("plays", "last", "artist_name")
    return totals.groupBy("user_id", "artist_key").agg(F.max_by("artist_name", common).alias("artist_name"))
