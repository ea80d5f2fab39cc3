"""Why a track is recommended, in a sentence whose figures a listener can check."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.prescriptive.wording import sentence, times


def with_seed_names(recommended: DataFrame, heard: DataFrame, *, with_artists: bool) -> DataFrame:
    """Adds `seed_track` and `seed_artist`: names of the recording or artist that a row's reason comes from, as last played."""
    named = heard.select(
        "user_id",
        F.col("recording").alias("seed"),
        F.col("track_name").alias("seed_track"),
        F.col("artist_name").alias("seed_artist"),
    )
    if not with_artists:
        return recommended.join(named, on=["user_id", "seed"], how="left")
    artists = (
        heard.where("artist_key IS NOT NULL")
        .groupBy("user_id", F.col("artist_key").alias("seed"))
        .agg(F.lit(None).cast("string").alias("seed_track"), F.max("artist_name").alias("seed_artist"))
    )
    return recommended.join(named.unionByName(artists), on=["user_id", "seed"], how="left")


def reason() -> Column:
    """The sentence, with only what the row's listener, track and model support."""
    seed = sentence(
        "“", F.col("seed_track"), "”", F.when(F.col("seed_artist").isNotNull(), sentence(" by ", F.col("seed_artist")))
    )
    you_listened = sentence(", which you listened to ", times(F.col("seed_count")))
    count, of, seeds = (F.col(name).cast("string") for name in ("support", "support_of", "seed_count"))
    return (
        F.when(F.col("source") == "heard", _own())
        .when(F.col("source") == "content", sentence("Close in sound, genre and artist to ", seed, you_listened))
        .when(
            F.col("source") == "listeners",
            sentence("Among the most played of ", count, " listeners together with ", seed, you_listened),
        )
        .when(
            F.col("source") == "collaborative", sentence("Near your taste among ", of, " listeners; ", count, " of them know it")
        )
        .when(
            F.col("source") == "artist",
            sentence("By ", F.col("primary_artist"), ", to whom you listened ", times(F.col("seed_count"))),
        )
        .when(
            F.col("source") == "similar_artist",
            sentence("By an artist like ", F.col("seed_artist"), ", to whom you listened ", times(F.col("seed_count"))),
        )
        .when(
            F.col("source") == "genre",
            sentence("Popular (", count, " of 100) in ", F.col("seed"), ", the genre of ", seeds, " of your ", of, " listens"),
        )
        .otherwise(sentence("Popular with everybody: ", count, " of 100 in the catalogue"))
    )


def _own() -> Column:
    day = F.date_format("last_played_at", "yyyy-MM-dd")
    return sentence("You listened to it ", times(F.col("seed_count")), ", the last time it played was ", day, " (UTC)")
