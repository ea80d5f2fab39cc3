"""The audio features every layer above bronze shares: their names, ranges and units, and the order of the feature ladder."""

from __future__ import annotations

from lakehouse.declare import Column, column

CONTINUOUS = (
    "danceability",
    "energy",
    "valence",
    "acousticness",
    "instrumentalness",
    "speechiness",
    "liveness",
    "loudness",
    "tempo",
)
FEATURES = (*CONTINUOUS, "time_signature", "key", "mode")

# Ranges of Spotify's audio-features reference; 0 for tempo and time_signature means "not found", so it is impossible.
RANGES = {
    **dict.fromkeys(CONTINUOUS[:7], (0.0, 1.0)),
    "loudness": (-60.0, 10.0),
    "tempo": (1.0, 300.0),
    "time_signature": (1, 7),
    "key": (0, 11),
    "mode": (0, 1),
}
# What else a catalogue states about a track.
CATALOGUE_RANGES = {**RANGES, "popularity": (0, 100), "duration_ms": (1, 24 * 3_600_000)}
INTEGERS = ("popularity", "duration_ms", "time_signature", "key", "mode")

LADDER = ("api", "kaggle_id", "kaggle_name", "artist_mean", "synthetic")
MEASURED = LADDER[:3]
STAND_IN = LADDER[-1]
"""The rung of made-up values, which enter no statistic and no model."""

FEATURE_COLUMNS: tuple[Column, ...] = (
    column("danceability", "double", "suitability for dancing, 0-1", between=RANGES["danceability"]),
    column("energy", "double", "perceived intensity, 0-1", between=RANGES["energy"]),
    column("valence", "double", "musical positiveness, 0-1", between=RANGES["valence"]),
    column("acousticness", "double", "confidence that the track is acoustic, 0-1", between=RANGES["acousticness"]),
    column("instrumentalness", "double", "confidence that the track has no vocals, 0-1", between=RANGES["instrumentalness"]),
    column("speechiness", "double", "share of spoken words, 0-1", between=RANGES["speechiness"]),
    column("liveness", "double", "confidence that the track was recorded live, 0-1", between=RANGES["liveness"]),
    column("loudness", "double", "average loudness, dB", between=RANGES["loudness"]),
    column("tempo", "double", "beats per minute; null where the source has no value", between=RANGES["tempo"]),
    column("time_signature", "int", "beats per bar; null where the source has no value", between=RANGES["time_signature"]),
    column("key", "int", "pitch class, 0 = C; null where unknown", between=RANGES["key"]),
    column("mode", "int", "1 = major, 0 = minor", between=RANGES["mode"]),
)
