"""Vectors of tracks from what they are: their sound, their genres, their artist; computed from what a model stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.unit_vectors import blended, matrix, unit_rows
from music.audio_features import CONTINUOUS

AUDIO_COMPONENTS = 7
AUDIO = AUDIO_COMPONENTS + 1
GENRE = 32
ARTIST = 16
GENRE_ARTIST = GENRE + ARTIST
# Standard deviations from which on an outlier is as far as any other.
FARTHEST = 3.0
# The last component of every audio vector before it gets unit length: the length that nine standardised features have on
# average. Without it the direction of tracks near the mean would be chance.
LIFT = 3.0
# What `vectors` reads of a track.
READ = ("track_id", "artist_key", "genres", *CONTINUOUS)


def vectors(tracks: Any, parameters: Mapping[str, Any], genres: pa.Table, profiles: np.ndarray) -> dict[str, np.ndarray]:
    """`audio`, `genre` and `artist` of an Arrow table (or batch) of tracks with the columns READ: unit rows, zeros where unknown.

    `genres` are the model's genre vectors, `profiles` those of the tracks' artists (a row per track, zeros where unknown).
    """
    features = np.column_stack([floats(tracks[name]) for name in CONTINUOUS])
    return {
        "audio": audio(features, parameters),
        "genre": unit_rows(_own_genres(tracks["genres"], genres) + profiles),
        "artist": artist(tracks["artist_key"]),
    }


def content(parts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Unit rows of audio, genre and artist in the model's proportion."""
    return blended([(parts[name], weights[name]) for name in ("audio", "genre", "artist")])


def genre_artist(parts: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Unit rows of genre and artist in the model's proportion."""
    return blended([(parts[name], weights[name]) for name in ("genre", "artist")])


def floats(column: Any) -> np.ndarray:
    """A numeric Arrow column; null is NaN."""
    values: np.ndarray = column.to_numpy() if isinstance(column, pa.ChunkedArray) else column.to_numpy(zero_copy_only=False)
    return values.astype(float)


def standardised(features: np.ndarray, parameters: Mapping[str, Any]) -> np.ndarray:
    """Features in deviations from the mean, cut at FARTHEST; a missing one counts as the mean."""
    values = (features - np.array(parameters["mean"])) / np.array(parameters["deviation"])
    cut: np.ndarray = np.clip(np.nan_to_num(values), -FARTHEST, FARTHEST)
    return cut


def audio(features: np.ndarray, parameters: Mapping[str, Any]) -> np.ndarray:
    """Standardised features on the principal components, lifted, as unit rows; zeros without any feature."""
    rotated = standardised(features, parameters) @ np.array(parameters["components"]).T
    is_known = ~np.isnan(features).all(axis=1, keepdims=True)
    return unit_rows(np.where(is_known, np.hstack([rotated, np.full((len(features), 1), LIFT)]), 0.0))


def _own_genres(listed: Any, genres: pa.Table) -> np.ndarray:
    """The mean direction of each track's genres; zeros without one that the model knows."""
    listed = listed.combine_chunks() if isinstance(listed, pa.ChunkedArray) else listed
    found = pc.index_in(listed.flatten(), genres["genre"].combine_chunks())
    parents = pc.list_parent_indices(listed).to_numpy(zero_copy_only=False)
    known = found.is_valid().to_numpy(zero_copy_only=False)
    summed = np.zeros((len(listed), GENRE))
    places = found.drop_null().to_numpy(zero_copy_only=False)
    np.add.at(summed, parents[known], matrix(genres["vector"], GENRE)[places])
    return unit_rows(summed)


def profiles_of(keys: Any, artists: pa.Table) -> np.ndarray:
    """The stored vectors of artists by key: a row per key, zeros for one that the model does not know."""
    keys = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    found = pc.index_in(keys, artists["artist_key"].combine_chunks())
    known = found.is_valid().to_numpy(zero_copy_only=False)
    profiles = np.zeros((len(keys), GENRE))
    profiles[known] = matrix(artists["vector"], GENRE)[found.drop_null().to_numpy(zero_copy_only=False)]
    return profiles


def artist(keys: Any) -> np.ndarray:
    """As many signs as dimensions, read from the digits of the artist's hash, as unit rows; zeros without an artist.

    Random indexing (Kanerva, Kristoferson & Holst, CogSci 2000): two artists' vectors are nearly orthogonal, their product
    has mean 0 and deviation 1/4, and an artist never seen before has one too.
    """
    names = [(key or "").ljust(ARTIST, " ")[:ARTIST] for key in keys.to_pylist()]
    digits = np.frombuffer("".join(names).encode(), dtype=np.uint8).reshape(-1, ARTIST)
    signs = np.where(digits >= ord("8"), 1.0, -1.0) * ARTIST**-0.5
    return np.where(digits == ord(" "), 0.0, signs)
