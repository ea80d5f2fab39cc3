"""Training what recommendations rest on: planted taste is found, populations stay apart, nothing leaks from the test window."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from scipy import sparse

from lakehouse.declare import Fitted
from lakehouse.plan import graph
from models.recommendations.candidate_scores import shelf_of, source_scores
from models.recommendations.item_neighbours import item_neighbours
from models.recommendations.listening_pairs import listens_of
from models.recommendations.recommendation_weights import EQUAL, by_track, recommendation_weights
from music.audio_features import CONTINUOUS
from tests.frames import UTC, frame, key_of, recording_of
from tests.silver.rows import recordings_of

graph.load()

LISTENERS, TRACKS, PLAYS = 60, 240, 60
START = dt.datetime(2024, 1, 1, tzinfo=UTC)


def listening(listeners: int, prefix: str, seed: int = 1) -> list[dict[str, Any]]:
    """Listeners of two groups, each of its own half of the tracks; sessions of four; a year."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for listener in range(listeners):
        for number in range(PLAYS):
            track = int(rng.integers(0, TRACKS // 2)) + listener % 2 * (TRACKS // 2)
            at = START + dt.timedelta(days=number * 6 + int(rng.integers(0, 6)), minutes=listener)
            user = f"{prefix}{listener:02d}"
            rows.append(
                {"user_id": user, "play_id": f"{user}-{number}", "track_id": f"t{track:03d}", "played_at": at, "ended_at": at}
                | {"track_name": f"Song {track}", "artist_name": f"Artist {track % 80}", "is_listen": True, "is_skip": False}
                | {"session_id": f"{user}-{number // 4}", "recording_id": recording_of(f"Artist {track % 80}", f"Song {track}")}
            )
    return rows


def users(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    names = sorted({row["user_id"] for row in rows})
    return frame(spark, "silver.users", [{"user_id": n, "is_synthetic": n.startswith("synthetic:")} for n in names])


def trained(spark: SparkSession, rows: list[dict[str, Any]]) -> Fitted:
    return item_neighbours(frame(spark, "silver.listening_with_features", rows), users(spark, rows))


def neighbours(fitted: Fitted, population: str) -> list[dict[str, Any]]:
    table: Any = fitted.frames["neighbours"]
    return [row for row in table.to_pylist() if row["population"] == population]


@pytest.fixture(scope="module")
def many(spark: SparkSession) -> Fitted:
    return trained(spark, [*listening(LISTENERS, "real"), *listening(LISTENERS, "synthetic:", 2)])


def test_neighbours_stay_within_the_planted_groups_and_their_figures_are_true(many: Fitted) -> None:
    rows = neighbours(many, "real")
    assert {row["kind"] for row in rows} == {"listeners", "sessions"}
    half = TRACKS // 2
    assert all((int(row["track_id"][1:]) < half) == (int(row["neighbour_id"][1:]) < half) for row in rows)
    heard: dict[str, set[str]] = {}
    for row in listening(LISTENERS, "real"):
        heard.setdefault(row["track_id"], set()).add(row["user_id"])
    of_listeners = [row for row in rows if row["kind"] == "listeners"]
    assert all(row["together"] == len(heard[row["track_id"]] & heard[row["neighbour_id"]]) for row in of_listeners)


def test_a_real_population_is_the_same_without_synthetic_listeners_and_in_any_order(spark: SparkSession, many: Fitted) -> None:
    rows = listening(LISTENERS, "real")
    alone = trained(spark, rows[::-1])
    assert neighbours(alone, "real") == neighbours(many, "real")
    metrics = [row for row in many.metrics if row["population"] == "real"]
    assert list(alone.metrics) == metrics


def test_taste_is_recovered_above_popularity_on_later_plays(many: Fitted) -> None:
    value = {(row["protocol"], row["population"], row["metric"]): row for row in many.metrics}
    blend = value["temporal, novel only", "real", "ndcg@10: Blend"]
    popular = value["temporal, novel only", "real", "ndcg@10: MostPop"]
    assert blend["low"] > popular["high"]
    assert blend["n"] == popular["n"]
    assert {row["split"] for row in many.metrics} == {
        f"test, temporal, {protocol}" for protocol in ("all next plays", "novel only")
    }


def test_plays_after_a_window_change_nothing_that_is_known_before_it(spark: SparkSession) -> None:
    rows = listening(LISTENERS, "real")
    listens = listens_of(frame(spark, "silver.listening_with_features", rows), users(spark, rows), "real")
    changed = [row | {"track_id": "t000"} if row["played_at"].timestamp() >= listens.bounds[1] else row for row in rows]
    again = listens_of(frame(spark, "silver.listening_with_features", changed), users(spark, rows), "real")
    assert listens.bounds == again.bounds
    first, second = listens.known(2), again.known(2)
    assert (first.matrix != second.matrix).nnz == 0
    assert first.items.tolist() == second.items.tolist()
    assert first.recent is not None
    assert (first.recent != second.recent).nnz == 0
    assert first.played is not None
    assert (first.played != second.played).nnz == (first.returning != second.returning).nnz == 0


def test_plays_return_by_their_activation_over_the_window_skipped_ones_too(spark: SparkSession) -> None:
    rows = [row | {"is_skip": number % 3 == 0} for number, row in enumerate(listening(LISTENERS, "real"))]
    listens = listens_of(frame(spark, "silver.listening_with_features", rows), users(spark, rows), "real")
    (first, second), end = listens.bounds, listens.end
    expected: dict[tuple[str, str, int], list[float]] = {}
    for row in rows:
        at = row["played_at"].timestamp()
        sums = expected.setdefault((row["user_id"], row["track_id"], int(at >= first) + int(at >= second)), [0.0, 0.0, 0.0])
        sums[0] += 1
        for place, (start, until) in enumerate(((first, second), (second, end)), start=1):
            if at < start:
                sums[place] += ((until - at) / 86_400) ** 0.5 - ((start - at) / 86_400) ** 0.5
    names = ["played", "returning_1", "returning_2"]
    found = {key: list(told) for key, told in listens.played.set_index(["user", "item", "window"])[names].iterrows()}
    assert found.keys() == expected.keys()
    assert all(found[key] == pytest.approx(sums, abs=1e-6) for key, sums in expected.items())
    assert listens.played["played"].sum() == len(rows) > listens.pairs["plays"].sum()


def test_found_tracks_are_told_track_by_track() -> None:
    held_out = sparse.csr_matrix([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    assert by_track(np.array([[1, -1], [0, 2]]), held_out).tolist() == [1.0, 0.0, 1.0]
    assert by_track(np.array([[2, -1], [1, 2]]), held_out).tolist() == [0.0, 1.0, 0.0]


def test_one_listener_and_none_train_to_something_empty(spark: SparkSession) -> None:
    one = trained(spark, listening(1, "real"))
    assert not one.metrics
    assert {row["kind"] for row in neighbours(one, "real")} <= {"sessions"}
    assert neighbours(trained(spark, []), "real") == []


def test_weights_of_many_listeners_are_learned_and_of_few_stay_equal(spark: SparkSession, tmp_path: Path) -> None:
    catalogue = [
        {"track_id": f"t{n:03d}", "track_name": f"Song {n}", "artists": [f"Artist {n % 80}"], "genres": [f"genre {n % 7}"]}
        | {"popularity": n % 101, "explicit": False, "energy": n / TRACKS, "valence": 0.5}
        for n in range(TRACKS)
    ]
    # Similar on purpose to the other group's tracks: what content says is wrong here, what listeners say is right.
    similar = [
        {"track_id": f"t{n:03d}", "rank": 1, "similar_track_id": f"t{(n + TRACKS // 2) % TRACKS:03d}", "score": 1.0}
        for n in range(TRACKS)
    ]
    near = [
        {"artist_key": key_of(f"Artist {n}"), "neighbour_key": key_of(f"Artist {(n + 1) % 80}"), "score": 1.0, "sources": 1}
        for n in range(80)
    ]
    rows = [*listening(LISTENERS, "synthetic:"), *listening(1, "real")]
    listed = frame(spark, "silver.catalogue", catalogue)
    fitted = recommendation_weights(
        frame(spark, "silver.listening_with_features", rows),
        users(spark, rows),
        listed,
        recordings_of(spark, listed),
        frame(spark, "gold.similar_tracks", similar),
        frame(spark, "silver.artist_neighbours", near),
        None,
    )
    weights = fitted.parameters["weights"]
    assert weights["synthetic"]["content"] < weights["synthetic"]["listeners"]
    assert weights["real"] == {name: EQUAL[name] for name in weights["real"]}
    value = {(row["population"], row["metric"]): row for row in fitted.metrics}
    ours_of_real = value["real", "recall@50: recommendations"]
    ours, popular = (value["synthetic", f"recall@50: {name}"] for name in ("recommendations", "popularity"))
    assert ours["value"] > popular["value"]
    assert value["real", "recall@50: recommendations"]["n"] > 0
    alone = value["real", "recall@50: similar artists alone"]
    assert (alone["n"], alone["baseline"]) == (value["real", "recall@50: popularity"]["n"], ours_of_real["baseline"])
    assert ("synthetic", "recall@50: similar artists alone") not in value


def test_tracks_of_similar_artists_score_by_affinity_closeness_and_popularity() -> None:
    listed = pd.DataFrame(
        {"track_id": [f"t{n}" for n in range(6)], "artist_key": ["a", "b", "b", "b", "b", "c"], "genres": [["g"]] * 6}
        | {"popularity": [90, 10, 40, 30, 20, 80]}
        | dict.fromkeys(CONTINUOUS, 0.5)
    )
    near = pd.DataFrame({"artist_key": ["a", "a", "b"], "neighbour_key": ["b", "unlisted", "c"], "score": [0.5, 1.0, 1.0]})
    none = pd.DataFrame({"track_id": [], "similar_track_id": [], "score": []})
    shelf = shelf_of(listed, none, near)
    affinity = sparse.csr_matrix(([2.0], ([0], [0])), shape=(1, 6))
    found = source_scores(shelf, affinity, affinity, None, np.array([0]))["similar_artist"].toarray()
    # The three most popular tracks of b; c is like b, whom nobody here has heard.
    assert found.round(9).tolist() == [[0, 0, 2 * 0.5 * 90, 2 * 0.5 * 80, 2 * 0.5 * 70, 0]]
    heard = sparse.csr_matrix(([1.0, 1.0], ([0, 0], [0, 1])), shape=(1, 6))
    # Who has heard b, though never willingly, does not get b from this source.
    assert source_scores(shelf, affinity, heard, None, np.array([0]))["similar_artist"].nnz == 0
    assert "similar_artist" not in source_scores(shelf_of(listed, none, near.iloc[:0]), affinity, heard, None, np.array([0]))
