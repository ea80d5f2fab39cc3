"""What is playing is known until the track is over, and nowhere but in memory."""

from __future__ import annotations

import pytest

from service.submissions import now_playing

TRACK = {"track_name": "Tide", "artist_name": "Vega", "release_name": "North"}
SHOWN = {"track_name": "Tide", "artist_name": "Vega", "album_name": "North", "client": None}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    at = [1000.0]
    monkeypatch.setattr(now_playing.time, "monotonic", lambda: at[0])
    monkeypatch.setattr(now_playing, "_playing", {})
    return at


@pytest.mark.parametrize(
    ("info", "lasts"),
    [
        ({"duration_ms": 200_000}, 215),
        ({"duration": 200}, 215),
        ({"duration": 200.5}, 215.5),
        ({}, 600),
        ({"duration_ms": 0}, 600),
        ({"duration_ms": -5}, 600),
        ({"duration_ms": "200000"}, 600),
        ({"duration_ms": 10**14}, 3 * 3600 + 15),
    ],
)
def test_it_is_forgotten_when_the_track_is_over(clock: list[float], info: dict[str, object], lasts: float) -> None:
    now_playing.put("anna", {**TRACK, "additional_info": info})
    clock[0] += lasts - 0.1
    assert now_playing.current("anna") == SHOWN
    clock[0] += 0.2
    assert now_playing.current("anna") is None


def test_each_listener_hears_their_own_and_the_last_one_counts(clock: list[float]) -> None:
    now_playing.put("anna", TRACK)
    now_playing.put("ben", {**TRACK, "track_name": "Ebb", "additional_info": {"submission_client": "Navidrome"}})
    now_playing.put("anna", {**TRACK, "track_name": "Flood"})
    assert now_playing.current("anna") == {**SHOWN, "track_name": "Flood"}
    assert now_playing.current("ben") == {**SHOWN, "track_name": "Ebb", "client": "Navidrome"}
    now_playing.forget("ben")
    assert (now_playing.current("ben"), now_playing.current("nobody")) == (None, None)
