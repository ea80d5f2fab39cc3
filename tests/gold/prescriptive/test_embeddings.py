"""Embeddings of tracks and listeners, similar tracks: unit length, real and synthetic apart, without Java, without rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from features.unit_vectors import arrays
from gold.prescriptive.recommendations.similar_tracks import similar_tracks
from gold.prescriptive.recommendations.track_embeddings import track_embeddings
from gold.prescriptive.recommendations.user_embeddings import user_embeddings
from lakehouse.declare import Fitted, Model
from lakehouse.plan import graph
from models.tracks.track_blend import DEFAULT, track_blend
from models.tracks.track_kinds import DIMENSIONS, SESSIONS
from models.tracks.track_neighbours import track_neighbours
from models.tracks.track_vectors import track_vectors
from tests.frames import collect, frame, play
from tests.models.test_track_vectors import stored, tracks
from tests.silver.rows import recordings_of

graph.load()


@pytest.fixture(scope="module")
def content(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Model:
    catalogue = frame(spark, "silver.catalogue", tracks(60))
    fitted = track_vectors(catalogue, recordings_of(spark, catalogue))
    return stored(fitted, "track_vectors", tmp_path_factory.mktemp("models"), spark)


def sessions_model(folder: Path, spark: SparkSession, rows: list[tuple[str, str, int]]) -> Model:
    """Session vectors as training would store them: (population, track, direction), published and for judging."""
    vectors = np.vstack([np.eye(1, SESSIONS, place) for _, _, place in rows for _ in range(3)])
    table = pa.table(
        {
            "population": [population for population, _, _ in rows for _ in range(3)],
            "window": ["validation", "test", "all"] * len(rows),
            "track_id": [track for _, track, _ in rows for _ in range(3)],
            "vector": arrays(vectors),
        }
    )
    return stored(Fitted({}, frames={"vectors": table}), "session_vectors", folder, spark)


def blend(folder: Path, spark: SparkSession, *populations: str) -> Model:
    return stored(Fitted({"weights": dict.fromkeys(populations, DEFAULT)}), "track_blend", folder, spark)


def heard(spark: SparkSession, *more: dict[str, Any]) -> Any:
    """silver.tracks: the catalogue's first 60, and more."""
    rows = [
        {**row, "artist_key": f"{i:016x}", "feature_source": "kaggle_id", "in_catalogue": True}
        for i, row in enumerate(tracks(60))
    ]
    return frame(spark, "silver.tracks", [{k: v for k, v in row.items() if k != "x"} for row in [*rows, *more]])


def by_key(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["track_id"], row["kind"]): row for row in rows}


def test_every_kind_has_unit_length_and_made_up_features_none(spark: SparkSession, content: Model, tmp_path: Path) -> None:
    made_up = {"track_id": "m1", "feature_source": "synthetic", "energy": 0.5, "artist_key": "ab" * 8, "in_catalogue": False}
    bare = {"track_id": "m2", "in_catalogue": False}
    model = sessions_model(tmp_path, spark, [("real", "t0000", 0), ("real", "m1", 1)])
    got = collect(
        "gold.track_embeddings",
        track_embeddings(heard(spark, made_up, bare), content, blend(tmp_path, spark, "real"), model),
    )
    for row in got:
        assert len(row["vector"]) == DIMENSIONS[row["kind"]]
        assert np.linalg.norm(row["vector"]) == pytest.approx(1.0, abs=1e-9)
    rows = by_key(got)
    assert {kind for track, kind in rows if track == "m1"} == {"sessions"}, "a session tells of a track that nothing else does"
    assert not any(track == "m2" for track, _ in rows)
    assert rows["t0000", "blended"]["parts"] == "audio+genre_artist+sessions"
    assert rows["t0001", "blended"]["parts"] == "audio+genre_artist"
    assert rows["t0000", "sessions"]["model_id"] == model.id


def test_real_vectors_are_the_same_beside_synthetic_ones(spark: SparkSession, content: Model, tmp_path: Path) -> None:
    alone = sessions_model(tmp_path / "a", spark, [("real", "t0000", 0)])
    both = sessions_model(tmp_path / "b", spark, [("real", "t0000", 0), ("synthetic", "t0000", 1), ("synthetic", "t0001", 2)])
    first = collect("gold.track_embeddings", track_embeddings(heard(spark), content, blend(tmp_path, spark, "real"), alone))
    mixed = blend(tmp_path / "b", spark, "real", "synthetic")
    second = collect("gold.track_embeddings", track_embeddings(heard(spark), content, mixed, both))
    assert [row for row in second if not row["kind"].endswith("_synthetic")] == first
    rows = by_key(second)
    assert rows["t0000", "sessions"]["vector"] != rows["t0000", "sessions_synthetic"]["vector"]
    assert ("t0001", "sessions") not in rows


def test_without_java_all_but_sessions_is_there(spark: SparkSession, content: Model, tmp_path: Path) -> None:
    rows = collect("gold.track_embeddings", track_embeddings(heard(spark), content, blend(tmp_path, spark, "real"), None))
    assert {row["kind"] for row in rows} == {"audio", "genre_artist", "blended"}
    assert len(rows) == 3 * 60
    assert (
        collect("gold.track_embeddings", track_embeddings(heard(spark).limit(0), content, blend(tmp_path, spark, "real"), None))
        == []
    )


def embedding(track: str, kind: str, place: int) -> dict[str, Any]:
    return {
        "track_id": track,
        "kind": kind,
        "vector": np.eye(1, DIMENSIONS[kind], place)[0].tolist(),
        "parts": kind,
        "model_id": "m",
    }


