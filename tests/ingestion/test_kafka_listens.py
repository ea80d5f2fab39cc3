"""Messages of a topic as rows: whose they are, of which kind, and what of them silver has to judge."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from ingestion import history_facts
from ingestion.kafka_listens import KafkaListens
from music.stream_files import STREAM_FORMAT, STREAM_HEAD

LISTEN = {"user_id": "anna", "listened_at": 1_717_200_000, "track_name": "Tide", "artist_name": "Vega"}


def row_of(**changes: Any) -> dict[str, Any]:
    """What is not null of the one row that a message becomes."""
    values = {"format": STREAM_FORMAT, "source": "kafka_listens", "messages": 1}
    lines = [{name: values.get(name) for name in STREAM_HEAD}, {"listen": LISTEN | changes}]
    stream = io.BytesIO("".join(f"{json.dumps(line)}\n" for line in lines).encode())
    [row] = [row for batch in KafkaListens().read(stream, "nobody") for row in batch.to_pylist()]
    return {name: value for name, value in row.items() if value is not None}


def test_a_message_becomes_a_row() -> None:
    more = {"album_name": "North", "track_uri": "spotify:track:1", "duration_ms": 240_000, "ms_played": 200_000}
    assert row_of(**more, platform="player", timezone="Europe/Berlin", unknown={"a": 1}) == {
        "source_kind": "scrobble",
        "user_id": "anna",
        "ts": "1717200000",
        "track_name": "Tide",
        "artist_name": "Vega",
        "album_name": "North",
        "track_uri": "spotify:track:1",
        "track_ms": "240000",
        "ms_played": "200000",
        "platform": "player",
        "timezone": "Europe/Berlin",
    }


def test_a_generated_listener_is_of_the_kind_of_generated_plays() -> None:
    assert row_of(user_id="synthetic:000001")["source_kind"] == "synthetic"


def test_a_name_has_one_form() -> None:
    assert row_of(user_id="Zoe\u0308")["user_id"] == "Zo\u00eb"


def test_times_stay_as_they_were_sent() -> None:
    assert row_of(listened_at="2026-11-30T10:00:00.123Z")["ts"] == "2026-11-30T10:00:00.123Z"
    assert row_of(listened_at=1717200000.25)["ts"] == "1717200000.25"
    assert len(row_of(listened_at=int("1" * 4000))["ts"]) == 4000


@pytest.mark.parametrize(
    "changes",
    [{"track_name": {"a": 1}}, {"artist_name": 5}, {"artist_name": None}, {"track_name": ""}, {"album_name": ["x"]}],
)
def test_what_lacks_names_has_none_for_silver_to_quarantine(changes: dict[str, Any]) -> None:
    assert not {"track_name", "artist_name", "album_name", "track_uri"} & set(row_of(**changes))


def test_a_track_may_be_named_by_its_uri_alone() -> None:
    assert row_of(track_name=None, artist_name=None, track_uri="spotify:track:1")["track_uri"] == "spotify:track:1"


def test_a_time_zone_that_is_none_is_left_out() -> None:
    assert "timezone" not in row_of(timezone="../../etc/passwd")
    assert "timezone" not in row_of(timezone=["UTC"])


def test_its_facts_are_stated_and_agree_with_those_of_other_sources() -> None:
    assert "kafka_listens" in {facts.source for facts in history_facts()}
