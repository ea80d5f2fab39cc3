"""Matching is one to one, nearest first, blind to order, and loses no row, whatever the records and the facts of sources."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from ingestion.history_source import SourceFacts, SourceKind, kinds_of
from tests.silver.rows import FACTS, disposed, history, row_id

IDS = ("2J3n32GeLmMjwuAzyhcSNe", "5SuOikwiRyPMVoIQDJUgSV")
NEW = "radio"

record = st.tuples(
    st.sampled_from(["export", "api", "account_data", "scrobble", NEW]),
    st.integers(0, 200),
    st.sampled_from([0, 20_000, 60_000, None]),
    st.sampled_from([None, *IDS]),
    st.sampled_from(["a", "A", "b"]),
)
new_kind = st.builds(
    SourceKind,
    name=st.just(NEW),
    ts=st.sampled_from(["start", "end"]),
    rank=st.sampled_from([-1, 5, 15, 25, 35]),
    window_seconds=st.sampled_from([1, 45, 100]),
    compared_with=st.sampled_from([("start",), ("end",), ("start", "end")]),
    sources_overlap=st.booleans(),
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


def distance(kinds: dict[str, SourceKind], loser: dict[str, Any], winner: dict[str, Any]) -> float | None:
    """Seconds between two records of one play, by the facts of the poorer kind; None if they cannot be one play."""
    poorer, richer = kinds[loser["source_kind"]], kinds[winner["source_kind"]]
    column = {"start": "played_at", "end": "ended_at"}
    nearest = min(abs((winner[column[moment]] - loser[column[poorer.ts]]).total_seconds()) for moment in poorer.compared_with)
    both_ids = not loser["track_id"].startswith("local:") and not winner["track_id"].startswith("local:")
    same_track = (
        loser["track_id"] == winner["track_id"] if both_ids else loser["track_name"].lower() == winner["track_name"].lower()
    )
    fits = richer.rank < poorer.rank and same_track and loser["user_id"] == winner["user_id"]
    return nearest if fits and nearest <= poorer.window_seconds else None


def check(facts: Sequence[SourceFacts], result: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    kinds = {kind.name: kind for kind in kinds_of(facts)}
    by_id = {row_id(row): row for row in result}
    assert sorted((row["file_hash"], row["row_number"]) for row in result) == sorted(
        (row["file_hash"], row["row_number"]) for row in rows
    )
    assert {row["disposition"] for row in result} <= {"kept", "duplicate", "quarantined", "set_aside"}
    matched = {i: row["duplicate_of"] for i, row in by_id.items() if row["reason"] == "same_play_in_richer_source"}
    pairs: dict[tuple[str, str], str] = {}
    for loser, winner in matched.items():
        assert by_id[winner]["disposition"] == "kept"
        assert distance(kinds, by_id[loser], by_id[winner]) is not None
        assert (by_id[loser]["source_kind"], winner) not in pairs, "two records of a kind matched with one play"
        pairs[by_id[loser]["source_kind"], winner] = loser
    for winner, row in by_id.items():
        if row["disposition"] == "kept":
            names = {row["source_kind"], *(kind for kind, keeper in pairs if keeper == winner)}
            assert row["sources"] == sorted(names)
            assert row["play_id"]
    # No record is left alone, or with a farther play, while a nearer one is free or holds a farther record of that kind.
    for loser, row in by_id.items():
        if row["reason"] not in (None, "same_play_in_richer_source"):
            continue
        mine = distance(kinds, row, by_id[matched[loser]]) if loser in matched else None
        for winner, other in by_id.items():
            gap = distance(kinds, row, other) if other["disposition"] == "kept" else None
            if gap is None or (mine is not None and gap >= mine):
                continue
            rival = pairs.get((row["source_kind"], winner))
            assert rival is not None, f"{loser} could be {winner}"
            rival_gap = distance(kinds, by_id[rival], other)
            assert rival_gap is not None
            assert rival_gap <= gap, f"{loser} is nearer to {winner} than {rival}"


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(listeners=st.lists(st.lists(record, min_size=1, max_size=12), min_size=1, max_size=12), kind=new_kind, data=st.data())
def test_matching(spark: SparkSession, listeners: list[list[Any]], kind: SourceKind, data: st.DataObject) -> None:
    facts = (*FACTS, SourceFacts(NEW, (kind,), rank_in_kind=0, has_scrobbler_ts=False))
    rows = rows_of(listeners)
    result = disposed(spark, rows, facts)
    check(facts, result, rows)
    assert disposed(spark, data.draw(st.permutations(rows)), facts) == result
