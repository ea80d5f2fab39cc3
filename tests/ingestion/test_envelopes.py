"""Poll files: only what is new becomes rows, of the envelope's listener; odd answers lose no play and add none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingestion import history_facts
from lakehouse.declare import BrokenFileError, ReceivedSource
from tests.landing_files import SOURCES, read, recognised_by
from tests.polling.envelopes_of import (
    envelope,
    lastfm_body,
    lastfm_track,
    listenbrainz_body,
    listenbrainz_listen,
    spotify_body,
    spotify_play,
)

API_SOURCES = ("spotify_api", "lastfm_api", "listenbrainz_api")
PLAYED = "2026-11-29T21:04:05.123Z"
UTS = 1795986245
BODIES: dict[str, Any] = {
    "spotify_api": spotify_body(*[spotify_play(PLAYED, track) for track in range(4)]),
    "lastfm_api": lastfm_body([lastfm_track(None), *[lastfm_track(UTS - 200 * track, track) for track in range(1, 4)]]),
    "listenbrainz_api": listenbrainz_body(*[listenbrainz_listen(UTS - 200 * track, track) for track in range(4)]),
}


def rows(source: str, body: Any, new: list[int], listener: str = "anna") -> list[dict[str, Any]]:
    """What is read, without null values."""
    found = read(source, envelope(source, body, new, listener).content(), "_api")
    return [{name: value for name, value in row.items() if value is not None} for row in found]


@pytest.mark.parametrize("source", API_SOURCES)
@pytest.mark.parametrize("new", [[], [1], [1, 3], [3, 1], [2]])
def test_only_new_positions_become_rows_of_the_envelopes_listener(source: str, new: list[int]) -> None:
    found = rows(source, BODIES[source], new, "Jürgen")
    assert [row["track_name"] for row in found] == [f"Track {number}" for number in sorted(new)]
    assert {row["user_id"] for row in found} <= {"Jürgen"}
    assert "distinctive_name" not in str(found)


@pytest.mark.parametrize("source", API_SOURCES)
@pytest.mark.parametrize("indent", [None, 1])
def test_an_envelope_is_recognised_by_its_own_source_only(source: str, indent: int | None) -> None:
    content = envelope(source, BODIES[source], [1]).content()
    assert recognised_by(json.dumps(json.loads(content), indent=indent).encode()) == [source]


def test_answers_without_an_envelope_and_envelopes_to_come_are_not_taken_for_one() -> None:
    assert recognised_by(json.dumps(BODIES["lastfm_api"]).encode()) == ["lastfm_json"]
    later = envelope("spotify_api", BODIES["spotify_api"], [1]).content().replace(b"poll/1", b"poll/2")
    assert recognised_by(later) == []


def test_a_spotify_play() -> None:
    assert rows("spotify_api", spotify_body(spotify_play(PLAYED)), [0]) == [
        {
            "source_kind": "api",
            "user_id": "anna",
            "ts": PLAYED,
            "track_ms": "180000",
            "track_uri": f"spotify:track:{1:022d}",
            "track_name": "Track 1",
            "artist_name": "Artist 1",
            "album_name": "Album 1",
        }
    ]


@pytest.mark.parametrize(
    ("play", "wanted"),
    [
        # Mode 15: quarantined by silver, as it has no name.
        ({"track": None, "played_at": PLAYED}, {}),
        ({"played_at": PLAYED}, {}),
        # Mode 16: a file of the listener's own.
        (
            spotify_play(
                PLAYED, id=None, uri="spotify:local:A:B:C:180", is_local=True, album={"name": ""}, artists=[{"name": "A"}]
            ),
            {"track_uri": "spotify:local:A:B:C:180", "track_name": "Track 1", "artist_name": "A", "album_name": ""},
        ),
        (spotify_play(PLAYED, id=None, uri=None, album=None, artists=[]), {"track_name": "Track 1"}),
        # Mode 17: set aside by silver.
        (
            spotify_play(PLAYED, type="episode", show={"name": "Show"}, uri="spotify:episode:x"),
            {"episode_name": "Track 1", "episode_show_name": "Show", "episode_uri": "spotify:episode:x"},
        ),
        (spotify_play(PLAYED, type="episode", uri=None, id="x"), {"episode_name": "Track 1", "episode_uri": "spotify:episode:x"}),
        # Mode 18, and fields that development mode leaves out.
        (
            {"played_at": PLAYED, "track": {"id": f"{7:022d}", "name": "Tide"}},
            {"track_uri": f"spotify:track:{7:022d}", "track_name": "Tide"},
        ),
    ],
    ids=["track null", "no track", "local file", "names only", "episode", "episode without URI", "few fields"],
)
def test_odd_spotify_plays(play: dict[str, Any], wanted: dict[str, Any]) -> None:
    [row] = rows("spotify_api", spotify_body(play), [0])
    row.pop("track_ms", None)
    assert row == {"source_kind": "api", "user_id": "anna", "ts": PLAYED} | wanted


def test_a_lastfm_scrobble_alone_in_its_answer_is_no_list() -> None:
    assert rows("lastfm_api", lastfm_body(lastfm_track(UTS)), [0]) == [
        {
            "source_kind": "scrobble",
            "user_id": "anna",
            "ts": str(UTS),
            "track_name": "Track 1",
            "artist_name": "Artist 1",
            "album_name": "Album 1",
        }
    ]


def test_a_listenbrainz_listen_and_a_copy_of_account_data() -> None:
    copy = {"ms_played": 60_000, "music_service": "spotify.com", "origin_url": f"https://open.spotify.com/track/{7:022d}"}
    body = listenbrainz_body(listenbrainz_listen(UTS, duration_played=20), listenbrainz_listen(UTS, **copy))
    first, second = rows("listenbrainz_api", body, [0, 1])
    assert (first["source_kind"], first["ts"], first["ms_played"], first["user_id"]) == ("scrobble", str(UTS), "20000", "anna")
    assert (second["source_kind"], second["ms_played"], second["user_id"]) == ("account_data", "60000", "anna")


@pytest.mark.parametrize(
    ("source", "body", "new"),
    [
        ("spotify_api", spotify_body(spotify_play(PLAYED)), [1]),
        ("spotify_api", spotify_body(spotify_play(PLAYED)), [-1]),
        ("spotify_api", {}, [0]),
        ("spotify_api", [], [0]),
        ("lastfm_api", {"recenttracks": []}, [0]),
        ("listenbrainz_api", {"payload": {"listens": None}}, [0]),
    ],
)
def test_a_new_item_that_is_missing_breaks_the_file(source: str, body: Any, new: list[int]) -> None:
    with pytest.raises(BrokenFileError, match="should be new"):
        rows(source, body, new)


@pytest.mark.parametrize("change", [{"new": None}, {"new": ["0"]}, {"new": [True]}, {"listener": None}, {"listener": ""}])
def test_an_envelope_that_does_not_say_whose_or_what_is_broken(change: dict[str, Any]) -> None:
    document = json.loads(envelope("spotify_api", BODIES["spotify_api"], [1]).content()) | change
    with pytest.raises(BrokenFileError, match="not a whole poll file"):
        read("spotify_api", json.dumps(document).encode())


def test_a_cut_envelope_is_broken() -> None:
    content = envelope("spotify_api", BODIES["spotify_api"], [1]).content()
    assert recognised_by(content[:-50]) == ["spotify_api"]
    with pytest.raises(BrokenFileError, match="not valid JSON"):
        read("spotify_api", content[:-50])


def test_their_facts_are_stated() -> None:
    facts = {one.source: one for one in history_facts()}
    assert [kind.name for kind in facts["spotify_api"].kinds] == ["api"]
    [api] = facts["spotify_api"].kinds
    assert api.compared_with == ("start", "end")
    ranks = {kind.name: kind.rank for one in facts.values() for kind in one.kinds}
    assert ranks["export"] < ranks["api"] < ranks["account_data"] < ranks["scrobble"]
    assert all(isinstance(SOURCES[name], ReceivedSource) for name in API_SOURCES)
