"""The playlists: the purpose of each, how well tracks fit it, and its playing order."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from music.statistics import ratio

FOCUS, ENERGY, RELAXATION, LIFT = "Focus", "Energy Boost", "Relaxation", "Mood Lift"
PURPOSES: Mapping[str, str] = {
    FOCUS: "few words, much instrumental music, neither sleepy nor loud; the most fitting first",
    ENERGY: "lively, fast and danceable; it gets livelier from track to track",
    RELAXATION: "calm and acoustic; it gets calmer from track to track",
    LIFT: "starts at the mood of your last listens and gets brighter from track to track",
}
PLAYLISTS = tuple(PURPOSES)
FEATURES = ("valence", "energy", "danceability", "acousticness", "instrumentalness", "speechiness", "tempo")
# Above a third, a track may hold both music and speech (Spotify's audio-features reference, speechiness).
SPOKEN = 0.33
FASTEST = 180.0
SIZE = 30
ARTIST_TRACKS = 3


def fits() -> Column:
    """An array of (playlist_name, fit): how well a track's features fit each playlist, 0-1; null if they do not fit.

    Ranges are on Spotify's scales and set by hand. Every music track with known valence fits Mood Lift; `band` gives its
    place on the climb.
    """
    valence, energy, dance, acoustic, instrumental, speech, tempo = (F.col(name) for name in FEATURES)
    half, quarter, one = F.lit(0.5), F.lit(0.25), F.lit(1.0)
    is_music = speech < SPOKEN
    middling = one - F.abs(energy - half) / half
    fast = F.least(tempo, F.lit(FASTEST)) / F.lit(FASTEST)
    by_name = {
        FOCUS: F.when(
            is_music & (instrumental >= 0.1) & energy.between(0.15, 0.75),
            half * instrumental + quarter * middling + quarter * (one - speech),
        ),
        ENERGY: F.when((energy >= 0.7) & (tempo >= 100), half * energy + quarter * dance + quarter * fast),
        RELAXATION: F.when(is_music & (energy <= 0.45), half * (one - energy) + half * acoustic),
        LIFT: F.when(valence.isNotNull() & is_music, half * dance + half * middling),
    }
    return F.array(*[F.struct(F.lit(name).alias("playlist_name"), fit.alias("fit")) for name, fit in by_name.items()])


def band(start: Column) -> Column:
    """The tenth (0-9) of the way from `start` to 1 that a track's valence is in for Mood Lift; 0 for other playlists."""
    tenth = F.floor(ratio(F.col("valence") - start, F.lit(1.0) - start) * F.lit(10)).cast("int")
    return F.when(F.col("playlist_name") == LIFT, F.coalesce(F.least(tenth, F.lit(9)), F.lit(9))).otherwise(F.lit(0))


def order() -> Column:
    """What a playlist's tracks are sorted by, ascending."""
    return by_playlist({FOCUS: -F.col("score"), ENERGY: F.col("energy"), RELAXATION: -F.col("energy"), LIFT: F.col("valence")})


def by_playlist(values: Mapping[str, Column]) -> Column:
    """The value for the row's playlist_name."""
    cases = [(F.col("playlist_name") == name, value) for name, value in values.items()]
    return reduce(lambda chain, case: chain.when(*case), cases[1:], F.when(*cases[0]))
