"""Forms in which the sources' rows come besides their usual ones: other separators, names of columns, lists and pages."""

from __future__ import annotations

import json

import pytest

from tests.landing_files import as_json, lines, listen, read


def some(source: str, content: bytes) -> list[dict[str, str]]:
    """The fields that have a value, row by row, without those that every row has."""
    rows = read(source, content)
    return [{k: v for k, v in row.items() if v is not None and k not in ("user_id", "source_kind")} for row in rows]


def test_spotify_s_own_names_as_columns_are_read_and_the_address_is_not() -> None:
    header = ",ts,ms_played,ip_addr,master_metadata_track_name,master_metadata_album_artist_name,episode_name,spotify_episode_uri"
    content = lines(
        header, "0,2022-01-01T08:01:00Z,200000,203.0.113.5,Canto,Choir,,", "1,2022-01-02T08:01:00Z,1,203.0.113.5,,,E,u"
    )
    assert some("spotify_flat_csv", content) == [
        {"ts": "2022-01-01T08:01:00Z", "ms_played": "200000", "track_name": "Canto", "artist_name": "Choir"},
        {"ts": "2022-01-02T08:01:00Z", "ms_played": "1", "episode_name": "E", "episode_uri": "u"},
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(separator: str, end: str) -> None:
    table = [
        ["Spotify_Track_Uri", " ts ", "ms_played", "track_name"],
        ["x", "2024-01-01 10:00", "1", '"A, B; C"'],
        ["y", "z", "2", "D"],
    ]
    content = end.join(separator.join(row) for row in table).encode()
    assert [(row["ts"], row["track_name"]) for row in some("spotify_flat_csv", content)] == [
        ("2024-01-01 10:00", "A, B; C"),
        ("z", "D"),
    ]


def test_a_separator_in_a_line_of_its_own() -> None:
    assert some("spotify_flat_csv", lines("sep=;", "spotify_track_uri;ts;ms_played", "x;y;1")) == [
        {"track_uri": "x", "ts": "y", "ms_played": "1"}
    ]


def test_an_old_list_of_listens_is_read_like_its_lines() -> None:
    assert some("listenbrainz", as_json([listen(listened_at=1698832800.5), "noise"])) == [
        {"ts": "1698832800.5", "track_ms": "240186", "track_name": "Title", "artist_name": "Artist", "album_name": "Album"},
        {},
    ]


def test_milliseconds_of_lastfmstats_become_seconds() -> None:
    content = lines("Artist;Album;AlbumId;Track;Date#someone", '"A";"";"";"T; x";"1554026552123"', '"A";"";"";"T";"0"')
    expected = [
        {"ts": "1554026552.123", "artist_name": "A", "track_name": "T; x"},
        {"ts": "0", "artist_name": "A", "track_name": "T"},
    ]
    assert some("lastfm_stats_csv", content) == expected
    scrobbles = [{"track": "T; x", "artist": "A", "date": 1554026552123}, {"track": "T", "artist": "A", "date": 0}, None]
    document = json.dumps({"username": "someone", "scrobbles": scrobbles}).encode()
    assert some("lastfm_stats_json", document) == [*expected, {}]


def test_pages_of_last_fm_s_answers() -> None:
    track = {
        "artist": {"mbid": "", "#text": "A"},
        "name": "T",
        "album": {"#text": "B"},
        "date": {"uts": "1554026552", "#text": "x"},
    }
    longer = track | {"artist": {"name": "A", "url": "u"}}
    playing = {name: value for name, value in track.items() if name != "date"}
    row = {"ts": "1554026552", "artist_name": "A", "album_name": "B", "track_name": "T"}
    without_time = {name: value for name, value in row.items() if name != "ts"}
    assert some("lastfm_json", as_json([{"track": [playing, track]}, {"track": longer}])) == [without_time, row, row]
    assert some("lastfm_json", json.dumps({"recenttracks": {"track": [track], "@attr": {}}}).encode()) == [row]
    assert some("lastfm_json", as_json([track])) == [row]


def test_the_time_of_a_public_data_set_may_be_called_utc_time() -> None:
    content = lines("utc_time,artist,album,track", '"24 Jan 2023, 09:42",A,B,C')
    assert some("lastfm_csv", content) == [{"ts": "24 Jan 2023, 09:42", "artist_name": "A", "album_name": "B", "track_name": "C"}]
