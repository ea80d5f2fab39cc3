"""Catalogue tracks for playlists, by genre: they fill the playlists of listeners with few plays."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.prescriptive.playlists.playlists import ARTIST_TRACKS, FEATURES, LIFT, PLAYLISTS, fits
from lakehouse.declare import column, table
from music.ranking import ranking
from music.small_groups import in_small_groups

ANY_GENRE = "any genre"
TOP = 40
A_TENTH = 12


@table(
    "gold.playlist_catalogue",
    key=["playlist_name", "genre", "rank"],
    scope="whole",
    schema=[
        column("playlist_name", "string", "Focus, Energy Boost, Relaxation or Mood Lift", one_of=PLAYLISTS),
        column("genre", "string", "genre of the catalogue, or 'any genre'"),
        column("rank", "int", "1 = best by fit and popularity; 40 per genre; for Mood Lift, 12 per tenth of valence"),
        column("track_id", "string", "Spotify id", nullable=False),
        column("track_name", "string", "title"),
        column("artist_name", "string", "first credited artist", nullable=False),
        column("artist_key", "string", "hash of the folded first artist", nullable=False),
        column("recording", "string", "recording_id of silver.recordings", nullable=False),
        column("popularity", "int", "popularity to compare tracks by, 0-100", nullable=False, between=(0, 100)),
        column("fit", "double", "how well the features match the playlist, 0-1", nullable=False, between=(0, 1)),
        *[column(name, "double", f"{name} of the track") for name in FEATURES],
    ],
)
def playlist_catalogue(catalogue: DataFrame, catalogue_recordings: DataFrame, *, exclude_explicit: bool) -> DataFrame:
    """One row per playlist, genre and rank: catalogue tracks, one id per recording, at most 3 per artist."""
    shown = catalogue.where(~F.coalesce("explicit", F.lit(False))) if exclude_explicit else catalogue
    told = ("track_id", "track_name", "popularity", *FEATURES)
    keys = catalogue_recordings.select("track_id", F.col("primary_artist").alias("artist_name"), "artist_key", "recording")
    named = (
        shown.withColumn("popularity", F.col("comparable_popularity"))
        .select(*told, "genres")
        .join(keys, on="track_id", how="inner")
        .where("artist_key IS NOT NULL AND track_name IS NOT NULL")
    )
    of_track = (*told, "genres", "artist_name", "artist_key")
    once = in_small_groups(named, ["recording"], [-F.col("popularity"), F.col("track_id")], of_track, 1).drop("place")
    fitting = once.select("*", F.explode(fits()).alias("fitting")).select("*", "fitting.*").where("fit IS NOT NULL")
    scored = fitting.select(
        *["playlist_name", *told, "artist_name", "artist_key", "recording", "fit"],
        ranking(F.col("fit") + F.col("popularity") / F.lit(100.0)).alias("score"),
        F.when(F.col("playlist_name") == LIFT, F.floor(F.col("valence") * F.lit(10))).otherwise(F.lit(0)).alias("tenth"),
        F.explode(F.array_union(F.array(F.lit(ANY_GENRE)), "genres")).alias("genre"),
    )
    of_list = ("playlist_name", "genre")
    best = (F.desc("score"), "track_id")
    of_artist, scored_columns = (*of_list, "tenth", "artist_key"), (*told, "artist_name", "recording", "fit", "score")
    capped = in_small_groups(scored, of_artist, [-F.col("score"), F.col("track_id")], scored_columns, ARTIST_TRACKS).drop("place")
    placed = capped.withColumn("place", F.row_number().over(Window.partitionBy(*of_list, "tenth").orderBy(*best)))
    kept = placed.where(F.col("place") <= F.when(F.col("playlist_name") == LIFT, A_TENTH).otherwise(TOP))
    ranked = kept.withColumn("rank", F.row_number().over(Window.partitionBy(*of_list).orderBy(*best)))
    return ranked.select(*of_list, "rank", *told, "artist_name", "artist_key", "recording", "fit")
