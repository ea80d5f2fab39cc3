"""Four playlists for each listener, mostly of tracks the listener likes: Focus, Energy Boost, Relaxation and Mood Lift."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.prescriptive.explicit import without_explicit
from gold.prescriptive.playlists.playlists import (
    ARTIST_TRACKS,
    ENERGY,
    FOCUS,
    LIFT,
    PLAYLISTS,
    PURPOSES,
    RELAXATION,
    SIZE,
    band,
    by_playlist,
    order,
)
from gold.prescriptive.playlists.taste import (
    OFFERED,
    ORIGINS,
    TRACK,
    candidates,
    favourite_genres,
    heard_tracks,
    neighbours,
    present_valence,
)
from gold.prescriptive.wording import number, sentence, times
from lakehouse.declare import column, satisfies, table
from music.ranking import ranking
from music.small_groups import in_small_groups

POOL = 60
CORE = 10
COHERENCE_WEIGHT = 0.25


@table(
    "gold.personalized_playlist_suggestions",
    key=["user_id", "playlist_name", "position"],
    scope="user",
    schema=[
        column("user_id", "string", "listener"),
        column("playlist_name", "string", "Focus, Energy Boost, Relaxation or Mood Lift", one_of=PLAYLISTS),
        column("position", "int", "1 = first to play; up to 30", between=(1, SIZE)),
        column("playlist_purpose", "string", "purpose and ordering of the playlist", nullable=False),
        column("track_id", "string", "track", nullable=False),
        column("recording_id", "string", "recording of the track", nullable=False),
        column("track_name", "string", "title"),
        column("artist_name", "string", "artist"),
        column("play_count", "bigint", "the listener's listens of the track; 0 if never heard", nullable=False),
        column("skips", "bigint", "how often the listener skipped the track", nullable=False),
        column(
            "origin",
            "string",
            "liked (3 listens or more), heard, genre (from the catalogue) or popular",
            nullable=False,
            one_of=ORIGINS,
        ),
        column("score", "double", "combined score of fit, liking or popularity, and coherence; higher is better", nullable=False),
        column("fit", "double", "how well the track's features match the playlist, 0-1", nullable=False, between=(0, 1)),
        column(
            "coherence",
            "double",
            "share (0-1) of the artists of the playlist's 10 leading tracks that the listener plays next to this artist",
            nullable=False,
            between=(0, 1),
        ),
        column("together_with", "string", "one of those artists; null if there is none"),
        column("valence", "double", "the track's valence, 0-1", nullable=False),
        column("energy", "double", "the track's energy, 0-1", nullable=False),
        column("tempo", "double", "beats per minute; null where unknown"),
        column("is_measured", "boolean", "features are measured; false if they are the artist's mean", nullable=False),
        column(
            "start_valence",
            "double",
            "mean valence of the listener's last 20 listens with a known value; 0.5 without any",
            nullable=False,
        ),
        column("reason", "string", "reason for the suggestion, in words and figures", nullable=False),
    ],
    rules=[
        satisfies(
            "Mood Lift starts at the present mood",
            ["playlist_name", "valence", "start_valence"],
            lambda: (F.col("playlist_name") != LIFT) | (F.col("valence") >= F.col("start_valence")),
        )
    ],
)
def personalized_playlist_suggestions(
    listening_with_features: DataFrame,
    listener_settings: DataFrame,
    playlist_catalogue: DataFrame,
    catalogue_recordings: DataFrame,
    dislikes: DataFrame,
    *,
    exclude_explicit: bool,
) -> DataFrame:
    """One row per listener, playlist and position: 30 tracks per playlist, fewer if the catalogue has no more.

    Liked tracks come first (at least 3 listens, at most half of the plays skipped), then tracks heard less often, catalogue
    tracks of the listener's 3 most played genres, and popular tracks. Each recording appears under one id, with at most 3
    tracks per artist, no disliked tracks and known features only. Tracks whose artists the listener plays next to the
    playlist's leading artists are preferred. Mood Lift takes tracks from each tenth of the way up from the current mood.
    """
    heard = heard_tracks(listening_with_features)
    listeners = listener_settings.select("user_id").join(present_valence(listening_with_features), "user_id", "left")
    rows = candidates(heard, favourite_genres(listening_with_features), listeners, playlist_catalogue)
    allowed = rows.join(dislikes.select("user_id", "track_id"), ["user_id", "track_id"], "left_anti")
    if exclude_explicit:
        allowed = without_explicit(allowed, catalogue_recordings)
    started = allowed.withColumn("band", band(F.col("start_valence"))).where(F.col("band") >= 0)
    pool = _ranked(_one_recording_and_few_of_an_artist(started), POOL)
    coherent = _with_coherence(pool, neighbours(listening_with_features))
    chosen = _ranked(coherent, SIZE)
    in_order = Window.partitionBy("user_id", "playlist_name").orderBy(order(), "track_id")
    return chosen.select(
        *["user_id", "playlist_name"],
        F.row_number().over(in_order).alias("position"),
        by_playlist({name: F.lit(purpose) for name, purpose in PURPOSES.items()}).alias("playlist_purpose"),
        "track_id",
        F.col("recording").alias("recording_id"),
        *["track_name", "artist_name"],
        F.col("listens").alias("play_count"),
        "skips",
        F.element_at(F.array(*[F.lit(origin) for origin in ORIGINS]), F.col("layer")).alias("origin"),
        *["score", "fit", "coherence", "together_with", "valence", "energy", "tempo", "is_measured", "start_valence"],
        _reason().alias("reason"),
    )


def _one_recording_and_few_of_an_artist(rows: DataFrame) -> DataFrame:
    carried = (*TRACK, "listens", "skips", "told", "fit", "is_measured", "layer", "score", *OFFERED, "start_valence", "band")
    best = [F.col("layer"), -F.col("score"), F.col("track_id")]
    # A track of several favourite genres is there once for each.
    genre = [F.coalesce(-F.col("genre_listens"), F.lit(0)), F.coalesce("genre", F.lit(""))]
    once = in_small_groups(rows, ["user_id", "playlist_name", "recording"], [*best, *genre], carried, 1)
    kept = ("recording", *[name for name in carried if name != "artist_key"])
    few = in_small_groups(once, ["user_id", "playlist_name", "artist_key"], best, kept, ARTIST_TRACKS)
    return few.drop("place")


def _ranked(rows: DataFrame, size: int) -> DataFrame:
    """The best `size` rows of each playlist with their `place`; Mood Lift takes tracks from each tenth of the climb in turn."""
    of_band = Window.partitionBy("user_id", "playlist_name", "band").orderBy("layer", F.desc("score"), "track_id")
    placed = rows.withColumn("turn", F.row_number().over(of_band))
    of_list = Window.partitionBy("user_id", "playlist_name").orderBy("turn", "band", "track_id")
    return placed.withColumn("place", F.row_number().over(of_list)).where(F.col("place") <= size)


def _with_coherence(pool: DataFrame, neighbours: DataFrame) -> DataFrame:
    """Adds `coherence` (which also raises the score) and `together_with`, from the artists of the playlist's CORE best tracks."""
    whole = Window.partitionBy("user_id", "playlist_name")
    leading = F.collect_list(F.when(F.col("place") <= CORE, F.struct("place", "artist_name"))).over(
        whole.orderBy("place").rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    )
    # The embedded engine keeps nulls in a list collected over a window.
    first = F.array_sort(F.filter(leading, lambda entry: entry["artist_name"].isNotNull()))
    core = F.array_distinct(F.transform(first, lambda entry: entry["artist_name"]))
    joined = pool.withColumn("core", core).join(neighbours, ["user_id", "artist_name"], "left")
    common = F.coalesce(F.array_intersect("core", "neighbours"), F.array().cast("array<string>"))
    shared = joined.withColumn("common", common)
    coherence = F.size("common") / F.greatest(F.size("core"), F.lit(1)).cast("double")
    return shared.withColumns({"coherence": coherence, "together_with": F.get("common", F.lit(0))}).withColumn(
        "score", ranking(F.col("score") + F.lit(COHERENCE_WEIGHT) * F.col("coherence"))
    )


