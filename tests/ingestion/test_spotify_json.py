"""Spotify's JSON exports are read row by row as they are, less what they say about the person."""

from __future__ import annotations

from typing import Any

import pytest

from ingestion.history import FIELDS
from tests.landing_files import HOSTILE_NAMES, account_music, account_podcast, as_json, endsong, extended, read

EXTENDED_ROW = dict.fromkeys(FIELDS) | {
    "source_kind": "export",
    "user_id": "anna",
    "ts": "2024-03-01T10:03:00Z",
    "ms_played": "180000",
    "track_uri": "spotify:track:2J3n32GeLmMjwuAzyhcSNe",
    "track_name": "Title",
    "artist_name": "Artist",
    "album_name": "Album",
    "platform": "ios",
    "conn_country": "DE",
    "reason_start": "trackdone",
    "reason_end": "fwdbtn",
    "shuffle": "false",
    "skipped": "true",
    "offline": "false",
    "offline_timestamp": "1709287200",
    "incognito_mode": "false",
}


@pytest.mark.parametrize("record", [extended(), endsong()], ids=["today", "endsong"])
def test_an_extended_record_becomes_one_row(record: dict[str, Any]) -> None:
    assert read("spotify_extended", as_json([record]), "anna") == [EXTENDED_ROW]


def test_episodes_and_audiobooks_keep_their_fields() -> None:
    names = {
        "episode_name": "episode_name",
        "episode_show_name": "episode_show_name",
        "spotify_episode_uri": "episode_uri",
        "audiobook_title": "audiobook_title",
        "audiobook_uri": "audiobook_uri",
        "audiobook_chapter_uri": "audiobook_chapter_uri",
        "audiobook_chapter_title": "audiobook_chapter_title",
    }
    record = extended(**{theirs: f"value of {theirs}" for theirs in names})
    assert read("spotify_extended", as_json([record]), "anna") == [
        EXTENDED_ROW | {ours: f"value of {theirs}" for theirs, ours in names.items()}
    ]


def test_account_data_music_and_podcasts() -> None:
    rows = read("spotify_account_data", as_json([account_music(), account_podcast()]), "anna")
    common = dict.fromkeys(FIELDS) | {"source_kind": "account_data", "user_id": "anna", "ts": "2024-03-01 10:03"}
    common["ms_played"] = "180000"
    assert rows == [
        common | {"track_name": "Title", "artist_name": "Artist"},
        common | {"episode_name": "Episode", "episode_show_name": "Show"},
    ]


def test_nothing_about_the_person_is_in_any_column() -> None:
    private = ["203.0.113.77", "198.51.100.23", "distinctive agent", "jane.doe.1234", "Distinctiveville", "Distinctiveshire"]
    rows = read("spotify_extended", as_json([extended(), endsong(), endsong(some_new_field="jane.doe.1234")]))
    rows += read("spotify_account_data", as_json([account_music(username="jane.doe.1234", ip_addr="203.0.113.77")]))
    text = repr(rows)
    assert len(rows) == 4
    assert [value for value in private if value in text] == []


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_stored_exactly(name: str) -> None:
    text = HOSTILE_NAMES[name]
    record = extended(
        master_metadata_track_name=text, master_metadata_album_artist_name=text, master_metadata_album_album_name=text
    )
    for content in (as_json([record]), as_json([record]).decode().encode("utf-8-sig")):
        row = read("spotify_extended", content)[0]
        assert (row["track_name"], row["artist_name"], row["album_name"]) == (text, text, text)
    row = read("spotify_account_data", as_json([account_music(trackName=text, artistName=text)]))[0]
    assert (row["track_name"], row["artist_name"]) == (text, text)


def test_values_that_are_no_strings_become_the_text_they_stood_for() -> None:
    content = (
        b'[{"ts": 1709287380, "ms_played": "180000", "shuffle": true, "skipped": null, "master_metadata_track_name": 1999, '
        b'"master_metadata_album_artist_name": {"name": "\xc3\x84"}, "master_metadata_album_album_name": [1, "b"], '
        b'"offline_timestamp": 1709287380.5}]'
    )
    row = read("spotify_extended", content)[0]
    assert {name: value for name, value in row.items() if value is not None} == {
        "source_kind": "export",
        "user_id": "me",
        "ts": "1709287380",
        "ms_played": "180000",
        "shuffle": "true",
        "track_name": "1999",
        "artist_name": '{"name": "Ä"}',
        "album_name": '[1, "b"]',
        "offline_timestamp": "1709287380.5",
    }


def test_a_strange_value_changes_no_other_row_of_its_column() -> None:
    rows = read("spotify_extended", as_json([extended(ts=value) for value in ("2024", None, 7, "", True)]))
    assert [row["ts"] for row in rows] == ["2024", None, "7", "", "true"]


def test_half_a_surrogate_pair_is_replaced_and_the_rest_kept() -> None:
    content = (
        b'[{"ts": "a", "master_metadata_track_name": "x\\ud83d y"}, {"ts": "b", "master_metadata_track_name": "\\ud83d\\ude00"}]'
    )
    assert [row["track_name"] for row in read("spotify_extended", content)] == ["x? y", "😀"]


def test_elements_that_are_no_objects_are_rows_without_values() -> None:
    rows = read("spotify_extended", b'[{"ts": "a"}, null, 5, "text", ["ts"], {}, {"ts": "b"}]')
    assert [row["ts"] for row in rows] == ["a", None, None, None, None, None, "b"]
    assert {row["user_id"] for row in rows} == {"me"}


def test_rows_keep_the_order_of_the_file_beyond_one_batch() -> None:
    rows = read("spotify_account_data", as_json([account_music(msPlayed=number) for number in range(100_001)]))
    assert [row["ms_played"] for row in rows] == [str(number) for number in range(100_001)]
