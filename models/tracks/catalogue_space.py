"""All tracks of the catalogue by their vectors, and the rank of a session's next track among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import functions as F

from features import track_content
from features.unit_vectors import SHORTEST, is_there, matrix
from lakehouse.declare import Model
from models.tracks.track_kinds import SESSIONS
from music.ranking import reaching

BLOCK = 50


class CatalogueSpace:
    """Ranks of next tracks among all catalogue tracks but the current one; ties count against the next track."""

    def __init__(self, listed: pa.Table, track_vectors: Model, session_vectors: Model | None) -> None:
        """`listed`: the catalogue's tracks, sorted by id, as the training of `track_vectors` reads them."""
        self.ids, self.artists = listed["track_id"].combine_chunks(), listed["artist_key"].combine_chunks()
        parameters = track_vectors.parameters
        profiles = track_content.profiles_of(self.artists, track_vectors.arrow("artists"))
        parts = track_content.vectors(listed, parameters, track_vectors.arrow("genres"), profiles)
        genre_artist = track_content.genre_artist(parts, parameters["weights"])
        self.content = {"audio": parts["audio"], "genre_artist": genre_artist}
        self.session_vectors = session_vectors

    def places(self, track_ids: pa.ChunkedArray) -> np.ndarray:
        """Positions of tracks of the catalogue. Raises ValueError for others."""
        places: np.ndarray = pc.index_in(track_ids.combine_chunks(), self.ids).to_numpy(zero_copy_only=False).astype(np.int64)
        return places

    def sessions(self, population: str, before: str) -> np.ndarray:
        """The session vectors learned from the data before a window; zeros for tracks without one."""
        filled = np.zeros((len(self.ids), SESSIONS))
        if self.session_vectors is not None:
            is_asked = (F.col("population") == population) & (F.col("window") == before)
            found = self.session_vectors.frame("vectors").where(is_asked).select("track_id", "vector").toArrow()
            places = pc.index_in(found["track_id"].combine_chunks(), self.ids)
            known = places.is_valid().to_numpy(zero_copy_only=False)
            filled[places.drop_null().to_numpy(zero_copy_only=False)] = matrix(found["vector"], SESSIONS)[known]
        return filled

    def ranks(self, pairs: pa.Table, mixes: Sequence[Mapping[str, float]], population: str, before: str) -> np.ndarray:
        """Per mix and pair (track_id, next_id) the rank of the next track by the cosine of blended vectors."""
        parts = {**self.content, "sessions": self.sessions(population, before)}
        names = [name for name in parts if any(mix[name] for mix in mixes)]
        weights = np.array([[mix[name] for name in names] for mix in mixes])
        # What a track lacks makes its vector shorter.
        lengths = np.sqrt(weights @ np.stack([is_there(parts[name]) for name in names]))
        scale = 1.0 / np.maximum(lengths, SHORTEST)
        current, following = self.places(pairs["track_id"]), self.places(pairs["next_id"])
        found = np.zeros((len(mixes), len(current)))
        for start in range(0, len(current), BLOCK):
            rows = current[start : start + BLOCK]
            near = np.stack([parts[name][rows] @ parts[name].T for name in names])
            for place, row in enumerate(rows, start=start):
                scores = (weights @ near[:, place - start]) * scale
                found[:, place] = rank_of(scores, np.full(len(mixes), row), np.full(len(mixes), following[place]))
        return found

    def simple_ranks(self, pairs: pa.Table, listens: pa.Table, followers: pa.Table) -> dict[str, np.ndarray]:
        """Ranks by simple rules without vectors: popular tracks; tracks of the artist first; tracks that followed before first.

        `listens`: how often catalogue tracks were heard; `followers`: rank and followers of the pairs by play_id.
        """
        counts = np.zeros(len(self.ids))
        counts[self.places(listens["track_id"])] = listens["listens"].to_numpy()
        current, following = self.places(pairs["track_id"]), self.places(pairs["next_id"])
        keys = self.artists.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
        popular, artists = np.zeros(len(current)), np.zeros(len(current))
        for place, (row, target) in enumerate(zip(current, following, strict=True)):
            rows, targets = np.array([row]), np.array([target])
            popular[place] = rank_of(counts[None, :].copy(), rows, targets)[0]
            artists[place] = rank_of((counts + counts.sum() * (keys == keys[row]))[None, :], rows, targets)[0]
        told = pairs.select(["play_id"]).join(followers, "play_id").sort_by("play_id")
        before, others = (told[name].to_numpy().astype(float) for name in ("rank", "followers"))
        return {
            "most heard": popular,
            "artist's most heard": artists,
            "what followed before": np.where(np.isnan(before), np.minimum(popular + others, len(counts)), before),
        }


def rank_of(scores: np.ndarray, own: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Rank of each row's target among its scores, its own track left out; ties count against it. Changes `scores`."""
    rows = np.arange(len(own))
    scores[rows, own] = -np.inf
    ranks: np.ndarray = np.count_nonzero(reaching(scores, scores[rows, targets][:, None]), axis=1)
    return ranks
