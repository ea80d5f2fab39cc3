"""The nearest tracks of every catalogue track, found with an approximate index."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from features.track_content import content, profiles_of, vectors
from features.unit_vectors import is_there
from lakehouse.declare import Fitted, Model, Retrain, model
from models.common.catalogue_share import learned_from
from models.common.metric import Metric, rows_of
from models.tracks.track_vectors import described
from music.bootstrap import mean_interval
from music.populations import CATALOGUE
from music.ranking import DIGITS, reaching

NEIGHBOURS = 20
# HNSW (Malkov & Yashunin, TPAMI 42, 2020), as deep as a recall of .95 takes with room to spare.
LINKS, BUILD_DEPTH, QUERY_DEPTH = 12, 100, 64
# The library is a third faster on vectors of a multiple of this many dimensions.
LANES = 16
SEED = 20240229
SAMPLE = 500
BLOCK = 8192
NONE = -1


@model("track_neighbours", kind="neighbours", retrain=Retrain(share=0.0, days=0))
def track_neighbours(catalogue: DataFrame, catalogue_recordings: DataFrame, track_vectors: Model) -> Fitted:
    """The 20 nearest recordings of every catalogue track by content vector; recall is measured against exact search on a sample.

    A recording with several ids is a neighbour under its lowest id only, and never of its own other ids. The index is built
    by a single thread, because several threads would make its errors differ between builds. It depends on the catalogue
    only, never on plays. Of a catalogue of several hundred thousand tracks, only a part is indexed (`learned_from`).
    """
    listed = described(learned_from(catalogue), catalogue_recordings).toArrow().sort_by("track_id")
    profiles = profiles_of(listed["artist_key"], track_vectors.arrow("artists"))
    parameters = track_vectors.parameters
    space = content(vectors(listed, parameters, track_vectors.arrow("genres"), profiles), parameters["weights"])
    has_vector = is_there(space)
    listed, space = listed.filter(pa.array(has_vector)), space[has_vector]
    recordings = codes_of(listed["recording"])
    near, scores = nearest(space, recordings)
    return Fitted(
        parameters={"neighbours": NEIGHBOURS, "links": LINKS, "build_depth": BUILD_DEPTH, "query_depth": QUERY_DEPTH},
        metrics=rows_of(recall_metrics(space, recordings, near)),
        frames={"tracks": places_of(listed["track_id"]), "neighbours": as_table(near, scores)},
    )


def codes_of(names: pa.ChunkedArray) -> np.ndarray:
    """Equal names as equal numbers."""
    codes: np.ndarray = names.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return codes


def nearest(space: np.ndarray, recordings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per row of unit vectors its NEIGHBOURS nearest among the first rows of other recordings, and their cosines, best first.

    Rows that have fewer neighbours end in NONE and NaN.
    """
    candidates = np.sort(np.unique(recordings, return_index=True)[1])
    asked = min(NEIGHBOURS + 1, len(candidates))
    near, scores = np.full((len(space), NEIGHBOURS), NONE), np.full((len(space), NEIGHBOURS), np.nan)
    if asked < 2:
        return near, scores
    single = np.pad(space.astype(np.float32), ((0, 0), (0, -space.shape[1] % LANES)))
    # Of unit vectors the nearest are those with the highest cosine.
    import voyager

    index = voyager.Index(
        voyager.Space.Euclidean,
        num_dimensions=single.shape[1],
        M=LINKS,
        ef_construction=BUILD_DEPTH,
        random_seed=SEED,
        max_elements=len(candidates),
    )
    index.add_items(single[candidates], num_threads=1)
    places = index.query(single, k=asked, query_ef=max(QUERY_DEPTH, asked))[0].astype(np.int64)
    for start in range(0, len(space), BLOCK):
        rows = slice(start, start + BLOCK)
        neighbours = candidates[places[rows]]
        cosines = np.einsum("ij,ikj->ik", space[rows], space[neighbours]).round(DIGITS)
        cosines[recordings[neighbours] == recordings[rows][:, None]] = -np.inf
        order = np.lexsort((neighbours, -cosines))[:, :NEIGHBOURS]
        neighbours, cosines = np.take_along_axis(neighbours, order, axis=1), np.take_along_axis(cosines, order, axis=1)
        width = neighbours.shape[1]
        near[rows, :width] = np.where(np.isinf(cosines), NONE, neighbours)
        scores[rows, :width] = np.where(np.isinf(cosines), np.nan, cosines)
    return near, scores


def recall_metrics(space: np.ndarray, recordings: np.ndarray, near: np.ndarray) -> list[Metric]:
    """How many of the exact nearest the index found, for SAMPLE evenly spread rows; a tie for the last place is not a miss."""
    candidates = np.sort(np.unique(recordings, return_index=True)[1])
    if len(candidates) < 2:
        return []
    sample = np.unique(np.linspace(0, len(space) - 1, SAMPLE).astype(int))
    exact = np.where(recordings[candidates] == recordings[sample][:, None], -np.inf, space[sample] @ space[candidates].T)
    wanted = np.minimum(NEIGHBOURS, np.isfinite(exact).sum(axis=1))
    best = -np.sort(np.partition(-exact, min(NEIGHBOURS, exact.shape[1]) - 1, axis=1)[:, :NEIGHBOURS], axis=1)
    last = np.take_along_axis(best, wanted[:, None] - 1, axis=1)
    cosines = np.einsum("ij,ikj->ik", space[sample], space[near[sample]])
    hits = (near[sample] != NONE) & reaching(cosines, last)
    shares = hits.sum(axis=1) / wanted
    low, high = mean_interval(shares)
    note = "share of the exact nearest that the index found"
    value, n = float(shares.mean()), len(sample)
    return [Metric(CATALOGUE, "sample", f"recall@{NEIGHBOURS}", value, n, low=low, high=high, note=note)]


def places_of(ids: pa.ChunkedArray) -> pa.Table:
    """One row per track: place (from 0), track_id."""
    return pa.table({"place": pa.array(np.arange(len(ids), dtype=np.int32)), "track_id": ids})


def as_table(near: np.ndarray, scores: np.ndarray) -> pa.Table:
    """One row per track and rank: place, rank (from 1), similar_place, score; places, as ids would take five times the space."""
    rows, ranks = np.nonzero(near != NONE)
    numbers = {"place": rows, "rank": ranks + 1, "similar_place": near[rows, ranks]}
    columns = {name: pa.array(values.astype(np.int32)) for name, values in numbers.items()}
    return pa.table({**columns, "score": pa.array(scores[rows, ranks].astype(np.float32))})