def listener(
    spark: SparkSession, plays: list[dict[str, Any]], weights: dict[str, float], *, is_synthetic: bool = False
) -> tuple[Any, ...]:
    sessions = [{"user_id": "me", "session_id": name, "recency_weight": weight} for name, weight in weights.items()]
    return (
        frame(spark, "silver.listening_with_features", plays),
        frame(spark, "silver.sessions", sessions),
        frame(spark, "silver.users", [{"user_id": "me", "is_synthetic": is_synthetic}]),
    )


def test_listener_by_hand(spark: SparkSession) -> None:
    """a twice at weight 1, b once at .5 -> (2, .5) / sqrt(4.25); c has no vector: 2.5 of 3 weighted listens; focus .8246."""
    plays = [
        play(1, "2024-01-01 10:00:00", session_id="new", track_id="a"),
        play(2, "2024-01-01 10:10:00", session_id="new", track_id="a"),
        play(3, "2023-10-03 10:00:00", session_id="old", track_id="b"),
        play(4, "2023-10-03 10:10:00", session_id="old", track_id="c"),
        play(5, "2024-01-01 10:20:00", session_id="new", track_id="b", is_listen=False),
    ]
    vectors = [embedding("a", "audio", 0), embedding("b", "audio", 1), embedding("a", "blended_synthetic", 0)]
    table = frame(spark, "gold.track_embeddings", vectors)
    got = collect("gold.user_embeddings", user_embeddings(*listener(spark, plays, {"new": 1.0, "old": 0.5}), table))
    assert [row["kind"] for row in got] == ["audio"], "what synthetic listeners taught is not a real one's"
    assert got[0]["vector"] == pytest.approx([2 / 4.25**0.5, 0.5 / 4.25**0.5] + [0.0] * (DIMENSIONS["audio"] - 2))
    assert (got[0]["listens"], got[0]["share"]) == (3, pytest.approx(2.5 / 3))
    assert got[0]["focus"] == pytest.approx(4.25**0.5 / 2.5)


def test_synthetic_listeners_have_the_synthetic_kinds(spark: SparkSession) -> None:
    plays = [play(1, "2024-01-01 10:00:00", session_id="new", track_id="a")]
    vectors = [embedding("a", kind, 0) for kind in DIMENSIONS]
    inputs = listener(spark, plays, {"new": 1.0}, is_synthetic=True)
    got = collect("gold.user_embeddings", user_embeddings(*inputs, frame(spark, "gold.track_embeddings", vectors)))
    assert [row["kind"] for row in got] == ["audio", "blended_synthetic", "genre_artist", "sessions_synthetic"]


def test_similar_tracks_tell_what_they_share(spark: SparkSession, content: Model, tmp_path: Path) -> None:
    rows = tracks(60)
    rows[3] |= {"track_name": rows[0]["track_name"], "artists": rows[0]["artists"]}
    catalogue = frame(spark, "silver.catalogue", rows)
    recordings = recordings_of(spark, catalogue)
    model = stored(track_neighbours(catalogue, recordings, content), "track_neighbours", tmp_path, spark)
    got = collect("gold.similar_tracks", similar_tracks(catalogue, recordings, model))
    assert len(got) == 60 * 20
    told = {row["track_id"]: row for row in rows}
    for row in got:
        one, other = told[row["track_id"]], told[row["similar_track_id"]]
        assert (one["track_name"], one["artists"]) != (other["track_name"], other["artists"])
        assert row["is_same_artist"] == (one["artists"] == other["artists"])
        assert row["shared_genres"] == len(set(one["genres"]) & set(other["genres"]))
        assert ("genre" in row["reason"]) == (row["shared_genres"] > 0)
    assert {row["is_same_artist"] for row in got} == {True, False}
    assert {row["shared_genres"] > 0 for row in got} == {True, False}
    best = [row for row in got if row["rank"] == 1]
    assert np.mean([row["shared_genres"] for row in best]) > 0.9


def test_blend_finds_what_sessions_tell(spark: SparkSession, content: Model, tmp_path: Path) -> None:
    """Next tracks share a session vector and no genre: sessions weigh most; without them the blend still is there."""
    plays, vectors = [], []
    for i in range(100):
        minute = f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}"
        for place, number in enumerate((i % 20, 20 + (i % 20))):
            plays.append(play(2 * i + place, f"{minute} 10:0{place}:00", session_id=f"s{i}", track_id=f"t{number:04d}"))
    for number in range(20):
        vectors += [("real", f"t{number:04d}", number), ("real", f"t{20 + number:04d}", number)]
    listening = frame(spark, "silver.listening_with_features", plays)
    user = {
        "user_id": "me",
        "is_synthetic": False,
        "first_played_at": plays[0]["played_at"],
        "last_played_at": plays[-1]["played_at"],
    }
    users, catalogue = frame(spark, "silver.users", [user]), frame(spark, "silver.catalogue", tracks(60))
    recordings = recordings_of(spark, catalogue)
    fitted = track_blend(listening, users, catalogue, recordings, content, sessions_model(tmp_path, spark, vectors))
    assert fitted.parameters["weights"]["real"]["sessions"] >= 0.5
    value = {row["metric"]: row["value"] for row in fitted.metrics}
    assert value["next track geometric mean rank"] < value["next track geometric mean rank: audio alone"]
    assert value["next track hit@20: sessions alone"] == 1.0
    without = track_blend(listening, users, catalogue, recordings, content, None)
    assert without.parameters["weights"]["real"]["sessions"] == 0.0
    empty = track_blend(listening.limit(0), users.limit(0), catalogue, recordings, content, None)
    assert empty.parameters["weights"] == {"real": DEFAULT}
    assert empty.metrics == []
