"""Vectors of tracks from the catalogue only: how sound, genres and artists become numbers, and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame

from features.track_content import AUDIO_COMPONENTS, GENRE, floats, profiles_of, standardised, vectors
from features.unit_vectors import arrays, is_there, unit_rows
from lakehouse.declare import Fitted, Retrain, model
from models.common.catalogue_share import learned_from
from models.common.metric import Metric, rows_of
from models.tracks.content_weights import choose
from music.audio_features import CONTINUOUS
from music.populations import CATALOGUE
from music.ranking import DIGITS, rounded


@model("track_vectors", kind="embedding", retrain=Retrain(share=0.0, days=0))
def track_vectors(catalogue: DataFrame, catalogue_recordings: DataFrame) -> Fitted:
    """Scaler, principal components, genre and artist factors and their weights, from the catalogue only.

    Audio: nine standardised features, clipped at three deviations, as principal components (scikit-learn: nine columns need
    no cluster, and it runs without Java). Genres: latent semantic analysis (Deerwester et al., JASIS 41, 1990) of the
    artists in each genre. The weights are those that rank album mates nearest on one half of the albums; the scores are on
    the other half.
    """
    listed = described(learned_from(catalogue), catalogue_recordings).toArrow().sort_by("track_id")
    parameters, spectrum = fit_audio(listed)
    genres, artists = fit_genres(listed)
    parts = vectors(listed, parameters, genres, profiles_of(listed["artist_key"], artists))
    weights, metrics, diagnostics = choose(parts, listed.select(["album", "artist_key", "recording"]).to_pandas())
    return Fitted(
        parameters={**parameters, "weights": weights},
        splits={"validation and test": "halves of the albums, by the hash of their name"},
        metrics=rows_of([*metrics, *coverage(parts)]),
        diagnostics=[*spectrum, *diagnostics],
        frames={"genres": genres, "artists": artists},
    )


def described(catalogue: DataFrame, catalogue_recordings: DataFrame) -> DataFrame:
    """Catalogue rows with the key of their first artist, the folded album title and the recording."""
    keys = catalogue_recordings.select("track_id", "artist_key", "album", "recording")
    return catalogue.select("track_id", "genres", *CONTINUOUS).join(keys, on="track_id", how="inner")


def coverage(parts: Mapping[str, np.ndarray]) -> list[Metric]:
    """The share of the catalogue's tracks that have each kind of vector."""
    return [
        Metric(CATALOGUE, "catalogue", f"coverage: {name}", value=float(is_there(rows).mean()), n=len(rows))
        for name, rows in parts.items()
        if len(rows)
    ]


def fit_audio(listed: pa.Table) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Means, deviations and principal components of the features (JSON-able), and the share of variance each explains."""
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    values = np.column_stack([floats(listed[name]) for name in CONTINUOUS])
    values = values[~np.isnan(values).all(axis=1)]
    components, explained = np.zeros((AUDIO_COMPONENTS, len(CONTINUOUS))), np.zeros(AUDIO_COMPONENTS)
    mean, deviation = np.zeros(len(CONTINUOUS)), np.ones(len(CONTINUOUS))
    if len(values):
        scaler = StandardScaler().fit(values)
        mean, deviation = np.nan_to_num(scaler.mean_), np.nan_to_num(scaler.scale_, nan=1.0)
        standard = standardised(values, {"mean": mean, "deviation": deviation})
        kept = min(AUDIO_COMPONENTS, len(values))
        rotation = PCA(n_components=kept, svd_solver="full").fit(standard)
        components[:kept], explained[:kept] = rotation.components_, np.nan_to_num(rotation.explained_variance_ratio_)
    spectrum = [
        {"kind": "explained_variance", "row": i, "population": "catalogue", "label": "audio", "x": float(i + 1)}
        | {"value": float(share), "n": len(values)}
        for i, share in enumerate(explained)
    ]
    stored = {"mean": mean.tolist(), "deviation": deviation.tolist(), "components": components.tolist()}
    return stored, spectrum


def fit_genres(listed: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Unit vectors of the genres, and of the artists as the mean over their tracks: one row each."""
    tracks = pd.DataFrame({"artist_key": listed["artist_key"].to_pandas(), "genre": listed["genres"].to_pandas()})
    pairs = tracks.explode("genre").dropna(subset=["genre"])
    genres, artists = (sorted(pairs[name].dropna().unique()) for name in ("genre", "artist_key"))
    of_artist = pairs.dropna(subset=["artist_key"])
    places = (pd.Index(artists).get_indexer(of_artist["artist_key"]), pd.Index(genres).get_indexer(of_artist["genre"]))
    counts = np.zeros((len(artists), len(genres)))
    np.add.at(counts, places, 1.0)
    # Every artist counts once, then every genre: genres are near each other when the same artists stand under them.
    columns = unit_rows(unit_rows(counts).T)
    rows = latent(columns @ columns.T)
    return factors("genre", genres, rows), factors("artist_key", artists, unit_rows(counts @ rows))


def latent(similarity: np.ndarray) -> np.ndarray:
    """Unit vectors of GENRE whose products come nearest to a matrix of similarities."""
    values, directions = np.linalg.eigh(similarity)
    strongest = np.argsort(-rounded(values), kind="stable")[:GENRE]
    kept = directions[:, strongest]
    # An eigenvector's sign is arbitrary: its largest entry, the first of equal ones, is positive here.
    signs = np.sign(kept[np.argmax(np.abs(kept).round(DIGITS), axis=0), np.arange(kept.shape[1])]) if len(kept) else 1.0
    filled = np.zeros((len(similarity), GENRE))
    filled[:, : len(strongest)] = kept * signs * np.sqrt(np.maximum(values[strongest], 0.0))
    return unit_rows(filled)


def factors(key: str, names: list[str], rows: np.ndarray) -> pa.Table:
    """A table of one row per name: the key and its vector."""
    return pa.table({key: pa.array(names, pa.string()), "vector": arrays(rows)})
