"""Moods of tracks: artists and recordings kept apart, genres encoded by hand, planted moods found, planted leaks not used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import accuracy_score, f1_score

import silver.listening_with_features
import silver.tracks
import silver.users  # noqa: F401
from features.mood_design import AUDIO, audio_matrix, encoded, genre_counts, genre_pairs, probabilities, shares
from gold.predictive.mood_classifications import NAMES, mood_classifications
from lakehouse.declare import Fitted, Model
from lakehouse.storage.artifacts import store
from models.moods.mood_category import _crosses, mood_category, part_of
from models.moods.mood_scores import accuracy, compared, macro_f1_of
from music.moods import MOODS
from tests.frames import collect, frame, key_of, play
from tests.models.listens import USERS, listening

TRACKS = "silver.tracks"
HAPPY, SAD = {"valence": 0.8, "energy": 0.8}, {"valence": 0.1, "energy": 0.2}


def catalogue(artists: int = 400, each: int = 4, seed: int = 1, *, told_by: str = "genre") -> list[dict[str, Any]]:
    """Tracks whose mood follows from their genre (`genre`), or is drawn once per artist and follows from nothing (`artist`)."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for artist in range(artists):
        own = bool(draw.random() < 0.5)
        for number in range(each):
            happy = bool(draw.random() < (0.9 if own else 0.1)) if told_by == "genre" else own
            rows.append(
                {
                    "track_id": f"t{artist:04d}-{number}",
                    "track_name": "Title",
                    "artist_name": f"Artist {artist}",
                    "artist_key": key_of(f"Artist {artist}"),
                    "artist_keys": [key_of(f"Artist {artist}")],
                    "artists": [f"Artist {artist}"],
                    "genres": ["sunny" if own else "gloomy"] if told_by == "genre" else [f"genre {draw.integers(0, 3)}"],
                    **{
                        name: float(draw.random()) for name in ("danceability", "acousticness", "instrumentalness", "speechiness")
                    },
                    "liveness": float(draw.random()),
                    "loudness": -8.0 + float(draw.normal()),
                    "tempo": 100.0 + float(draw.random()),
                    "time_signature": 4,
                    "key": 0,
                    "mode": 1,
                    "duration_ms": 200_000 + number,
                    "explicit": False,
                    "feature_source": "kaggle_id",
                    "matched_track_id": f"t{artist:04d}-{number}",
                    "in_catalogue": True,
                    **(HAPPY if happy else SAD),
                }
            )
    return rows


def fit(spark: SparkSession, tracks: list[dict[str, Any]], plays: list[dict[str, Any]] | None = None) -> Fitted:
    listeners = frame(spark, USERS, [{"user_id": "me", "timezone": "UTC", "is_synthetic": False}])
    return mood_category(frame(spark, TRACKS, tracks), listening(spark, plays or []), listeners)


@pytest.fixture(scope="module")
def fitted(spark: SparkSession) -> Fitted:
    plays = [play(i, "2024-01-01 10:00:00", track_id=f"t{i:04d}-0") for i in range(400)]
    return fit(spark, catalogue(), plays)


def metrics(fitted: Fitted) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["split"], row["metric"]): dict(row) for row in fitted.metrics}


def test_an_artist_is_in_one_part_and_tracks_of_several_in_none(spark: SparkSession) -> None:
    keys = [key_of(f"Artist {i}") for i in range(3000)]
    rows = spark.createDataFrame([([key],) for key in keys], "artist_keys array<string>")
    parts = [row.part for row in rows.select(part_of(F.col("artist_keys")).alias("part")).collect()]
    shares_of = {part: parts.count(part) / len(parts) for part in set(parts)}
    assert shares_of.keys() == {"train", "validation", "test"}
    assert shares_of["test"] == pytest.approx(0.2, abs=0.03)
    of = {part: keys[parts.index(part)] for part in shares_of}
    pairs = spark.createDataFrame([([of["train"], of["test"]],), ([of["test"]],), ([],)], "artist_keys array<string>")
    assert [row[0] for row in pairs.select(part_of(F.col("artist_keys"))).collect()] == ["mixed", "test", None]


def test_a_recording_in_two_parts_is_found() -> None:
    part = np.array(["train", "test", "test", "train"], dtype=object)
    assert _crosses(pa.chunked_array([["x", "x", "y", "z"]]), part).tolist() == [True, True, False, False]


def test_genres_by_hand() -> None:
    """Two genres, two moods: rock has 20 of the first, jazz 1 and 3; overall a half each, weighing 20 tracks."""
    of_genre = shares(np.array([[20.0, 0.0], [1.0, 3.0]]), np.array([0.5, 0.5]))
    assert of_genre == pytest.approx(np.array([[30 / 40, 10 / 40], [11 / 24, 13 / 24]]))
    batch = pa.table({"genres": pa.array([["rock"], ["jazz", "rock"], [], ["unheard"]], pa.list_(pa.string()))})
    rows, numbers = genre_pairs(batch, ["rock", "jazz"])
    assert (rows.tolist(), numbers.tolist()) == ([0, 1, 1], [0, 1, 0])
    codes = encoded(rows, numbers, of_genre, 4)
    assert codes[:2] == pytest.approx(np.array([of_genre[0], of_genre.mean(axis=0)]))
    assert np.isnan(codes[2:]).all()
    assert genre_counts(rows, numbers, np.array([0, 1, 1, 1]), (2, 2)).tolist() == [[1, 1], [0, 1]]


