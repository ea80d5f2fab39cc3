"""Which catalogue tracks are most similar to each catalogue track, and what do they share?"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.declare import Model, column, satisfies, table
from music.moods import mood_category

NEIGHBOURS = 20
# Beats per minute up to which two tempos pass for the same: the share within which DJs match tempos, of 120.
SAME_TEMPO = 0.06
SCORE_DIGITS = 6


@table(
    "gold.similar_tracks",
    key=["track_id", "rank"],
    scope="entity",
    schema=[
        column("track_id", "string", "catalogue track"),
        column("recording_id", "string", "recording of the track", nullable=False),
        column("rank", "int", "1 = most similar; ties go to the lowest similar_track_id", between=(1, NEIGHBOURS)),
        column("similar_track_id", "string", "catalogue track of another recording", nullable=False),
        column(
            "score",
            "double",
            "cosine of the two content vectors (audio, genre, artist), -1 to 1",
            nullable=False,
            between=(-1 - 1e-9, 1 + 1e-9),
        ),
        column("is_same_artist", "boolean", "same first artist", nullable=False),
        column("shared_genres", "int", "number of shared genres", nullable=False, at_least=0),
        column("is_same_tempo", "boolean", "tempos within 6% of each other; null if either is unknown"),
        column("is_same_mood", "boolean", "same mood_category; null if either is unknown"),
        column("reason", "string", "what the tracks share, in words; `similar sound` if nothing else", nullable=False),
        column("model_id", "string", "model that found the neighbour", nullable=False),
    ],
    rules=[
        satisfies(
            "no track is similar to itself",
            ["track_id", "similar_track_id"],
            lambda: F.col("track_id") != F.col("similar_track_id"),
        )
    ],
)
def similar_tracks(catalogue: DataFrame, catalogue_recordings: DataFrame, track_neighbours: Model) -> DataFrame:
    """One row per catalogue track and rank, 1 to 20; fewer if the catalogue has fewer other recordings.

    The table depends on the catalogue only: new plays change nothing.
    """
    artists = catalogue_recordings.select(
        "track_id", F.col("recording").alias("recording_id"), F.col("artist_key").alias("artist")
    )
    described = catalogue.join(artists, on="track_id", how="inner").select(
        *["track_id", "recording_id", "artist"],
        "genres",
        "tempo",
        mood_category(F.col("valence"), F.col("energy")).alias("mood"),
    )
    placed = track_neighbours.frame("tracks").join(described, on="track_id", how="inner")
    other = placed.select(*[F.col(name).alias(f"similar_{name}") for name in placed.columns])
    neighbours = track_neighbours.frame("neighbours")
    first = neighbours.join(F.broadcast(placed), on="place", how="inner")
    pairs = first.join(F.broadcast(other), on="similar_place", how="inner")
    shared = pairs.select(
        *["track_id", "recording_id", "rank", "similar_track_id"],
        F.round(F.col("score").cast("double"), SCORE_DIGITS).alias("score"),
        F.coalesce(F.col("artist") == F.col("similar_artist"), F.lit(False)).alias("is_same_artist"),
        F.size(F.array_intersect("genres", "similar_genres")).alias("shared_genres"),
        (F.abs(F.col("tempo") - F.col("similar_tempo")) <= SAME_TEMPO * F.least("tempo", "similar_tempo")).alias("is_same_tempo"),
        (F.col("mood") == F.col("similar_mood")).alias("is_same_mood"),
    )
    return shared.select("*", _reason().alias("reason"), F.lit(track_neighbours.id).alias("model_id"))


def _reason() -> Column:
    shared = F.concat_ws(
        ", ",
        F.when(F.col("is_same_artist"), "artist"),
        F.when(F.col("shared_genres") > 0, "genre"),
        F.when(F.col("is_same_tempo"), "tempo"),
        F.when(F.col("is_same_mood"), "mood"),
    )
    return F.when(shared == "", "similar sound").otherwise(F.concat(F.lit("similar sound; same "), shared))
