"""The proofs of bench/, small: seeded faults, kills and orders of arrival. The whole takes longer, and is not part of CI."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from bench import arrivals
from bench.chaos import chaos
from bench.chaos_kills import kills

START = dt.datetime(2024, 6, 1, 8, tzinfo=dt.timezone.utc)


def test_every_play_that_was_offered_is_in_silver_once(tmp_path: Path) -> None:
    """Ten listeners with accounts of all kinds; the faults of each follow from its seed."""
    verdict = chaos(tmp_path, listeners=10, polls=25, seed=5)
    assert verdict.is_right, verdict.text()
    assert verdict.wrong_listeners == set()
    assert verdict.kept == verdict.offered > 3_000
    # Something has to have gone wrong.
    assert verdict.fallen_out > 0 and verdict.gaps > verdict.full_polls
    assert {"outage", "failed", "waiting", "asleep"} <= set(verdict.events)


def test_killed_while_it_polls_or_builds_a_rerun_gives_the_same_tables(tmp_path: Path) -> None:
    trials = list(kills(tmp_path, times=3, plays=2_000, seed=1))
    assert [trial.differences for trial in trials] == [[], [], []]


def export_rows() -> list[dict[str, object]]:
    """Four days of plays: one track after the other, some of them again and again, left early, or closed after a second."""
    rows, at = [], START
    for number in range(120):
        track = number if number % 10 < 7 else number - number % 10 + 7
        heard = 1_500 if number % 17 == 3 else 45_000 if number % 11 == 5 else 180_000
        at += dt.timedelta(milliseconds=heard)
        rows.append(
            {
                "ts": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "ms_played": heard,
                "spotify_track_uri": f"spotify:track:{track:022d}",
                "master_metadata_track_name": f"Track {track}",
                "master_metadata_album_artist_name": f"Artist {track % 7}",
                "master_metadata_album_album_name": f"Album {track % 7}",
                "platform": "ios",
                "reason_end": "trackdone",
                "episode_name": None,
            }
        )
        at += dt.timedelta(hours=5) if number % 30 == 29 else dt.timedelta(seconds=1 + number % 2)
    return rows


SEQUENCES = [
    (arrivals.EXPORT, arrivals.API, arrivals.LASTFM, arrivals.LISTENBRAINZ),
    (arrivals.LISTENBRAINZ, arrivals.LASTFM, arrivals.API, arrivals.EXPORT),
    (arrivals.LASTFM, arrivals.EXPORT, arrivals.LISTENBRAINZ, arrivals.API),
]


def test_an_export_and_three_services_give_the_same_silver_in_any_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "Streaming_History_Audio_2024.json"
    export.write_text(json.dumps(export_rows()))
    told = arrivals.told_rows(export_rows(), days=30)
    assert len(told) > 100
    folder = tmp_path / "orders"
    folder.mkdir()
    assert arrivals.compare(folder, export, told, SEQUENCES) == []
    assert capsys.readouterr().out.count("0 problems, other tables: []") == len(SEQUENCES)
