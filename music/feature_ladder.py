"""The feature ladder: where a track's audio features come from, the best source first."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from music.audio_features import CONTINUOUS, FEATURES

CARRIED = ("genres", "duration_ms", *FEATURES, "catalogue_source")


def with_features(
    tracks: DataFrame, catalogue: DataFrame, catalogue_names: DataFrame, catalogue_artists: DataFrame, track_features: DataFrame
) -> DataFrame:
    """Tracks (track_id, artist_key, name_key, ...) with what is known of each: one row per input row.

    Features come from the API, else from the catalogue by id, else by title and any credited artist, else they are the
    mean of the artist's catalogue tracks (continuous features only). Adds `feature_source` (null where nothing
    matches), `matched_track_id` (the catalogue track), `catalogue_source` (the catalogue that tells it), genres (else the
    artist's main genre, else empty), duration_ms.
    """
    by_id = catalogue.select("track_id", F.col("track_id").alias("id_track_id"), *_renamed("id", CARRIED))
    by_name = catalogue_names.select("name_key", F.col("track_id").alias("named_track_id"), *_renamed("named", CARRIED))
    by_artist = catalogue_artists.select("artist_key", "main_genre", "tracks", *_renamed("artist", CONTINUOUS))
    api = track_features.select("track_id", F.lit(True).alias("in_api"), *_renamed("api", FEATURES))
    joined = (
        tracks.join(by_id, on="track_id", how="left")
        .join(by_name, on="name_key", how="left")
        .join(by_artist, on="artist_key", how="left")
        .join(api, on="track_id", how="left")
    )
    source = (
        F.when(F.col("in_api"), "api")
        .when(F.col("id_track_id").isNotNull(), "kaggle_id")
        .when(F.col("named_track_id").isNotNull(), "kaggle_name")
        .when(F.col("tracks").isNotNull(), "artist_mean")
    )
    genre = F.when(F.col("main_genre").isNotNull(), F.array("main_genre")).otherwise(F.array().cast("array<string>"))
    # An empty list of genres in the catalogue says nothing, so the artist's is better.
    own_genres = [F.when(F.size(f"{rung}_genres") > 0, F.col(f"{rung}_genres")) for rung in ("id", "named")]
    return joined.withColumn("feature_source", source).select(
        *tracks.columns,
        "feature_source",
        F.coalesce("id_track_id", "named_track_id").alias("matched_track_id"),
        F.coalesce("id_catalogue_source", "named_catalogue_source").alias("catalogue_source"),
        F.coalesce(*own_genres, genre).alias("genres"),
        F.coalesce("id_duration_ms", "named_duration_ms").alias("duration_ms"),
        *[_of_rung(name).alias(name) for name in FEATURES],
    )


def _of_rung(feature: str) -> Column:
    """The feature's value from the rung that `feature_source` names; a rung that lacks it leaves it null."""
    rungs = {"api": "api", "kaggle_id": "id", "kaggle_name": "named"} | (
        {"artist_mean": "artist"} if feature in CONTINUOUS else {}
    )
    value = F.lit(None).cast("double")
    for source, prefix in rungs.items():
        value = F.when(F.col("feature_source") == source, F.col(f"{prefix}_{feature}")).otherwise(value)
    return value


def _renamed(prefix: str, names: tuple[str, ...]) -> list[Column]:
    return [F.col(name).alias(f"{prefix}_{name}") for name in names]
