"""Rows that cannot be plays, and catalogue rows with impossible values: counted, kept apart, never averaged."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.end_to_end.pipeline import Answer, Pipeline, export_row, kaggle_csv, track_uri

NAMELESS = {
    "spotify_track_uri": None,
    "master_metadata_track_name": None,
    "master_metadata_album_artist_name": "  ",
    "master_metadata_album_album_name": "B",
}
FUTURE = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
AT = "2024-01-01T10:00:00Z"
# One bad thing a row: what stands in the file, and the reason and value that it is quarantined with.
BAD: list[tuple[dict[str, Any], str, str | None]] = [
    (export_row(AT, ts=None), "missing_ts", None),
    (export_row(AT, ts=""), "missing_ts", ""),
    (export_row(AT, ts="yesterday"), "unparseable_ts", "yesterday"),
    (export_row(AT, ts="2024-13-01T10:00:00Z"), "unparseable_ts", "2024-13-01T10:00:00Z"),
    (export_row(AT, ts=1704103200), "unparseable_ts", "1704103200"),
    (export_row(FUTURE), "ts_in_future", FUTURE),
    (export_row("2005-12-31T23:59:59Z"), "ts_before_2006", "2005-12-31T23:59:59Z"),
    (export_row("1970-01-01T00:00:00Z"), "ts_before_2006", "1970-01-01T00:00:00Z"),
    (export_row(AT, ms_played=None), "missing_ms_played", None),
    (export_row(AT, ms_played="long"), "unparseable_ms_played", "long"),
    (export_row(AT, ms_played=-1), "negative_ms_played", "-1"),
    (export_row(AT, ms_played=86_400_001), "ms_played_over_24h", "86400001"),
    (export_row(AT, **NAMELESS), "no_names_and_no_uri", None),
]
GOOD = [
    export_row("2006-01-01T00:05:00Z"),
    export_row("2024-01-01T10:00:00Z", ms_played=0),
    export_row("2024-01-03T10:00:00Z", ms_played=86_400_000),
    export_row("2024-01-04T10:00:00Z", spotify_track_uri=None),
    export_row("2024-01-05T10:00:00Z", master_metadata_track_name=None, master_metadata_album_artist_name=None),
]
PODCAST = export_row(
    "2024-01-06T10:00:00Z", **NAMELESS, episode_name="On air", episode_show_name="A show", spotify_episode_uri="spotify:episode:1"
)


def test_every_bad_row_is_quarantined_with_reason_and_value_and_every_row_is_accounted_for(pipeline: Pipeline) -> None:
    pipeline.write("history.json", [*GOOD, *[row for row, _, _ in BAD], PODCAST])
    answer = pipeline.build("--only", "silver.quarantine", "--only", "ops.reconciliation")
    found = {row["row_number"]: (row["reason"], row["reason_value"]) for row in pipeline.rows("silver.quarantine")}
    assert found == {len(GOOD) + n: (reason, value) for n, (_, reason, value) in enumerate(BAD, start=1)}
    [file] = answer.document["reconciliation"]
    counts = {name: file[name] for name in ("rows_read", "bronze", "kept", "duplicate", "quarantined", "set_aside")}
    assert counts == {"rows_read": 19, "bronze": 19, "kept": 5, "duplicate": 0, "quarantined": 13, "set_aside": 1}
    assert file["is_balanced"] is True


def test_a_history_of_bad_rows_alone_is_built_empty(pipeline: Pipeline) -> None:
    pipeline.write("history.json", [row for row, _, _ in BAD])
    answer = pipeline.run()
    # Everything is built, and a person is told that not one row counts.
    assert answer.code == 1
    assert {o["status"] for o in answer.document["outcomes"]}.isdisjoint({"failed", "refused", "blocked"})
    assert [(one["rejected"], one["is_failure"]) for one in answer.document["rejected"]] == [(len(BAD), True)]
    assert pipeline.rows("silver.listening_with_features") == []
    assert pipeline.rows("silver.users", "kept", "quarantined") == [{"kept": 0, "quarantined": len(BAD)}]


def test_what_identifies_a_person_reaches_no_table_and_no_output(pipeline: Pipeline) -> None:
    secret = {"ip_addr": "198.51.100.99", "ip_addr_decrypted": "198.51.100.98", "username": "secret-account"}
    pipeline.write("history.json", [export_row(AT, **secret, user_agent_decrypted="secret-agent")])
    answer = pipeline.call("run", "--only", "silver.quarantine", "--only", "silver.listening_with_features")
    assert answer.code == 0
    assert len(pipeline.rows("silver.listening_with_features")) == 1
    written = b"".join(path.read_bytes() for path in pipeline.root.rglob("*") if path.is_file())
    everything = repr(pipeline.content()).encode() + written + answer.text.encode()
    for word in (b"198.51.100", b"secret-account", b"secret-agent"):
        assert word not in everything


CATALOGUE = kaggle_csv(
    {"track_id": f"{1:022d}", "energy": 0.2, "tempo": 100.0, "artists": "Pair"},
    {"track_id": f"{2:022d}", "energy": 1.7, "tempo": 0, "time_signature": 0, "artists": "Pair", "track_name": "Track 2"},
    {"track_id": f"{3:022d}", "artists": "", "album_name": "", "track_name": "", "key": "H", "valence": -0.1},
)


@pytest.fixture
def catalogued(pipeline: Pipeline) -> tuple[Pipeline, Answer]:
    pipeline.write("dataset.csv", CATALOGUE)
    pipeline.write("history.json", [export_row(f"2024-01-01T1{n}:00:00Z", n) for n in (1, 2, 3)])
    return pipeline, pipeline.build("--only", "silver.listening_with_features", "--only", "silver.artists")


def test_odd_catalogue_rows_stay_and_their_impossible_values_become_null(catalogued: tuple[Pipeline, Answer]) -> None:
    pipeline, _ = catalogued
    assert len(pipeline.rows("bronze.kaggle_tracks")) == 3
    names = ("track_id", "energy", "tempo", "time_signature", "key", "valence", "in_catalogue")
    first, second, third = pipeline.rows("silver.tracks", *names)
    assert (first["energy"], first["tempo"], first["time_signature"]) == (0.2, 100.0, 4)
    assert (second["energy"], second["tempo"], second["time_signature"], second["valence"]) == (None, None, None, 0.5)
    assert (third["key"], third["valence"], third["energy"], third["in_catalogue"]) == (None, None, 0.5, True)


def test_impossible_values_are_never_averaged(catalogued: tuple[Pipeline, Answer]) -> None:
    pipeline, _ = catalogued
    [pair] = [row for row in pipeline.rows("silver.artists") if row["artist_name"] == "Pair"]
    means = {name: value for name, value in pair.items() if name.endswith(("energy", "tempo"))}
    assert set(means.values()) == {0.2, 100.0}
    assert pair["tracks"] == 2


def test_impossible_values_are_counted_as_warnings(catalogued: tuple[Pipeline, Answer]) -> None:
    _, answer = catalogued
    [bronze] = [o for o in answer.document["outcomes"] if o["table"] == "bronze.kaggle_tracks"]
    warned = {check["rule"]: check["violations"] for check in bronze["checks"] if check["status"] == "WARN"}
    assert warned == {
        "not_null(track_name)": 1,
        "not_null(artists)": 1,
        "possible(energy)": 1,
        "possible(tempo)": 1,
        "possible(time_signature)": 1,
        "possible(key)": 1,
        "possible(valence)": 1,
    }


def test_a_track_that_stands_in_the_catalogue_under_several_genres_fans_no_play_out(pipeline: Pipeline) -> None:
    pipeline.write("dataset.csv", kaggle_csv({"track_genre": "rock"}, {"track_genre": "pop"}, {"track_genre": "jazz"}))
    pipeline.write("history.json", [export_row("2024-01-01T10:00:00Z", 1)])
    pipeline.build("--only", "silver.listening_with_features")
    assert len(pipeline.rows("silver.listening_with_features")) == 1
    assert [row["genres"] for row in pipeline.rows("silver.tracks")] == [["jazz", "pop", "rock"]]
    assert track_uri(1).endswith(pipeline.rows("silver.tracks")[0]["track_id"])
