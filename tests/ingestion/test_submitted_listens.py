"""Journals become rows of their listener, with the time at which each listen came; nothing else is taken for one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from ingestion import history_facts
from ingestion.submitted_listens import SubmittedListens
from lakehouse.declare import BrokenFileError, ReceivedSource, Sample
from service.submissions.journal import Journal
from service.submissions.listens import lines, reduced
from tests.landing_files import HOSTILE_NAMES, SOURCES, read

NOW = dt.datetime(2026, 11, 30, 21, 4, 5, 123_000, dt.timezone.utc)
TRACK = {"artist_name": "Vega", "track_name": "Tide", "release_name": "North"}
SPOTIFY = "https://open.spotify.com/track/2J3n32GeLmMjwuAzyhcSNe"


def listen(at: Any = 1_795_986_245, **info: Any) -> dict[str, Any]:
    return {"listened_at": at, "track_metadata": {**TRACK, "additional_info": info}}


def journal(tmp_path: Any, *listens: Any, listener: str = "anna") -> bytes:
    """A journal as the door writes it."""
    opened = Journal(tmp_path, listener, NOW)
    opened.append(lines(tuple(reduced(one) for one in listens), NOW))
    opened.release()
    content: bytes = opened.path.read_bytes()
    return content


def test_a_listen_becomes_a_row_of_the_token_s_owner(tmp_path: Any) -> None:
    sent = listen(duration=201, spotify_id=SPOTIFY, media_player="Spotify", submission_client="multi-scrobbler")
    [row] = read("submitted_listens", journal(tmp_path, {**sent, "user_name": "somebody else"}), "not anna")
    assert {name: value for name, value in row.items() if value is not None} == {
        "source_kind": "scrobble",
        "user_id": "anna",
        "ts": "1795986245",
        "track_ms": "201000",
        "track_uri": SPOTIFY,
        "track_name": "Tide",
        "artist_name": "Vega",
        "album_name": "North",
        "platform": "Spotify",
        "received_at": "2026-11-30T21:04:05.123Z",
    }


def test_a_copy_of_an_export_is_a_scrobble_as_all_that_players_send(tmp_path: Any) -> None:
    [row] = read("submitted_listens", journal(tmp_path, listen(ms_played=200, origin_url=SPOTIFY, music_service="spotify.com")))
    assert (row["source_kind"], row["ms_played"]) == ("scrobble", None)


def test_fractions_of_a_second_are_a_length(tmp_path: Any) -> None:
    [row] = read("submitted_listens", journal(tmp_path, listen(duration=201.53)))
    assert row["track_ms"] == "201530"


@pytest.mark.parametrize("bad", [5, None, "listen", [], {}, {"listened_at": "x"}, {"track_metadata": [1]}])
def test_what_is_no_listen_is_a_row_without_names(tmp_path: Any, bad: Any) -> None:
    before, row, after = read("submitted_listens", journal(tmp_path, listen(), bad, listen()))
    assert (row["user_id"], row["track_name"], row["artist_name"]) == ("anna", None, None)
    assert (before["track_name"], after["track_name"]) == ("Tide", "Tide")


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_hostile_names_arrive_as_they_were_sent(tmp_path: Any, name: str) -> None:
    sent = listen()
    sent["track_metadata"]["track_name"] = name
    [row] = read("submitted_listens", journal(tmp_path, sent))
    assert row["track_name"] == (name if len(name) <= 10_240 else None)


def test_a_last_line_that_was_cut_off_is_no_row(tmp_path: Any) -> None:
    content = journal(tmp_path, listen(), listen(at=1_795_986_500))
    assert len(read("submitted_listens", content)) == 2
    assert len(read("submitted_listens", content[:-1])) == 1
    assert len(read("submitted_listens", content[:-40])) == 1


def test_a_damaged_line_is_named(tmp_path: Any) -> None:
    content = journal(tmp_path, listen(), listen())
    damaged = content.replace(b'"listen"', b'"listen', 1)
    with pytest.raises(BrokenFileError, match="line 2 is damaged"):
        read("submitted_listens", damaged)
    with pytest.raises(BrokenFileError, match="names no listener"):
        read("submitted_listens", content.replace(b'"listener": "anna"', b'"listener": ""'))


def test_only_its_own_source_recognises_a_journal(tmp_path: Any) -> None:
    sample = Sample("x.jsonl", journal(tmp_path, listen()).decode())
    assert [name for name, source in SOURCES.items() if source.recognises(sample)] == ["submitted_listens"]
    later = Sample("x.jsonl", sample.text.replace("journal/1", "journal/2"))
    assert [name for name, source in SOURCES.items() if source.recognises(later)] == []


def test_its_files_come_from_the_inbox_alone_and_its_facts_agree_with_those_of_others() -> None:
    assert isinstance(SubmittedListens(), ReceivedSource)
    assert "submitted_listens" in {facts.source for facts in history_facts()}
