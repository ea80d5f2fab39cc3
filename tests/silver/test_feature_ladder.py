"""The feature ladder: the best source of each heard track's features, and every track once."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import SparkSession

from music.audio_features import CONTINUOUS, FEATURES
from silver.albums import albums
from silver.artists import artists
from tests.frames import NINE_FEATURES, collect, frame
from tests.silver.rows import build, history

SYNTHETIC = "bronze.track_features_synthetic"

IDS = {name: f"{name:0<22}" for name in ("api", "both", "listed", "unlisted", "unknown", "unheard", "Z", "Y", "X")}


def numbers(level: float) -> dict[str, Any]:
    return {
        **dict.fromkeys(CONTINUOUS, level),
        "loudness": -level,
        "tempo": 100 + level,
        "time_signature": 4,
        "key": 1,
        "mode": 1,
    }


def listed(name: str, level: float, title: str, *credited: str, popularity: int = 50, **changes: Any) -> dict[str, Any]:
    track = {"track_id": IDS[name], "track_name": title, "artists": list(credited), "album_name": "Album", "genres": ["rock"]}
    return track | {"popularity": popularity, "duration_ms": 200_000} | numbers(level) | changes


def heard(number: int, title: str | None, artist: str | None, name: str | None = None) -> dict[str, Any]:
    uri = f"spotify:track:{IDS[name]}" if name else None
    ts = f"2024-03-{number:02d}T10:03:00Z"
    return history(number, ts, track_name=title, artist_name=artist, track_uri=uri, album_name="Heard album")


CATALOGUE = [
    listed("both", 0.1, "Both", "Lister"),
    listed("listed", 0.2, "Listed", "Lister"),
    listed("Z", 0.3, "Twice", "Lister", "Guest", popularity=80),
    listed("Y", 0.4, "Twice", "Lister", "Guest", popularity=90),
    listed("X", 0.5, "TWICE", "Guest", popularity=90),
    listed("unheard", 0.6, "Unheard", "Other"),
]
PLAYS = [
    heard(1, "Api only", "Nobody", "api"),
    heard(2, "Both", "Lister", "both"),
    heard(3, "Other title", "Other artist", "listed"),
    heard(4, "twice ", "LISTER"),
    heard(5, "Twice", "guest", "unlisted"),
    heard(6, "Never listed", "Lister"),
    heard(7, "Never listed", "Guest"),
    heard(8, "Nothing", "Nobody", "unknown"),
    heard(9, None, "Lister"),
]
API = [{"track_id": IDS["api"], **numbers(0.9)}, {"track_id": IDS["both"], **numbers(0.8)}]


class Ladder:
    """All tables around silver.tracks for the given catalogue, plays and API features."""

    def __init__(
        self,
        spark: SparkSession,
        rows: list[dict[str, Any]],
        catalogue: list[dict[str, Any]],
        api: list[dict[str, Any]],
        *,
        allow_synthetic: bool = True,
        synthetic: list[dict[str, Any]] | None = None,
    ) -> None:
        given = {
            "bronze.listening_history": frame(spark, "bronze.listening_history", rows),
            "silver.catalogue": frame(spark, "silver.catalogue", catalogue),
            "bronze.track_features": frame(spark, "bronze.track_features", api),
        }
        if synthetic is not None:
            given[SYNTHETIC] = frame(spark, SYNTHETIC, synthetic)
        self.tracks = build(spark, "silver.tracks", given, allow_synthetic=allow_synthetic)
        self.plays, self.synthetic = given["silver.plays"], given[SYNTHETIC]
        self.heard_tracks, self.names = given["silver.heard_tracks"], given["silver.names"]
        rows_of_tracks = collect("silver.tracks", self.tracks)
        self.by_id = {row["track_id"]: row for row in rows_of_tracks}
        assert len(self.by_id) == len(rows_of_tracks), "a track stands twice"

    def heard_as(self, title: str, artist: str) -> dict[str, Any]:
        own = self.plays.where(f"track_name = '{title}' AND artist_name = '{artist}'").collect()
        return self.by_id[own[0]["track_id"]]


@pytest.fixture(scope="module")
def ladder(spark: SparkSession) -> Ladder:
    return Ladder(spark, PLAYS, CATALOGUE, API)


@pytest.mark.parametrize(
    ("title", "artist", "rung", "matched", "energy"),
    [
        ("Api only", "Nobody", "api", None, 0.9),
        ("Both", "Lister", "api", "both", 0.8),
        ("Other title", "Other artist", "kaggle_id", "listed", 0.2),
        # Of three catalogue tracks of that name, two are the most popular: Y credits Lister, and X has the lower id for Guest.
        ("twice", "LISTER", "kaggle_name", "Y", 0.4),
        ("Twice", "guest", "kaggle_name", "X", 0.5),
        ("Never listed", "Lister", "artist_mean", None, (0.1 + 0.2 + 0.3 + 0.4) / 4),
        ("Never listed", "Guest", "artist_mean", None, (0.3 + 0.4 + 0.5) / 3),
    ],
)
def test_each_rung(ladder: Ladder, title: str, artist: str, rung: str, matched: str | None, energy: float) -> None:
    track = ladder.heard_as(title, artist)
    assert (track["feature_source"], track["matched_track_id"]) == (rung, IDS[matched] if matched else None)
    assert track["energy"] == pytest.approx(energy)
    assert (track["time_signature"] is None) == (rung == "artist_mean")


def test_what_nothing_covers_is_synthetic_and_in_range(ladder: Ladder) -> None:
    track = ladder.by_id[IDS["unknown"]]
    assert track["feature_source"] == "synthetic"
    unit = NINE_FEATURES - {"loudness", "tempo"}
    possible = dict.fromkeys(unit, (0, 1)) | {"loudness": (-60, 0), "tempo": (50, 220), "time_signature": (4, 4), "key": (0, 11)}
    assert [name for name, (low, high) in possible.items() if not low <= track[name] <= high] == []
    assert track["mode"] in (0, 1)
    assert [row["track_id"] for row in ladder.synthetic.collect()] == [IDS["unknown"]]


def test_every_listed_and_every_heard_track_is_there_once(ladder: Ladder) -> None:
    assert {track for track, row in ladder.by_id.items() if row["in_catalogue"]} == {row["track_id"] for row in CATALOGUE}
    assert {row["track_id"] for row in ladder.heard_tracks.collect()} <= ladder.by_id.keys()
    assert ladder.heard_tracks.count() == len(PLAYS)
    assert len(ladder.by_id) == len(PLAYS) + len(CATALOGUE) - 2
    unheard = ladder.by_id[IDS["unheard"]]
    assert (unheard["feature_source"], unheard["energy"]) == ("kaggle_id", 0.6)


def test_the_catalogue_names_a_track_and_a_play_names_the_others(ladder: Ladder) -> None:
    track = ladder.by_id[IDS["listed"]]
    assert (track["track_name"], track["artists"], track["album_name"]) == ("Listed", ["Lister"], "Album")
    track = ladder.by_id[IDS["unlisted"]]
    assert (track["track_name"], track["artists"], track["album_name"]) == ("Twice", ["guest"], "Heard album")


def test_without_leave_nothing_is_synthetic_and_the_rest_is_the_same(spark: SparkSession, ladder: Ladder) -> None:
    strict = Ladder(spark, PLAYS, CATALOGUE, API, allow_synthetic=False)
    assert strict.synthetic.count() == 0
    unknown = strict.by_id[IDS["unknown"]]
    assert [unknown[name] for name in ("feature_source", *FEATURES)] == [None] * (1 + len(FEATURES))
    changed = [track for track, row in strict.by_id.items() if row != ladder.by_id[track]]
    assert changed == [IDS["unknown"]]


def test_synthetic_values_depend_on_the_track_only(spark: SparkSession, ladder: Ladder) -> None:
    alone = Ladder(spark, [heard(27, "Another name", "Another nobody", "unknown") | {"user_id": "anna"}], [], [])
    assert [alone.by_id[IDS["unknown"]][name] for name in FEATURES] == [ladder.by_id[IDS["unknown"]][name] for name in FEATURES]


def test_a_synthetic_row_never_overrides_a_better_rung(spark: SparkSession, ladder: Ladder) -> None:
    stale = [{"track_id": track, **numbers(0.77)} for track in ladder.by_id]
    result = Ladder(spark, PLAYS, CATALOGUE, API, synthetic=stale)
    assert [track for track, row in result.by_id.items() if row["energy"] == 0.77] == [IDS["unknown"]]


def test_an_impossible_value_of_a_measured_track_stays_unknown(spark: SparkSession) -> None:
    catalogue = [listed("listed", 0.2, "Listed", "Lister", tempo=None), listed("both", 0.1, "Both", "Lister")]
    row = Ladder(spark, [heard(1, "Listed", "Lister", "listed")], catalogue, []).by_id[IDS["listed"]]
    assert (row["feature_source"], row["tempo"]) == ("kaggle_id", None)


def test_artists_and_albums_average_measured_tracks_only(spark: SparkSession, ladder: Ladder) -> None:
    by_name = {
        row["artist_name"].lower(): row
        for row in collect("silver.artists", artists(ladder.tracks, ladder.heard_tracks, ladder.names))
    }
    lister = by_name["lister"]
    # both .8 (API), listed .2, Z .3, Y .4, heard by name .4; two more are estimates.
    assert (lister["tracks"], lister["heard_tracks"], lister["measured_tracks"]) == (7, 5, 5)
    assert lister["energy"] == pytest.approx((0.8 + 0.2 + 0.3 + 0.4 + 0.4) / 5)
    # The API's .9 counts, the synthetic track does not.
    assert (by_name["nobody"]["tracks"], by_name["nobody"]["measured_tracks"]) == (2, 1)
    assert by_name["nobody"]["energy"] == pytest.approx(0.9)
    guest = by_name["guest"]
    assert guest["energy"] == pytest.approx((0.3 + 0.4 + 0.5 + 0.5) / 4)
    listed_albums = [
        row for row in collect("silver.albums", albums(ladder.tracks, ladder.heard_tracks)) if row["album_name"] == "Album"
    ]
    by_artist = {row["artist_name"]: row for row in listed_albums}
    assert {name: (row["tracks"], row["heard_tracks"]) for name, row in by_artist.items()} == {
        "Lister": (4, 2),
        "Guest": (1, 0),
        "Other": (1, 0),
    }
    assert by_artist["Lister"]["energy"] == pytest.approx((0.8 + 0.2 + 0.3 + 0.4) / 4)