def _reason() -> Column:
    skipped = sentence(", skipped in ", F.col("skips").cast("string"), " of ", F.col("told").cast("string"), " plays")
    own = sentence("You listened to it ", times(F.col("listens")), F.when(F.col("told") > 0, skipped))
    popularity = sentence(" (popularity ", F.col("popularity").cast("string"), " of 100)")
    genre = sentence(
        "New to you, from the catalogue: ",
        *[F.col("genre"), F.lit(" is one of your most played genres (")],
        *[F.col("genre_listens").cast("string"), F.when(F.col("genre_listens") == 1, " listen)").otherwise(" listens)")],
    )
    origin = (
        F.when(F.col("layer") <= 2, own).when(F.col("layer") == 3, genre).otherwise(sentence("New to you, popular", popularity))
    )
    energy, valence = number(F.col("energy")), number(F.col("valence"))
    # What is not the track's own figure is told beside the figures it concerns, before what is not the track's.
    estimated = F.when(~F.col("is_measured"), " (its artist's mean)")
    traits = {
        FOCUS: sentence("instrumental ", number(F.col("instrumentalness")), ", speech ", number(F.col("speechiness")), estimated),
        ENERGY: sentence("energy ", energy, ", ", number(F.col("tempo"), 0), " beats a minute", estimated),
        RELAXATION: sentence("energy ", energy, ", acoustic ", number(F.col("acousticness")), estimated),
        LIFT: sentence("valence ", valence, estimated, ", your last listens ", number(F.col("start_valence"))),
    }
    beside = F.when(F.col("together_with").isNotNull(), sentence("; you have played its artist next to ", F.col("together_with")))
    return sentence(origin, beside, "; ", by_playlist(traits), ".")
