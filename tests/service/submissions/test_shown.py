"""A listener's listens: those of silver, and those of journals that are not in it."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from music.settings import ListeningSettings
from service.submissions import now_playing
from service.submissions.closing import close_left, journals_in
from service.submissions.journal import Journal
from service.submissions.listens import lines, reduced
from service.submissions.shown import listen_count, listens_of, playing_now_of
from service.submissions.stored import Range

UTC = dt.timezone.utc
NOW = dt.datetime(2026, 11, 30, 21, 0, tzinfo=UTC)
START = 1_790_000_000
ALL = Range(None, None, 1000)


@pytest.fixture
def settings(tmp_path: Path) -> ListeningSettings:
    return ListeningSettings(landing=tmp_path / "landing", dir=tmp_path / "lakehouse")


def stored(settings: ListeningSettings, *rows: dict[str, Any]) -> None:
    """A version of silver.plays with these rows."""
    usual = {
        "user_id": "anna",
        "disposition": "kept",
        "is_excluded": False,
        "source": "submitted_listens",
        "file_hash": "f",
        "track_name": "Tide",
        "artist_name": "Vega",
        "album_name": "North",
        "track_id": "local:1",
        "platform": "Navidrome",
        "ms_played": None,
        "play_id": "p",
        "played_at": dt.datetime.fromtimestamp(START, UTC),
    }
    fields = [pa.field(name, pa.string()) for name in usual if name not in ("is_excluded", "ms_played", "played_at")]
    types = {"is_excluded": pa.bool_(), "ms_played": pa.int64(), "played_at": pa.timestamp("us", "UTC")}
    schema = pa.schema([*fields, *[pa.field(name, kind) for name, kind in types.items()]])
    write_deltalake(settings.dir / "silver" / "plays", pa.Table.from_pylist([usual | row for row in rows], schema), mode="append")


def at(second: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(second, UTC)


def received(settings: ListeningSettings, *times: Any, title: str = "Tide", listener: str = "anna") -> Path:
    """An open journal with listens of these times."""
    journal = Journal(settings.inbox_folder, listener, NOW)
    track = {"artist_name": "Vega", "track_name": title}
    journal.append(lines(tuple(reduced({"listened_at": time, "track_metadata": track}) for time in times), NOW))
    journal.release()
    return journal.path


def times(settings: ListeningSettings, bounds: Range = ALL) -> list[int]:
    return [one["listened_at"] - START for one in listens_of(settings, "anna", bounds)["listens"]]


def test_a_newcomer_has_none(settings: ListeningSettings) -> None:
    empty = {"count": 0, "listens": [], "latest_listen_ts": 0, "oldest_listen_ts": 0, "user_id": "anna"}
    assert listens_of(settings, "anna", ALL) == empty
    assert listen_count(settings, "anna") == 0


def test_what_no_run_has_read_is_shown_beside_what_is_in_silver_and_each_once(settings: ListeningSettings) -> None:
    stored(settings, {"play_id": "a"}, {"play_id": "b", "played_at": at(START + 300)})
    stored(settings, {"play_id": "c", "user_id": "ben", "played_at": at(START + 900)})
    received(settings, START + 600, START + 600, START + 300)
    received(settings, START + 1200, listener="ben")
    assert times(settings) == [600, 300, 0]
    assert listens_of(settings, "anna", ALL)["latest_listen_ts"] == START + 600


def test_a_journal_that_silver_has_is_not_shown_again(settings: ListeningSettings) -> None:
    received(settings, START, START + 300)
    close_left(settings.inbox_folder)
    [closed] = journals_in(settings.inbox_folder, is_open=False)
    assert (times(settings), listen_count(settings, "anna")) == ([300, 0], 2)
    # Silver found that the first of them is a play that it has from elsewhere, at another second.
    read = {"file_hash": hashlib.sha256(closed.read_bytes()).hexdigest()}
    rows = {"played_at": at(START - 4), "source": "spotify_extended"}, {**read, "disposition": "duplicate"}
    stored(settings, *rows, {**read, "played_at": at(START + 300)})
    assert (times(settings), listen_count(settings, "anna")) == ([300, -4], 2)


def test_only_plays_that_count_are_shown(settings: ListeningSettings) -> None:
    stored(settings, {"disposition": "quarantined", "played_at": None}, {"is_excluded": True}, {"disposition": "duplicate"})
    now = int(NOW.timestamp())
    received(settings, None, "yesterday", 0, -5, now + 3 * 3600, now + 1800)
    assert times(settings) == [now + 1800 - START]
    assert listen_count(settings, "anna") == 1


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        (Range(None, None, 3), [1900, 1800, 1700]),
        (Range(None, START + 1800, 3), [1700, 1600, 1500]),
        (Range(START + 300, None, 3), [600, 500, 400]),
        (Range(START + 300, START + 600, 10), [500, 400]),
        (Range(START + 850, None, 3), [1100, 1000, 900]),
        (Range(START + 5000, None, 3), []),
    ],
)
def test_bounds_are_exclusive_over_silver_and_journals(settings: ListeningSettings, bounds: Range, wanted: list[int]) -> None:
    stored(settings, *[{"play_id": f"{number}", "played_at": at(START + 100 * number)} for number in range(10)])
    received(settings, *[START + 100 * number for number in range(10, 20)])
    assert times(settings, bounds) == wanted


def test_a_listen_has_the_fields_that_players_need(settings: ListeningSettings) -> None:
    track_id = "2J3n32GeLmMjwuAzyhcSNe"
    stored(
        settings,
        {"track_id": track_id, "ms_played": 201_900},
        {"played_at": at(START + 1), "artist_name": None, "platform": None},
    )
    second, first = listens_of(settings, "anna", ALL)["listens"]
    assert first["track_metadata"] == {
        "track_name": "Tide",
        "artist_name": "Vega",
        "release_name": "North",
        "additional_info": {
            "media_player": "Navidrome",
            "duration_played": 201,
            "spotify_id": f"https://open.spotify.com/track/{track_id}",
        },
    }
    assert (first["listened_at"], first["user_name"]) == (START, "anna")
    assert second["track_metadata"]["artist_name"] == ""
    assert first["recording_msid"] != second["recording_msid"]


def test_a_line_that_is_being_written_is_not_shown_yet(settings: ListeningSettings) -> None:
    path = received(settings, START, START + 300)
    path.write_bytes(path.read_bytes()[:-20])
    assert times(settings) == [0]


def test_what_is_playing_is_shown_while_it_is(settings: ListeningSettings) -> None:
    now_playing.put("shown", {"track_name": "Tide", "artist_name": "Vega"})
    [one] = playing_now_of("shown")["listens"]
    assert (one["playing_now"], one["track_metadata"]["track_name"]) == (True, "Tide")
    now_playing.forget("shown")
    assert playing_now_of("shown") == {"count": 0, "listens": [], "playing_now": True, "user_id": "shown"}
