"""Playlists: which tracks may stand in them, in which order, and that every reason is true."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

import bronze.listener_settings  # noqa: F401
import silver.catalogue
import silver.dislikes
import silver.listening_with_features  # noqa: F401
from gold.prescriptive.playlists.personalized_playlist_suggestions import personalized_playlist_suggestions
from gold.prescriptive.playlists.playlist_catalogue import ANY_GENRE, playlist_catalogue
from gold.prescriptive.playlists.playlists import PLAYLISTS
from tests.frames import collect, frame, play, recording_of
from tests.gold.prescriptive.histories import rounded, session
from tests.silver.rows import recordings_of

TABLE = "gold.personalized_playlist_suggestions"
GENRES = ("rock", "folk", "ambient")


def catalogue(tracks: int = 900) -> list[dict[str, Any]]:
    rng = np.random.default_rng(4)
    names = ("valence", "energy", "danceability", "acousticness", "instrumentalness", "liveness")
    return [
        {
            "track_id": f"c{n:04d}",
            "track_name": f"Song {n}",
            "artists": [f"Artist {n % 150}"],
            "genres": [GENRES[n % 3]],
            "explicit": n % 5 == 2,
            "popularity": int(rng.integers(0, 100)),
            "speechiness": 0.05 if n % 10 else 0.6,
            "tempo": float(rng.uniform(60, 200)),
            **{name: float(rng.random()) for name in names},
        }
        for n in range(tracks)
    ]


def fan(days: int = 60, tracks: int = 240, user: str = "me") -> list[dict[str, Any]]:
    """A listener of 20 artists with all kinds of music; every 10th track is mostly skipped."""
    rng = np.random.default_rng(8)
    made = [row | {"artists": [f"Band {n % 20}"], "track_name": f"Own {n}"} for n, row in enumerate(catalogue(tracks))]
    rows = []
    for day in range(days):
        for nth, n in enumerate(rng.integers(0, tracks, 20)):
            own = made[int(n)]
            features = {k: own[k] for k in ("energy", "danceability", "acousticness", "instrumentalness", "tempo")}
            names = {"track_id": f"o{n:04d}", "track_name": own["track_name"], "artist_name": own["artists"][0]}
            changes = features | names | {"artist_key": own["artists"][0], "speechiness": 0.05, "is_skip": bool(n % 10 == 0)}
            [row] = session(day, [own["valence"]], **changes)
            rows.append(row | {"play_id": f"{user}{day:03d}{nth:02d}", "user_id": user, "genres": ["rock"]})
    return rows


def suggested(
    spark: SparkSession,
    plays: list[dict[str, Any]],
    *disliked: str,
    users: tuple[str, ...] = ("me",),
    tracks: int = 900,
    clean: bool = False,
) -> list[dict[str, Any]]:
    known = frame(spark, "silver.catalogue", catalogue(tracks))
    recordings = recordings_of(spark, known)
    listed = playlist_catalogue(known, recordings, exclude_explicit=clean)
    settings = frame(spark, "bronze.listener_settings", [{"user_id": user, "timezone": "UTC"} for user in users])
    unwanted = frame(spark, "silver.dislikes", [{"user_id": "me", "track_id": track} for track in disliked])
    heard = frame(spark, "silver.listening_with_features", plays)
    rows = collect(
        TABLE,
        personalized_playlist_suggestions(heard, settings, listed, recordings, unwanted, exclude_explicit=clean),
    )
    return sorted(rows, key=lambda row: (row["user_id"], row["playlist_name"], row["position"]))


@pytest.fixture(scope="module")
def of_fan(spark: SparkSession) -> list[dict[str, Any]]:
    return suggested(spark, fan())


def lists(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [row for row in rows if row["playlist_name"] == name] for name in PLAYLISTS}


def test_thirty_different_tracks_at_most_three_an_artist(of_fan: list[dict[str, Any]]) -> None:
    for name, rows in lists(of_fan).items():
        assert [row["position"] for row in rows] == list(range(1, 31)), name
        assert len({(row["track_name"], row["artist_name"]) for row in rows}) == 30, name
        assert max(Counter(row["artist_name"] for row in rows).values()) <= 3, name


def test_each_playlist_has_its_kind_of_music_and_order(of_fan: list[dict[str, Any]]) -> None:
    found = lists(of_fan)
    assert min(row["energy"] for row in found["Energy Boost"]) >= 0.7
    assert min(row["tempo"] for row in found["Energy Boost"]) >= 100
    assert max(row["energy"] for row in found["Relaxation"]) <= 0.45
    energies = {name: [row["energy"] for row in found[name]] for name in ("Energy Boost", "Relaxation")}
    assert energies["Energy Boost"] == sorted(energies["Energy Boost"])
    assert energies["Relaxation"] == sorted(energies["Relaxation"], reverse=True)
    scores = [row["score"] for row in found["Focus"]]
    assert scores == sorted(scores, reverse=True)


def test_mood_lift_starts_at_the_present_mood_and_climbs_to_bright_music(of_fan: list[dict[str, Any]]) -> None:
    lift = lists(of_fan)["Mood Lift"]
    plays = sorted(fan(), key=lambda row: (row["played_at"], row["play_id"]))
    start = np.mean([row["valence"] for row in plays[-20:]])
    assert {round(row["start_valence"], 9) for row in lift} == {round(float(start), 9)}
    climb = [row["valence"] for row in lift]
    assert climb == sorted(climb)
    assert start <= climb[0] < start + 0.1
    assert climb[-1] > start + 0.9 * (1 - start) - 0.05
    assert max(np.diff(climb)) < 0.15


def test_own_tracks_first_and_reasons_that_are_true(of_fan: list[dict[str, Any]]) -> None:
    plays = fan()
    listens = Counter(row["track_id"] for row in plays)
    genre = len(plays)
    neighbours = pairs(plays)
    assert {row["origin"] for row in of_fan} == {"liked", "genre"}
    assert {row["together_with"] is None for row in of_fan} == {True, False}
    assert Counter(row["origin"] for row in lists(of_fan)["Mood Lift"])["liked"] >= 20
    new = f"New to you, from the catalogue: rock is one of your most played genres ({genre} listens)"
    for row in of_fan:
        count, reason = row["play_count"], row["reason"]
        assert count == listens.get(row["track_id"], 0)
        assert row["origin"] == ("liked" if count >= 3 else "genre")
        heard = f"You listened to it {count} times, skipped in {row['skips']} of {count} plays"
        assert reason.startswith(heard if count else new), reason
        if row["together_with"] is not None:
            assert f"you have played its artist next to {row['together_with']}" in reason
            assert neighbours[frozenset((row["artist_name"], row["together_with"]))] >= 2
        assert (row["coherence"] > 0) == (row["together_with"] is not None)
    skipped = {f"o{n:04d}" for n in range(0, 240, 10)}
    assert not skipped & {row["track_id"] for row in of_fan}


def test_what_was_heard_once_or_twice_is_no_liked_track(spark: SparkSession) -> None:
    plays = [
        row
        | {"track_name": f"Song {n}", "artist_name": f"Artist {n % 150}", "artist_key": f"a{n % 150}"}
        | {"recording_id": recording_of(f"Artist {n % 150}", f"Song {n}")}
        for n in range(2, 200, 5)
        for row in session(n, [0.1 + n / 250] * (1 + n % 2), [f"x{n:04d}"] * (1 + n % 2), speechiness=0.05)
    ]
    found = [row for row in suggested(spark, plays) if row["play_count"]]
    assert {row["origin"] for row in found} == {"heard"}
    texts = {row["play_count"]: row["reason"].split(",")[0] for row in found}
    assert texts == {1: "You listened to it once", 2: "You listened to it twice"}


def pairs(plays: list[dict[str, Any]]) -> Counter[frozenset[str]]:
    """How often two artists stand within three listens of each other in a session."""
    whole: dict[str, list[str]] = {}
    for row in sorted(plays, key=lambda row: (row["played_at"], row["play_id"])):
        whole.setdefault(row["session_id"], []).append(row["artist_name"])
    near = [(a, b) for artists in whole.values() for i, a in enumerate(artists) for b in artists[i + 1 : i + 4] if a != b]
    return Counter(frozenset(pair) for pair in near)


def test_dislikes_and_other_ids_of_a_recording_stay_out(spark: SparkSession, of_fan: list[dict[str, Any]]) -> None:
    disliked = {row["track_id"] for row in of_fan[:40]}
    again = [row | {"track_id": "again" + row["track_id"], "play_id": "x" + row["play_id"]} for row in fan()[:200]]
    found = suggested(spark, [*fan(), *again], *disliked)
    assert not disliked & {row["track_id"] for row in found}
    for name, rows in lists(found).items():
        assert len({(row["track_name"], row["artist_name"]) for row in rows}) == len(rows) == 30, name


def test_a_new_listener_gets_the_catalogue_of_the_genres_and_one_without_plays_what_is_popular(spark: SparkSession) -> None:
    plays = [play(1, "2024-01-01 10:00:00", valence=0.4, genres=["folk"], track_name="Song 1", artist_name="Artist 1")]
    found = suggested(spark, plays, users=("me", "new"))
    of_me = [row for row in found if row["user_id"] == "me"]
    of_new = [row for row in found if row["user_id"] == "new"]
    for rows in (lists(of_me), lists(of_new)):
        assert {name: len(own) for name, own in rows.items()} == dict.fromkeys(PLAYLISTS, 30)
    assert Counter(row["origin"] for row in of_me)["genre"] > 60
    assert {row["origin"] for row in of_new} == {"popular"}
    assert {row["start_valence"] for row in of_new} == {0.5}
    assert {row["start_valence"] for row in of_me} == {0.4}
    assert "c0001" not in {row["track_id"] for row in of_me}, "a catalogue track that was heard under another id"
    assert "rock is" not in " ".join(row["reason"] for row in of_me)


def test_explicit_tracks_are_left_out_as_far_as_the_catalogue_knows(spark: SparkSession) -> None:
    explicit = {f"c{n:04d}" for n in range(900) if n % 5 == 2}
    # Heard under an id that the catalogue has, and under another one of a recording that it has.
    heard = {f"{'c' if n % 10 == 2 else 'x'}{n:04d}": n for n in range(2, 200, 5)}
    plays = [
        row
        | {"track_name": f"Song {n}", "artist_name": f"Artist {n % 150}", "artist_key": f"a{n % 150}"}
        | {"recording_id": recording_of(f"Artist {n % 150}", f"Song {n}")}
        for track, n in heard.items()
        for row in session(n, [0.1 + n / 250] * 3, [track] * 3, speechiness=0.05)
    ]
    usual = {row["track_id"] for row in suggested(spark, plays)}
    assert {track[0] for track in usual & set(heard)} == {"c", "x"}
    explicit |= set(heard)
    found = suggested(spark, plays, clean=True)
    assert not explicit & {row["track_id"] for row in found}
    assert {name: len(rows) for name, rows in lists(found).items()} == dict.fromkeys(PLAYLISTS, 30)


def test_what_is_estimated_is_said_beside_the_track_s_own_figure(spark: SparkSession) -> None:
    estimated = [row | {"feature_source": "artist_mean", "is_measured": False} for row in fan(20)]
    own = [row for row in suggested(spark, estimated) if not row["is_measured"]]
    lift = [row["reason"] for row in own if row["playlist_name"] == "Mood Lift"]
    others = [row["reason"] for row in own if row["playlist_name"] != "Mood Lift"]
    assert lift and others
    assert [reason for reason in lift if " (its artist's mean), your last listens " not in reason] == []
    assert [reason for reason in others if not reason.endswith(" (its artist's mean).")] == []


def test_nobody_and_nothing(spark: SparkSession) -> None:
    assert suggested(spark, [], users=()) == []
    assert suggested(spark, [], users=("me",), tracks=0) == []
    synthetic = [row | {"feature_source": "synthetic", "is_measured": False} for row in fan(3)]
    of_synthetic = {row["origin"] for row in suggested(spark, synthetic)}
    assert of_synthetic and of_synthetic <= {"genre", "popular"}


def test_listeners_apart_and_any_order(spark: SparkSession, of_fan: list[dict[str, Any]]) -> None:
    together = [*fan(), *fan(20, user="zoe")]
    shuffled = [together[i] for i in np.random.default_rng(3).permutation(len(together))]
    found = suggested(spark, shuffled, users=("zoe", "me"))
    assert rounded([row for row in found if row["user_id"] == "me"]) == rounded(of_fan)


def test_the_catalogue_s_best_by_genre(spark: SparkSession) -> None:
    known = frame(spark, "silver.catalogue", catalogue())
    rows = collect("gold.playlist_catalogue", playlist_catalogue(known, recordings_of(spark, known), exclude_explicit=False))
    assert {row["genre"] for row in rows} == {*GENRES, ANY_GENRE}
    sizes = Counter((row["playlist_name"], row["genre"]) for row in rows if row["playlist_name"] != "Mood Lift")
    assert max(sizes.values()) == 40
    assert all(row["speechiness"] < 0.33 for row in rows if row["playlist_name"] != "Energy Boost")
    for name, genre in sizes:
        own = sorted((r for r in rows if (r["playlist_name"], r["genre"]) == (name, genre)), key=lambda r: r["rank"])
        assert [r["rank"] for r in own] == list(range(1, len(own) + 1))
        scores = [r["fit"] + r["popularity"] / 100 for r in own]
        assert scores == sorted(scores, reverse=True)
        assert max(Counter(r["artist_key"] for r in own).values()) <= 3
