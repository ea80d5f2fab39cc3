"""Whatever the records are, matching is one to one, nearest first, blind to their order, and loses no row."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from silver.plays import DISPOSITIONS
from tests.silver.rows import disposed, history, row_id

KINDS = ("export", "api", "account_data", "scrobble")
WINDOWS = {"api": 30, "account_data": 60, "scrobble": 60}
IDS = ("2J3n32GeLmMjwuAzyhcSNe", "5SuOikwiRyPMVoIQDJUgSV")

record = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, 200),
    st.sampled_from([0, 20_000, 60_000, None]),
    st.sampled_from([None, *IDS]),
    st.sampled_from(["a", "A", "b"]),
)


def rows_of(listeners: list[list[Any]]) -> list[dict[str, Any]]:
    rows, midnight = [], dt.datetime(2024, 3, 1)
    for listener, records in enumerate(listeners):
        for kind, second, ms, track, title in records:
            form = "%Y-%m-%d %H:%M" if kind == "account_data" else "%Y-%m-%dT%H:%M:%SZ"
            changes = {"track_uri": track, "track_name": title, "ms_played": None if ms is None else str(ms)}
            ts = (midnight + dt.timedelta(seconds=second)).strftime(form)
            rows.append(history(len(rows) + 1, ts, source_kind=kind, user_id=f"u{listener}", **changes))
    return rows


def distance(loser: dict[str, Any], winner: dict[str, Any]) -> float | None:
    """Seconds between two records of one play, as the design words it; None if they cannot be one play."""
    anchor = loser["ended_at"] if loser["source_kind"] == "account_data" else loser["played_at"]
    moments = {
        "account_data": [winner["ended_at"]],
        "scrobble": [winner["played_at"]],
        "api": [winner["played_at"], winner["ended_at"]],
    }[loser["source_kind"]]
    nearest = min(abs((moment - anchor).total_seconds()) for moment in moments)
    both_ids = not loser["track_id"].startswith("local:") and not winner["track_id"].startswith("local:")
    same_track = (
        loser["track_id"] == winner["track_id"] if both_ids else loser["track_name"].lower() == winner["track_name"].lower()
    )
    is_richer = KINDS.index(winner["source_kind"]) < KINDS.index(loser["source_kind"])
    fits = is_richer and same_track and loser["user_id"] == winner["user_id"] and nearest <= WINDOWS[loser["source_kind"]]
    return nearest if fits else None


def check(result: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    by_id = {row_id(row): row for row in result}
    assert sorted((row["file_hash"], row["row_number"]) for row in result) == sorted(
        (row["file_hash"], row["row_number"]) for row in rows
    )
    assert {row["disposition"] for row in result} <= set(DISPOSITIONS)
    matched = {i: row["duplicate_of"] for i, row in by_id.items() if row["reason"] == "same_play_in_richer_source"}
    pairs: dict[tuple[str, str], str] = {}
    for loser, winner in matched.items():
        assert by_id[winner]["disposition"] == "kept"
        assert distance(by_id[loser], by_id[winner]) is not None
        assert (by_id[loser]["source_kind"], winner) not in pairs, "two records of a kind matched with one play"
        pairs[by_id[loser]["source_kind"], winner] = loser
    for winner, row in by_id.items():
        if row["disposition"] == "kept":
            kinds = {row["source_kind"], *(kind for kind, keeper in pairs if keeper == winner)}
            assert row["sources"] == sorted(kinds)
            assert row["play_id"]
    # No record is left alone, or with a farther play, while a nearer one is free or holds a farther record of that kind.
    for loser, row in by_id.items():
        if row["source_kind"] == "export" or row["reason"] not in (None, "same_play_in_richer_source"):
            continue
        mine = distance(row, by_id[matched[loser]]) if loser in matched else None
        for winner, other in by_id.items():
            gap = distance(row, other) if other["disposition"] == "kept" else None
            if gap is None or (mine is not None and gap >= mine):
                continue
            rival = pairs.get((row["source_kind"], winner))
            assert rival is not None, f"{loser} could be {winner}"
            rival_gap = distance(by_id[rival], other)
            assert rival_gap is not None
            assert rival_gap <= gap, f"{loser} is nearer to {winner} than {rival}"


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(listeners=st.lists(st.lists(record, min_size=1, max_size=12), min_size=1, max_size=12), data=st.data())
def test_matching(spark: SparkSession, listeners: list[list[Any]], data: st.DataObject) -> None:
    rows = rows_of(listeners)
    result = disposed(spark, rows)
    check(result, rows)
    assert disposed(spark, data.draw(st.permutations(rows))) == result
