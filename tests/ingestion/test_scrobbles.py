"""Scrobbles of Last.fm and ListenBrainz are read row by row as they are, and nothing is made up about how long they lasted."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from ingestion import text_lines
from ingestion.history import FIELDS
from lakehouse.declare import BrokenFileError
from tests.landing_files import CONTENTS, HOSTILE_NAMES, UTS_HEADER, as_lines, lines, listen, one_k, read

URL = "https://open.spotify.com/track/2J3n32GeLmMjwuAzyhcSNe"
SCROBBLE = {
    **dict.fromkeys(FIELDS),
    "source_kind": "scrobble",
    "user_id": "anna",
    "track_name": "Title",
    "artist_name": "Artist",
    "album_name": "Album",
}


def test_a_line_of_1k() -> None:
    first, second = read("lastfm_1k", CONTENTS["lastfm_1k"], "anna")
    assert first == SCROBBLE | {"user_id": "lastfm1k:user_000001", "ts": "2009-05-04T23:08:57Z", "album_name": None}
    assert second["user_id"] == "lastfm1k:user_000002"


def test_in_1k_quotes_are_data_and_what_follows_the_fifth_tab_is_the_title() -> None:
    content = lines(
        one_k("user_000001", "2009-05-04T23:08:57Z", "", '"Weird Al', "", 'a "title'),
        one_k("user_000001", "2009-05-04T23:08:57Z", "", "'", "", "tab\there\\n"),
        one_k("user_000001", "2009-05-04T23:08:57Z", "", "", "", ""),
    )
    assert [(row["artist_name"], row["track_name"]) for row in read("lastfm_1k", content)] == [
        ('"Weird Al', 'a "title'),
        ("'", "tab\there\\n"),
        (None, None),
    ]


def test_a_line_of_1k_with_too_few_fields_keeps_its_place_and_its_listener_only() -> None:
    content = lines(one_k(), "user_000002\t2009-05-04T23:08:57Z\tx\tArtist", "", "half a title", one_k("somebody"))
    rows = read("lastfm_1k", content + one_k("user_000003")[:-7].encode(), "anna")
    assert [(row["user_id"], row["ts"], row["artist_name"]) for row in rows] == [
        ("lastfm1k:user_000001", "2009-05-04T23:08:57Z", "Artist"),
        ("lastfm1k:user_000002", None, None),
        ("anna", None, None),
        ("anna", "2009-05-04T23:08:57Z", "Artist"),
        ("lastfm1k:user_000003", None, None),
    ]


def test_1k_is_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lines(*[one_k(f"user_{n:06d}") for n in range(200)])
    at_once = read("lastfm_1k", whole)
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 1000)
    assert read("lastfm_1k", whole) == at_once
    assert [row["user_id"] for row in at_once] == [f"lastfm1k:user_{n:06d}" for n in range(200)]


def test_scrobbles_with_and_without_header() -> None:
    row = SCROBBLE | {"ts": "03 Jan 2020 14:05"}
    assert read("lastfm_csv", CONTENTS["lastfm_csv"], "anna") == [
        row,
        row | {"track_name": "Other", "album_name": None, "ts": "03 Jan 2020 14:01"},
    ]
    assert read("lastfm_csv", lines("Date,Track,Artist", '"03 Jan 2020, 14:05",Title,Artist'), "anna") == [
        row | {"album_name": None, "ts": "03 Jan 2020, 14:05"}
    ]
    assert read("lastfm_csv", b"\xef\xbb\xbf" + lines("artist,album,track,date")) == []


def test_a_track_playing_now_is_a_row_without_a_time() -> None:
    rows = read("lastfm_csv", lines("Artist,Album,Title,", "Artist,Album,Title,03 Jan 2020 14:05"))
    assert [row["ts"] for row in rows] == [None, "03 Jan 2020 14:05"]
    assert [row["ts"] for row in read("lastfm_uts_csv", lines(UTS_HEADER, ",,Artist,,Album,,Title,"))] == [None]


def test_scrobbles_with_unix_times() -> None:
    assert read("lastfm_uts_csv", CONTENTS["lastfm_uts_csv"], "anna") == [SCROBBLE | {"ts": "1578060315"}]
    content = lines(UTS_HEADER, '"","03 Jan 2020, 14:05","Artist","","Album","","Title",""')
    assert read("lastfm_uts_csv", content, "anna") == [SCROBBLE | {"ts": "03 Jan 2020, 14:05"}]


def test_a_listen() -> None:
    row = read("listenbrainz", as_lines([listen()]), "anna")
    assert row == [SCROBBLE | {"ts": "1709287200", "track_ms": "240186"}]
    info = {"media_player": "Rhythmbox", "submission_client": "Plugin", "spotify_id": URL, "duration_played": 181}
    more = {"ts": "1709287200", "platform": "Rhythmbox", "track_uri": URL, "ms_played": "181000"}
    assert read("listenbrainz", as_lines([listen(info=info)]), "anna") == [SCROBBLE | {"track_ms": "240186"} | more]


def test_the_time_of_a_listen_is_the_text_in_the_file() -> None:
    content = as_lines([listen(listened_at="@")]).replace(b'"@"', b"1709287200.000000")
    assert [row["ts"] for row in read("listenbrainz", content)] == ["1709287200.000000"]


@pytest.mark.parametrize("info", [{"duration": 200}, {"duration_ms": 200_000}, {"ms_played": 200_000}])
def test_no_length_of_a_track_becomes_time_played(info: dict[str, Any]) -> None:
    assert read("listenbrainz", as_lines([listen(info=info)]))[0]["ms_played"] is None


@pytest.mark.parametrize("seconds", [0, -5, True, "181", 181.5, None, [181], 198_000, 10**30])
def test_a_time_played_that_cannot_be_one_is_not_told(seconds: object) -> None:
    assert read("listenbrainz", as_lines([listen(info={"duration_played": seconds})]))[0]["ms_played"] is None


def test_a_copy_of_spotify_s_history_is_account_data_because_its_time_is_the_end() -> None:
    info = {"ms_played": 82932, "origin_url": URL, "music_service": "spotify.com"}
    row = read("listenbrainz", as_lines([listen(info=info)]), "anna")[0]
    assert (row["source_kind"], row["ms_played"], row["track_uri"]) == ("account_data", "82932", URL)
    for without in info:
        assert read("listenbrainz", as_lines([listen(info=info | {without: None})]))[0]["source_kind"] == "scrobble"


def test_a_listener_named_in_a_dump() -> None:
    dumped = {"user_id": 7, "user_name": "O'Brien 日本", "timestamp": 1500000000, "track_metadata": listen()["track_metadata"]}
    rows = read("listenbrainz", as_lines([dumped, dumped | {"user_name": " "}, dumped | {"user_name": None}]), "anna")
    assert [row["user_id"] for row in rows] == ["listenbrainz:O'Brien 日本", "anna", "anna"]
    assert {row["ts"] for row in rows} == {"1500000000"}


def test_objects_that_are_no_listens_are_rows_without_values() -> None:
    odd = [7, None, "text", [], {}, {"track_metadata": 1}, {"listened_at": 5, "track_metadata": {"additional_info": "x"}}]
    rows = read("listenbrainz", as_lines([listen(), *odd]), "anna")
    assert [row["ts"] for row in rows] == ["1709287200", None, None, None, None, None, None, "5"]
    assert {row["track_name"] for row in rows[1:]} == {None}


BROKEN = {
    "cut in half": (as_lines([listen(), listen()])[:-100], r"not valid JSON at line 2, column \d+"),
    "a line that is no JSON": (as_lines([listen()]) + b"\noops\n" + as_lines([listen()]), "not valid JSON at line 3, column 1"),
    "Latin-1": (as_lines([listen(), listen({"track_name": "é"})]).decode().encode("latin-1"), "not UTF-8 at line 2"),
    "nested deeply": (as_lines([listen()]) + b'{"a":' * 200_000, "nested too deeply at line 2"),
    "a number too long": (b'{"listened_at": ' + b"1" * 5000 + b"}", "not valid JSON at line 1"),
}


@pytest.mark.parametrize("form", BROKEN)
def test_broken_listens_say_why_and_where(form: str) -> None:
    content, reason = BROKEN[form]
    with pytest.raises(BrokenFileError, match=reason):
        read("listenbrainz", content)


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ("lastfm_csv", CONTENTS["lastfm_csv"] + b"Artist,Al"),
        ("lastfm_csv", CONTENTS["lastfm_csv"].replace(b"Other", b"Oth\xe9r")),
        ("lastfm_uts_csv", CONTENTS["lastfm_uts_csv"] + b'"157806'),
        ("lastfm_1k", CONTENTS["lastfm_1k"].replace(b"Title", b"T\xeftle")),
    ],
)
def test_scrobbles_that_are_cut_or_not_utf8_are_broken(source: str, content: bytes) -> None:
    with pytest.raises(BrokenFileError, match=r"not a readable CSV file|not UTF-8 at line 1"):
        read(source, content)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_stored_exactly(name: str) -> None:
    text = HOSTILE_NAMES[name]
    quoted = io.StringIO()
    csv.writer(quoted).writerows([[text, text, text, "03 Jan 2020 14:05"], ["Artist", "Album", "Title", "03 Jan 2020 14:05"]])
    row = read("lastfm_csv", b"artist,album,track,date\n" + quoted.getvalue().encode())[0]
    assert (row["artist_name"], row["album_name"], row["track_name"]) == (text, text, text)
    row = read("listenbrainz", as_lines([listen({"artist_name": text, "release_name": text, "track_name": text})]))[0]
    assert (row["artist_name"], row["album_name"], row["track_name"]) == (text, text, text)
    if "\n" not in text and "\t" not in text:
        row = read("lastfm_1k", lines(one_k("user_000001", "2009-05-04T23:08:57Z", "", text, "", text)))[0]
        assert (row["artist_name"], row["track_name"]) == (text, text)
