"""Which tracks does a listener play most in each mood?"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.descriptive.figures import as_minutes, listen_count, ms_total, no_more, play_count, with_labels
from lakehouse.declare import column, table
from music.audio_features import LADDER, STAND_IN
from music.listening import measured_share_of_listens, mood_not_synthetic
from music.moods import MOODS

TOP = 50
FEATURES = ("valence", "energy", "danceability", "tempo")
LABELS = ("recording_id", "track_name", "artist_name", *FEATURES, "feature_source")


@table(
    "gold.top_tracks_by_mood",
    key=["user_id", "mood_category", "rank_in_category"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("mood_category", "string", "mood quadrant by valence and energy; never from synthetic features", one_of=MOODS),
        column(
            "rank_in_category", "int", "1 = most listens; ties go to most ms, then lowest track_id; up to 50", between=(1, TOP)
        ),
        column(
            "track_id", "string", "Spotify id, or local: + hash of artist and title; represents its recording", nullable=False
        ),
        column("recording_id", "string", "recording of the track", nullable=False),
        column("track_name", "string", "as named on the latest play"),
        column("artist_name", "string", "as named on the latest play"),
        column("listen_count", "bigint", "plays of 30 s or more", nullable=False, at_least=1),
        column("play_count", "bigint", "plays, short ones included", nullable=False),
        column("minutes", "double", "minutes listened, short plays included", nullable=False, at_least=0),
        column("valence", "double", "musical positiveness of the track, 0-1", between=(0, 1)),
        column("energy", "double", "perceived intensity of the track, 0-1", between=(0, 1)),
        column("danceability", "double", "suitability for dancing, 0-1", between=(0, 1)),
        column("tempo", "double", "beats per minute; null where the source has no value"),
        column(
            "feature_source",
            "string",
            "rung of the feature ladder that the features come from",
            nullable=False,
            one_of=[rung for rung in LADDER if rung != STAND_IN],
        ),
        column("measured_share", "double", "share (0-1) of listens with measured features", nullable=False, between=(0, 1)),
    ],
    rules=[no_more("listen_count", "play_count")],
)
def top_tracks_by_mood(listening_with_features: DataFrame) -> DataFrame:
    """One row per listener, mood and rank: the 50 tracks of the mood with the most listens.

    Tracks without features, with synthetic features or without a listen have no row. If a track's features changed between
    plays, names and features are those of its latest play in the mood.
    """
    tracks = (
        listening_with_features.withColumn("mood_category", mood_not_synthetic())
        .where("mood_category IS NOT NULL")
        .groupBy("user_id", "mood_category", "track_id")
        .agg(
            listen_count().alias("listen_count"),
            play_count().alias("play_count"),
            ms_total().alias("ms"),
            measured_share_of_listens().alias("measured_share"),
            F.max("play_number").alias("latest"),
        )
        .where("listen_count > 0")
    )
    order = Window.partitionBy("user_id", "mood_category").orderBy(F.desc("listen_count"), F.desc("ms"), "track_id")
    ranked = tracks.withColumn("rank_in_category", F.row_number().over(order)).where(F.col("rank_in_category") <= TOP)
    return with_labels(ranked, listening_with_features, LABELS).select(
        "user_id",
        "mood_category",
        "rank_in_category",
        "track_id",
        *LABELS,
        "listen_count",
        "play_count",
        as_minutes(F.col("ms")).alias("minutes"),
        "measured_share",
    )
