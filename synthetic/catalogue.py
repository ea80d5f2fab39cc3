"""The catalogue as the model needs it: tracks as arrays, grouped by genre and artist, artists weighted by popularity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingestion.csv_rows import header_of, read_csv
from lakehouse.declare import SAMPLE_BYTES, BrokenFileError, Sample
from synthetic.draws import Floats, Ints
from synthetic.folder import sha256_of

COLUMNS = ("track_id", "artists", "album_name", "track_name", "track_genre")
NUMBERS = ("popularity", "duration_ms", "danceability", "valence", "tempo")
TRACK_ID = "^[0-9A-Za-z]{22}$"
# Zipf-Mandelbrot with an exponential cut-off, weight (rank + head)^-s * exp(-rank / tail); head and tail are shares of the
# number of artists. Fitted to HetRec 2011 Last.fm: top 1% of artists 52% of plays, top 10% 85%, Gini .893.
POPULARITY_EXPONENT = 1.08
POPULARITY_HEAD = 0.0005
POPULARITY_TAIL = 0.38


class CatalogueError(ValueError):
    """A file that cannot serve as the catalogue; the message says why."""


@dataclass(frozen=True)
class Catalogue:
    """Arrays by track (`names`, `duration_ms`, `groove`, `valence`, `artist`), by genre, and by pair of genre and artist."""

    sha256: str
    names: pa.StructArray
    """track_uri, track_name, artist_name (first credited), album_name"""
    duration_ms: Ints
    groove: Floats
    """mean of the standardised tempo and danceability"""
    valence: Floats
    artist: Ints
    genres: tuple[str, ...]
    genre_weight: Floats
    """popularity of the genre's artists, summed to 1"""
    genre_pairs: Ints
    """genre g has the pairs genre_pairs[g] .. genre_pairs[g + 1]"""
    pair_weight: Floats
    """running sum of the pairs' weights, from 0; genre g ends at the sum of the first g + 1 genre weights"""
    pair_tracks: Ints
    """pair p has tracks[pair_tracks[p]] .. tracks[pair_tracks[p + 1]], the most popular first"""
    tracks: Ints


def read_catalogue(path: Path) -> Catalogue:
    """The catalogue of a Kaggle file (one row per track and genre); rows without id, names or length are left out.

    Raises CatalogueError for a file that is none, and OSError where it cannot be read.
    """
    with path.open("rb") as stream:
        sample = Sample(path.name, stream.read(SAMPLE_BYTES).decode("utf-8", "replace"))
        if missing := sorted({*COLUMNS, *NUMBERS} - set(header_of(sample))):
            raise CatalogueError(f"{path.name} is not the Kaggle catalogue: no column {', '.join(missing)}")
        stream.seek(0)
        try:
            names = [*COLUMNS, *NUMBERS]
            text = pa.schema([(name, pa.string()) for name in names])
            rows = _usable(pa.Table.from_batches(read_csv(stream, names), text))
        except (BrokenFileError, pa.ArrowInvalid) as error:
            raise CatalogueError(f"{path.name}: {str(error).splitlines()[0][:200]}") from error
    if not len(rows):
        raise CatalogueError(f"{path.name} holds no track with id, names, genre and length")
    return _grouped(rows, sha256_of(path))


def _usable(rows: pa.Table) -> pa.Table:
    """Typed rows that can be played: with a Spotify id, names, a genre and a length; the artist is the first credited one."""
    first = pc.utf8_trim_whitespace(pc.list_element(pc.split_pattern(rows["artists"].combine_chunks(), ";"), 0))
    rows = rows.set_column(rows.schema.get_field_index("artists"), "artists", first)
    for name in NUMBERS:
        number = rows[name].cast(pa.float64())
        rows = rows.set_column(rows.schema.get_field_index(name), name, number.fill_null(0.0))
    usable = pc.and_(pc.match_substring_regex(rows["track_id"], TRACK_ID), pc.greater(rows["duration_ms"], 0))
    for name in COLUMNS:
        usable = pc.and_(usable, pc.not_equal(pc.utf8_trim_whitespace(rows[name]), ""))
    return rows.filter(usable)


def _grouped(rows: pa.Table, sha256: str) -> Catalogue:
    ids = rows["track_id"].combine_chunks().dictionary_encode()
    track = _codes(ids)
    # A track stands once per genre: its names and numbers are those of its first row.
    _, first_row = np.unique(track, return_index=True)
    tracks = rows.take(pa.array(first_row))
    number = {name: tracks[name].to_numpy() for name in NUMBERS}
    artists = tracks["artists"].combine_chunks().dictionary_encode()
    artist, popularity = _codes(artists), number["popularity"]
    genres = rows["track_genre"].combine_chunks().dictionary_encode()
    n_tracks, n_artists, n_genres = len(tracks), len(artists.dictionary), len(genres.dictionary)

    track_and_genre = np.unique(_codes(genres) * n_tracks + track)
    genre, track = np.divmod(track_and_genre, n_tracks)
    order = np.lexsort((track, -popularity[track], artist[track], genre))
    genre, track = genre[order], track[order]
    pair, pair_first, pair_size = np.unique(genre * n_artists + artist[track], return_index=True, return_counts=True)
    pair_genre, pair_artist = np.divmod(pair, n_artists)

    weight = _artist_weights(artists.dictionary, np.bincount(artist, popularity, n_artists).astype(np.float64))
    of_artist = np.bincount(artist[track], minlength=n_artists)
    weights = weight[pair_artist] * pair_size / of_artist[pair_artist]
    genre_weight = np.bincount(pair_genre, weights, n_genres)
    return Catalogue(
        sha256=sha256,
        names=pa.StructArray.from_arrays(
            [
                pc.binary_join_element_wise("spotify:track:", tracks["track_id"].combine_chunks(), ""),
                *[tracks[name].combine_chunks() for name in ("track_name", "artists", "album_name")],
            ],
            names=["track_uri", "track_name", "artist_name", "album_name"],
        ),
        duration_ms=number["duration_ms"].astype(np.int64),
        groove=(_standardised(number["tempo"]) + _standardised(number["danceability"])) / 2,
        valence=number["valence"],
        artist=artist,
        genres=tuple(genres.dictionary.to_pylist()),
        genre_weight=genre_weight / genre_weight.sum(),
        genre_pairs=np.searchsorted(pair_genre, np.arange(n_genres + 1)),
        pair_weight=np.concatenate([[0.0], np.cumsum(weights)]),
        pair_tracks=np.append(pair_first, len(track)),
        tracks=track,
    )


def _codes(encoded: pa.DictionaryArray) -> Ints:
    return np.asarray(encoded.indices.to_numpy(), dtype=np.int64)


def _standardised(values: NDArray[np.float64]) -> Floats:
    spread = float(values.std())
    return np.asarray((values - values.mean()) / (spread or 1.0))


def _artist_weights(names: pa.Array, score: Floats) -> Floats:
    """Share of all plays per artist: ranked by the summed popularity of their tracks, equal ones by name."""
    by_name = np.empty(len(names), np.int64)
    by_name[pc.sort_indices(names).to_numpy()] = np.arange(len(names))
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((by_name, -score))] = np.arange(1, len(names) + 1)
    share = rank / len(names)
    weights = (share + POPULARITY_HEAD) ** -POPULARITY_EXPONENT * np.exp(-share / POPULARITY_TAIL)
    return np.asarray(weights / weights.sum())