def test_temperature_by_hand() -> None:
    raw = np.array([[0.8, 0.2]])
    assert probabilities(raw, 1.0) == pytest.approx(raw)
    assert probabilities(raw, 2.0) == pytest.approx(np.array([[0.64 / 0.68, 0.04 / 0.68]]))


def test_accuracy_and_macro_f1_are_those_of_scikit_learn() -> None:
    draw = np.random.default_rng(2)
    actual, guess = draw.integers(0, 5, 300), draw.integers(0, 5, 300)
    weights = draw.integers(1, 4, 300).astype(float)
    rows = compared("test", "real", actual, {"": guess, ": forest": actual}, weights, np.arange(300).astype(str))
    found = {row.metric: row.value for row in rows}
    assert found["accuracy"] == pytest.approx(accuracy_score(actual, guess, sample_weight=weights))
    assert found["macro F1"] == pytest.approx(f1_score(actual, guess, average="macro", sample_weight=weights))
    assert (found["accuracy: forest"], found["macro F1: forest"]) == (1.0, 1.0)
    assert accuracy(5)(np.array([[2.0, 0, 0, 0, 0, 2.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0]])) == pytest.approx(0.5)
    assert macro_f1_of(5)(np.zeros(15)) == 0.0


def test_moods_of_genres_are_found_and_beat_the_forest(fitted: Fitted) -> None:
    row = metrics(fitted)["test", "accuracy"]
    assert row["value"] == pytest.approx(0.9, abs=0.06)
    assert row["low"] > metrics(fitted)["test", "accuracy: plain forest"]["high"]
    assert fitted.parameters["published"] == "boosted trees"
    assert metrics(fitted)["test", "expected calibration error"]["value"] < 0.1
    heard = metrics(fitted)["test_listens", "accuracy"]["n"]
    assert heard == fitted.splits["n"]["test"] // 4, "one listen of one of four tracks of each test artist"
    cells = [d for d in fitted.diagnostics if d["kind"] == "confusion"]
    assert (len(cells), sum(d["n"] for d in cells)) == (25, fitted.splits["n"]["test"])
    assert next(d["label"] for d in fitted.diagnostics if d["kind"] == "importance") == "genres"


def test_knowing_an_artist_does_not_help_with_artists_never_seen(spark: SparkSession) -> None:
    """Every artist has one mood, drawn by a coin: with artists on both sides of the split this would look like skill."""
    row = metrics(fit(spark, catalogue(told_by="artist")))["test", "accuracy"]
    assert row["low"] < 0.5 < row["high"]


def test_order_of_rows_changes_nothing(spark: SparkSession, fitted: Fitted) -> None:
    again = fit(spark, catalogue()[::-1])
    assert [m for m in again.metrics if m["split"] == "test"] == [m for m in fitted.metrics if m["split"] == "test"]


def test_classified_tracks_say_whether_they_were_learned_from(spark: SparkSession, tmp_path: Path, fitted: Fitted) -> None:
    store(fitted, tmp_path / "m")
    tracks = catalogue()
    extra = {"in_catalogue": False, "matched_track_id": None, "popularity": None, "explicit": None, "key": None, "mode": None}
    tracks += [
        {**tracks[0], **extra, "track_id": "estimated", "feature_source": "artist_mean"},
        {**tracks[0], **extra, "track_id": "made up", "feature_source": "synthetic"},
        {**tracks[0], **extra, "track_id": "no genre", "feature_source": "api", "genres": []},
    ]
    model = Model("mood_category-1", "mood_category", tmp_path / "m", spark)
    rows = collect("gold.mood_classifications", mood_classifications(frame(spark, TRACKS, tracks), model))
    by_id = {row["track_id"]: row for row in rows}
    assert len(rows) == len(tracks) - 1
    assert "made up" not in by_id
    assert all(sum(row[name] for name in NAMES) == pytest.approx(1) for row in rows)
    assert all(row["probability"] == max(row[name] for name in NAMES) for row in rows)
    assert (by_id["estimated"]["actual_mood"], by_id["estimated"]["is_correct"]) == (None, None)
    assert (by_id["estimated"]["in_training"], by_id["no genre"]["in_training"]) == (False, False)
    unseen = [row for row in rows if row["fit"] == "evaluation"]
    assert {row["part"] for row in unseen} == {"test"}
    assert not any(row["in_training"] for row in unseen)
    share = sum(row["is_correct"] for row in unseen) / len(unseen)
    assert share == pytest.approx(metrics(fitted)["test", "accuracy"]["value"]), "the table's score is the ledger's"


@pytest.mark.parametrize("artists", [0, 3])
def test_little_or_nothing_to_learn_from(spark: SparkSession, tmp_path: Path, artists: int) -> None:
    tracks = catalogue(artists)
    fitted = fit(spark, tracks)
    assert (fitted.metrics, fitted.parameters["published"]) == ((), "shares of moods")
    store(fitted, tmp_path / "m")
    model = Model("mood_category-1", "mood_category", tmp_path / "m", spark)
    rows = collect("gold.mood_classifications", mood_classifications(frame(spark, TRACKS, tracks), model))
    assert len(rows) == len(tracks)
    assert {row["predicted_mood"] for row in rows} <= set(MOODS)


def test_the_last_bit_of_a_mean_does_not_decide_a_branch() -> None:
    exact, summed = (0.1 + 0.2) / 2, 0.15
    assert exact != summed
    rows = [dict.fromkeys(AUDIO, value) for value in (exact, summed)]
    first, second = audio_matrix(pa.Table.from_pylist(rows))
    assert first.tolist() == second.tolist()
