"""The measures themselves, on histories whose figures can be told by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ingestion.kaggle_tracks import FIELDS
from synthetic import measures
from synthetic.histories import read_history
from synthetic.measures import HOUR_MS, History
from tests.landing_files import FLAT_HEADER, as_json, as_stream, extended, lines, synthetic_play

MONDAY = 4 * 24 * HOUR_MS
SATURDAY = MONDAY + 5 * 24 * HOUR_MS


def history(**changes: object) -> History:
    arrays = {
        "listener": np.zeros(4, np.int64),
        "start": MONDAY + np.arange(4) * 1000,
        "played": np.array([0, 5_000, 29_999, 60_000]),
        "is_left": np.array([True, True, True, False]),
        "track": np.array([0, 1, 0, 2]),
        "artist": np.array([0, 1, 0, 1]),
        "tempo": np.array([100.0, 120.0, np.nan, 90.0]),
        "danceability": np.array([0.5, 0.6, np.nan, 0.1]),
    } | changes
    return History(**({"local": arrays["start"]} | arrays))  # type: ignore[arg-type]


def test_shares_of_plays_left() -> None:
    found = measures.skips(history(start=np.array([MONDAY, MONDAY + 1, SATURDAY, SATURDAY + 1])))
    assert found["left with 0 ms"] == 0.25
    assert found["left within 5 s"] == 0.25
    assert found["left within 30 s"] == found["left before the end"] == 0.75
    assert found["left before the end, weekends less weekdays"] == -0.5
    assert found["left per hour played"] == pytest.approx(3 / (94_999 / HOUR_MS))


def test_a_session_ends_with_more_than_thirty_quiet_minutes_or_the_listener() -> None:
    minute = 60_000
    start = np.array([0, 31 * minute, 62 * minute + 1, 62 * minute + 2])
    found = measures.sessions(history(start=start, played=np.full(4, minute), listener=np.array([0, 0, 0, 1])))
    assert found["plays a session, mean"] == pytest.approx(4 / 3)


def test_inequality_of_artists() -> None:
    even = measures.artist_popularity(history(artist=np.arange(4)))
    assert (even["artists played"], even["Gini coefficient of artists"]) == (4, 0)
    uneven = measures.artist_popularity(history(artist=np.array([7, 7, 7, 2])))
    assert uneven["top 1% of artists, share of plays"] == 0.75
    assert uneven["Gini coefficient of artists"] == 0.25


def test_slope_and_shares_over_an_exact_power_law() -> None:
    plays = np.rint(100_000 / np.arange(1, 61) ** 0.8).astype(np.int64)
    artist = np.repeat(np.arange(60), plays)
    n = len(artist)
    few = {"listener": np.append(np.zeros(n, np.int64), 1), "artist": np.append(artist, 3)}
    found = measures.within_listener(history(**few))
    assert found["rank slope, median"] == pytest.approx(-0.8, abs=1e-4)
    top = plays[:50]
    assert found["top artist, median share"] == pytest.approx(top[0] / top.sum())
    assert found["top five artists, median share"] == pytest.approx(top[:5].sum() / top.sum())


def test_repeats_count_within_a_listener_only() -> None:
    assert measures.returns(history())["plays of a track heard before"] == 0.25
    assert measures.returns(history(listener=np.array([0, 0, 1, 1])))["plays of a track heard before"] == 0


def catalogue(path: Path) -> Path:
    row = dict.fromkeys(FIELDS, "1") | {"track_id": "2J3n32GeLmMjwuAzyhcSNe", "tempo": "123.5", "danceability": "0.25"}
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(row))
        writer.writeheader()
        writer.writerows([row, row | {"track_id": "0" * 22, "tempo": "0"}])
    return path


def test_files_of_every_source_are_measured_alike(tmp_path: Path) -> None:
    plays = [extended(), extended(), extended(ts="2024-03-01T10:05:00Z", reason_end="trackdone", spotify_track_uri="x")]
    podcast = extended(spotify_track_uri=None, master_metadata_album_artist_name=None)
    (tmp_path / "export.json").write_bytes(as_json([*plays, podcast]))
    (tmp_path / "listeners.arrows").write_bytes(as_stream([synthetic_play()]))
    (tmp_path / "notes.txt").write_text("no history")
    (tmp_path / "_manifest.json").write_text("{}")
    found = read_history(tmp_path, catalogue(tmp_path / "_catalogue.csv"), "Europe/Berlin")
    # Ten o'clock UTC: an export tells the end of three minutes, a synthetic listener the start, in Tokyo nine hours later.
    assert found.hour.tolist() == pytest.approx([11.0, 11 + 2 / 60, 19 + 0.123 / 3600])
    assert found.listener.tolist() == [0, 0, 1]
    assert found.is_left.tolist() == [True, False, True]
    assert found.tempo.tolist() == pytest.approx([123.5, np.nan, 123.5], nan_ok=True)
    assert found.weekday.tolist() == [4, 4, 4]


def test_bare_ids_are_tracks_of_the_catalogue_too(tmp_path: Path) -> None:
    row = f"{'0' * 22},2024-03-01 10:03:00,ios,180000,Title,Artist,Album,trackdone,fwdbtn,FALSE,TRUE"
    (tmp_path / "flat.csv").write_bytes(lines(FLAT_HEADER, row))
    found = read_history(tmp_path / "flat.csv", catalogue(tmp_path / "catalogue.csv"))
    assert found.danceability.tolist() == [0.25]
    assert np.isnan(found.tempo).all()
