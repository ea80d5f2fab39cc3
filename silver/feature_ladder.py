"""The feature ladder: where a heard track's audio features come from, the best source first."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from silver.features import CONTINUOUS, FEATURES
from silver.names import SEPARATOR, artist_key, folded


def heard_tracks(plays: DataFrame) -> DataFrame:
    """One row per track that any kept play holds, named as its latest play names it."""
    kept = plays.where(F.col("disposition") == "kept")
    latest = F.max_by(F.struct("track_name", "artist_name", "album_name"), F.struct("played_at", "play_id"))
    told = kept.groupBy("track_id").agg(latest.alias("told"))
    return told.select("track_id", *[F.col("told")[name].alias(name) for name in ("track_name", "artist_name", "album_name")])


def with_measured(heard: DataFrame, catalogue: DataFrame, track_features: DataFrame) -> DataFrame:
    """Heard tracks with measured features: from the API, else the catalogue by id, else by title and any credited artist.

    Of several catalogue tracks of one name the most popular counts, then the lowest id. Adds `feature_source`,
    `matched_track_id` (the catalogue track), `genres`, `duration_ms` and the features; null where nothing matches.
    """
    artists = catalogue.select(
        "track_id", "popularity", folded(F.col("track_name")).alias("title"), F.explode("artists").alias("artist")
    )
    named = artists.select(name_key("artist", "title"), (-F.col("popularity")).alias("unpopularity"), "track_id")
    best = (
        named.where("name_key IS NOT NULL")
        .groupBy("name_key")
        .agg(F.min_by("track_id", F.struct("unpopularity", "track_id")).alias("by_name"))
    )
    keyed = heard.select("*", name_key("artist_name", "track_name"))
    matched = (
        keyed.join(catalogue.select("track_id", F.col("track_id").alias("by_id")), on="track_id", how="left")
        .join(best, on="name_key", how="left")
        .withColumn("matched_track_id", F.coalesce("by_id", "by_name"))
    )
    told = catalogue.select(F.col("track_id").alias("matched_track_id"), "genres", "duration_ms", *_renamed("kaggle"))
    api = track_features.select("track_id", F.lit(True).alias("in_api"), *_renamed("api"))
    joined = matched.join(told, on="matched_track_id", how="left").join(api, on="track_id", how="left")
    source = (
        F.when(F.col("in_api"), "api")
        .when(F.col("by_id").isNotNull(), "kaggle_id")
        .when(F.col("by_name").isNotNull(), "kaggle_name")
    )
    features = [F.when(F.col("in_api"), F.col(f"api_{name}")).otherwise(F.col(f"kaggle_{name}")).alias(name) for name in FEATURES]
    own = ["track_id", "track_name", "artist_name", "album_name"]
    return joined.select(*own, "matched_track_id", "genres", "duration_ms", source.alias("feature_source"), *features)


def with_estimates(tracks: DataFrame, catalogue_artists: DataFrame) -> DataFrame:
    """Tracks without measured features get the mean of their artist's catalogue tracks (continuous features only).

    Genres too come from the artist where the track has none: the genre most of the artist's tracks stand under.
    """
    means = catalogue_artists.select("artist_key", "main_genre", *[F.col(name).alias(f"mean_{name}") for name in CONTINUOUS])
    joined = tracks.withColumn("artist_key", artist_key(F.col("artist_name"))).join(means, on="artist_key", how="left")
    is_estimated = F.col("feature_source").isNull() & F.col("mean_energy").isNotNull()
    features = [F.when(is_estimated, F.col(f"mean_{name}")).otherwise(F.col(name)).alias(name) for name in CONTINUOUS]
    kept = [name for name in tracks.columns if name not in (*CONTINUOUS, "feature_source", "genres")]
    genre = F.when(F.col("main_genre").isNotNull(), F.array("main_genre")).otherwise(F.array().cast("array<string>"))
    return joined.select(
        *kept,
        *features,
        F.when(is_estimated, "artist_mean").otherwise(F.col("feature_source")).alias("feature_source"),
        F.coalesce("genres", genre).alias("genres"),
    )


def name_key(artist: str, title: str) -> Column:
    """Case-folded artist and title in one; null when either is missing."""
    both = folded(F.col(artist)).isNotNull() & folded(F.col(title)).isNotNull()
    return F.when(both, F.concat_ws(SEPARATOR, folded(F.col(artist)), folded(F.col(title)))).alias("name_key")


def _renamed(prefix: str) -> list[Column]:
    return [F.col(name).alias(f"{prefix}_{name}") for name in FEATURES]
