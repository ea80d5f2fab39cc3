"""The sources of recommendations as matrices, so that their weights can be chosen on plays that came later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from features.candidates import (
    A_SOURCE,
    FAVOURITE_ARTISTS,
    FAVOURITE_GENRES,
    NEW_AN_ARTIST,
    POPULAR,
    SEEDS,
    TRACKS_A_GENRE,
    TRACKS_A_NEIGHBOUR,
    TRACKS_AN_ARTIST,
)
from models.recommendations.listening_pairs import TRACKS_A_LISTENER
from music.audio_features import CONTINUOUS
from recommenders.interactions import Matrix, from_pairs
from recommenders.neighbours import cosine_similarity, strongest
from recommenders.protocol import unknown


@dataclass(frozen=True)
class Shelf:
    """The catalogue's recordings, one id each, sorted by id: the attributes of each and what is similar to it."""

    ids: np.ndarray
    popularity: np.ndarray
    artists: Matrix
    """recordings x artists"""
    genres: Matrix
    """recordings x genres"""
    similar: Matrix
    """recordings x recordings, scores of the 20 most similar of each row"""
    sound: np.ndarray
    """recordings x features, standardised; 0 where unknown"""
    near_artists: Matrix
    """artists x artists, scores of the most similar of each row; empty where no source tells"""


def shelf_of(listed: pd.DataFrame, similar: pd.DataFrame, artist_neighbours: pd.DataFrame) -> Shelf:
    """From rows (track_id, artist_key, genres, popularity, features), and pairs (track_id, similar_track_id, score) and
    (artist_key, neighbour_key, score)."""
    listed = listed.sort_values("track_id", ignore_index=True)
    ids = listed["track_id"].to_numpy()
    number = pd.Index(ids)
    from_, to = number.get_indexer(similar["track_id"]), number.get_indexer(similar["similar_track_id"])
    inside = (from_ >= 0) & (to >= 0)
    size = len(ids)
    near = scipy.sparse.coo_matrix((similar["score"].to_numpy()[inside], (from_[inside], to[inside])), shape=(size, size)).tocsr()
    genres = listed["genres"].explode()
    features = listed[list(CONTINUOUS)].to_numpy(dtype=float)
    features[:, np.isnan(features).all(axis=0)] = 0.0
    from sklearn.preprocessing import StandardScaler

    sound = np.nan_to_num(StandardScaler().fit_transform(features)) if size else features
    popularity = listed["popularity"].to_numpy(dtype=float)
    artists, names = _membership(np.arange(size), listed["artist_key"], size)
    of_genres, _ = _membership(genres.index.to_numpy(), genres, size)
    return Shelf(ids, popularity, artists, of_genres, near, sound, _between(names, artist_neighbours))


def _between(names: pd.Index, pairs: pd.DataFrame) -> Matrix:
    """Artists x artists, from pairs of which both are among `names`."""
    from_, to = names.get_indexer(pd.Index(pairs["artist_key"])), names.get_indexer(pd.Index(pairs["neighbour_key"]))
    inside = (from_ >= 0) & (to >= 0)
    scores = pairs["score"].to_numpy(dtype=float)[inside]
    return scipy.sparse.coo_matrix((scores, (from_[inside], to[inside])), shape=(len(names), len(names))).tocsr()


def _membership(row: np.ndarray, label: pd.Series, size: int) -> tuple[Matrix, pd.Index]:
    """Rows x labels, and the labels."""
    codes, names = pd.factorize(label, sort=True)
    inside = codes >= 0
    ones = np.ones(int(inside.sum()))
    return scipy.sparse.coo_matrix((ones, (row[inside], codes[inside])), shape=(size, len(names))).tocsr(), pd.Index(names)


def source_scores(shelf: Shelf, affinity: Matrix, heard: Matrix, everybody: Matrix | None, rows: np.ndarray) -> dict[str, Matrix]:
    """Per source, the scores (rows x recordings) for the listeners `rows`: the best A_SOURCE recordings new to each of them.

    `affinity`: listeners x recordings; `heard`: everything that was played; `everybody`: the affinity of all listeners, if
    there are enough to learn from each other.
    """
    mine, heard = affinity[rows], heard[rows]
    seeds = _row_best(mine, SEEDS)
    popular = np.lexsort((np.arange(len(shelf.ids)), -shelf.popularity))[:POPULAR]
    everywhere = scipy.sparse.csr_matrix(
        (shelf.popularity[popular] + 1e-9, ([0] * len(popular), popular)), shape=(1, len(shelf.ids))
    )
    found = {
        "content": seeds @ shelf.similar,
        "artist": _of_artists(mine, heard, shelf),
        "genre": _of_groups(mine, shelf, shelf.genres, FAVOURITE_GENRES, TRACKS_A_GENRE, 1.0),
        "popular": scipy.sparse.csr_matrix(np.ones((len(rows), 1))) @ everywhere,
    }
    if shelf.near_artists.nnz:
        found["similar_artist"] = _of_similar_artists(mine, heard, shelf)
    if everybody is not None:
        found["listeners"] = seeds @ cosine_similarity(_row_best(everybody, TRACKS_A_LISTENER), 20)
    return {name: _row_best(unknown(scores.tocsr(), heard), A_SOURCE) for name, scores in found.items()}


def _of_artists(mine: Matrix, heard: Matrix, shelf: Shelf) -> Matrix:
    """NEW_AN_ARTIST tracks of each favourite artist that the listener does not know."""
    favourite = _row_best((mine @ shelf.artists).tocsr(), FAVOURITE_ARTISTS)
    tracks = strongest(shelf.artists.multiply((shelf.popularity + 50.0)[:, None]).tocsc(), TRACKS_AN_ARTIST).tocsc()
    found = []
    for listener in range(mine.shape[0]):
        artists = favourite.indices[favourite.indptr[listener] : favourite.indptr[listener + 1]]
        unheard = scipy.sparse.diags((heard[listener].toarray().ravel() == 0).astype(float))
        new = strongest((unheard @ tracks[:, artists]).tocsc(), NEW_AN_ARTIST)
        found.append(scipy.sparse.csr_matrix(new @ favourite[listener, artists].T).T)
    return scipy.sparse.vstack(found).tocsr()


def _of_similar_artists(mine: Matrix, heard: Matrix, shelf: Shelf) -> Matrix:
    """The most popular TRACKS_A_NEIGHBOUR tracks of artists like favourite ones, whom the listener has not heard."""
    favourite = _row_best((mine @ shelf.artists).tocsr(), FAVOURITE_ARTISTS)
    pull = (favourite @ shelf.near_artists).tocsr()
    is_heard = ((heard @ shelf.artists) > 0).tocsr()
    tracks = strongest(shelf.artists.multiply((shelf.popularity + 50.0)[:, None]).tocsc(), TRACKS_A_NEIGHBOUR)
    return (unknown(pull, is_heard) @ tracks.T.tocsr()).tocsr()


def _of_groups(mine: Matrix, shelf: Shelf, groups: Matrix, most: int, tracks: int, offset: float) -> Matrix:
    """The most popular `tracks` of each listener's favourite groups: affinity x (offset + popularity), summed."""
    favourite = _row_best((mine @ groups).tocsr(), most)
    scored = groups.multiply((shelf.popularity + offset)[:, None]).tocsc()
    return (favourite @ strongest(scored, tracks).T.tocsr()).tocsr()


def _row_best(matrix: Matrix, most: int) -> Matrix:
    return strongest(matrix.tocsr().T.tocsc(), most).T.tocsr()


def baselines(shelf: Shelf, affinity: Matrix, rows: np.ndarray) -> dict[str, np.ndarray]:
    """What recommendations must beat (rows x recordings): popularity, popularity in the listener's genres, similar sound."""
    mine = affinity[rows]
    genres = np.asarray(((mine @ shelf.genres) @ shelf.genres.T).todense())
    taste = np.asarray(mine @ shelf.sound)
    norms = np.maximum(np.linalg.norm(shelf.sound, axis=1), 1e-12)
    return {
        "popularity": np.repeat(shelf.popularity[None, :], len(rows), axis=0),
        "genre popularity": genres * (1.0 + shelf.popularity),
        "taste-vector neighbours": taste @ shelf.sound.T / norms,
    }


def affinity_of(pairs: pd.DataFrame, at: float, users: np.ndarray, ids: np.ndarray) -> Matrix:
    """log(1 + plays), halved with every year since the last listen, of rows (user, item, plays, last): listeners x recordings."""
    summed = pairs.groupby(["user", "item"], as_index=False).agg(plays=("plays", "sum"), last=("last", "max"))
    age = np.maximum(at - summed["last"].to_numpy(), 0.0) / (365 * 86_400)
    summed["plays"] = np.log1p(summed["plays"].to_numpy()) * 0.5**age
    return from_pairs(summed, users, ids).matrix
