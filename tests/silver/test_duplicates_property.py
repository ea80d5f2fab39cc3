"""Matching is one to one, nearest first, blind to order, and loses no row, whatever the records and the facts of sources."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from ingestion.history_source import SourceFacts, SourceKind, kinds_of
from tests.silver.rows import FACTS, disposed, history, row_id

IDS = ("2J3n32GeLmMjwuAzyhcSNe", "5SuOikwiRyPMVoIQDJUgSV")
NEW = "radio"
REPEATS = ("same_second", "overlapping_play", "sent_again")

record = st.tuples(
    st.sampled_from(["export", "api", "account_data", "scrobble", NEW]),
    st.integers(0, 200),
    st.sampled_from([0, 20_000, 60_000, None]),
    st.sampled_from([(None, "a"), (None, "A"), (None, "b"), (IDS[0], "a"), (IDS[1], "b"), (IDS[1], "B")]),
)
new_kind = st.builds(
    SourceKind,
    name=st.just(NEW),
    ts=st.sampled_from(["start", "end"]),
    rank=st.sampled_from([-1, 5, 15, 25, 35]),
    window_seconds=st.sampled_from([1, 45, 100]),
    compared_with=st.sampled_from([("start",), ("end",), ("start", "end")]),
    repeat_seconds=st.sampled_from([0, 20]),
    sources_overlap=st.booleans(),
)


def rows_of(listeners: list[list[Any]]) -> list[dict[str, Any]]:
    rows, midnight = [], dt.datetime(2024, 3, 1)
    for listener, records in enumerate(listeners):
        for kind, second, ms, (track, title) in records:
            form = "%Y-%m-%d %H:%M" if kind == "account_data" else "%Y-%m-%dT%H:%M:%SZ"
            changes = {"track_uri": track, "track_name": title, "ms_played": None if ms is None else str(ms)}
            ts = (midnight + dt.timedelta(seconds=second)).strftime(form)
            rows.append(history(len(rows) + 1, ts, source_kind=kind, user_id=f"u{listener}", **changes))
    return rows


def distance(
    kinds: dict[str, SourceKind], loser: dict[str, Any], winner: dict[str, Any], *, is_ends_first: bool = False
) -> tuple[Any, ...] | None:
    """How far two records of one play are apart; None if they cannot be one play.

    A play that is too short to be told of comes last; an end that was sent as a start too, or first where a service sends ends.
    """
    poorer, richer = kinds[loser["source_kind"]], kinds[winner["source_kind"]]
    if richer.rank >= poorer.rank or not is_same_track(loser, winner):
        return None
    column = {"start": "played_at", "end": "ended_at"}
    is_to_minute = "account_data" in (loser["source_kind"], winner["source_kind"])
    lengths = [row["ms_played"] for row in (loser, winner)]
    length = 0 if None in lengths else abs(lengths[0] - lengths[1])
    is_short = winner["ms_played"] is not None and winner["ms_played"] < 1000 * poorer.repeat_seconds
    gaps = []
    for moment in poorer.compared_with:
        times = [winner[column[moment]].timestamp(), loser[column[poorer.ts]].timestamp()]
        minutes, seconds = abs(times[0] // 60 - times[1] // 60) * 60, abs(times[0] - times[1])
        if seconds <= poorer.window_seconds:
            is_end = moment == "end" and poorer.ts == "start" and winner["ended_at"] > winner["played_at"]
            gaps.append((is_short, is_end != is_ends_first, minutes if is_to_minute else seconds, length, seconds))
    return min(gaps, default=None)


def is_same_track(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["track_name"].lower() == other["track_name"].lower() and one["user_id"] == other["user_id"])


def are_one_play(kind: SourceKind, one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two rows of one source are the same play."""
    (start, end), (other_start, other_end) = ((row["played_at"], row["ended_at"]) for row in (one, other))
    if kind.name == "account_data":
        return bool((start, end) == (other_start, other_end))
    overlap = (min(end, other_end) - max(start, other_start)).total_seconds()
    shorter = min((end - start).total_seconds(), (other_end - other_start).total_seconds())
    is_again = abs((start - other_start).total_seconds()) < kind.repeat_seconds
    return bool(end == other_end or (shorter > 0 and 2 * overlap > shorter) or is_again)


def check(facts: Sequence[SourceFacts], result: list[dict[str, Any]], rows: list[dict[str, Any]]) -> None:
    kinds = {kind.name: kind for kind in kinds_of(facts)}
    by_id = {row_id(row): row for row in result}
    assert sorted((row["file_hash"], row["row_number"]) for row in result) == sorted(
        (row["file_hash"], row["row_number"]) for row in rows
    )
    assert {row["disposition"] for row in result} <= {"kept", "duplicate", "quarantined", "set_aside"}
    kept = {i: row for i, row in by_id.items() if row["disposition"] == "kept"}
    assert len({(row["user_id"], row["play_id"]) for row in kept.values()}) == len(kept)
    kinds_of_play: dict[str, set[str]] = {i: {row["source_kind"]} for i, row in kept.items()}
    for row in by_id.values():
        if row["disposition"] == "duplicate":
            assert is_same_track(row, kept[row["duplicate_of"]])
            assert kinds[kept[row["duplicate_of"]]["source_kind"]].rank <= kinds[row["source_kind"]].rank
            kinds_of_play[row["duplicate_of"]].add(row["source_kind"])
    assert {i: row["sources"] for i, row in kept.items()} == {i: sorted(names) for i, names in kinds_of_play.items()}
    for one, other in itertools.combinations(kept.values(), 2):
        if one["source_kind"] == other["source_kind"] and is_same_track(one, other):
            assert not are_one_play(kinds[one["source_kind"]], one, other)
    # A kept row has what the other rows of its play say, and is matched by what it says itself.
    said = {row["row_number"]: row["ms_played"] and int(row["ms_played"]) for row in rows}
    check_nearest_first(kinds, {i: row | {"ms_played": said[row["row_number"]]} for i, row in by_id.items()})


def check_nearest_first(kinds: dict[str, SourceKind], by_id: dict[str, dict[str, Any]]) -> None:
    """No record is left alone, or with a farther play, while a nearer one is free or holds a farther record of that kind.

    A start is nearer than an end, or the other way round where more records of a run find a play so.
    """
    matched = {i: row["duplicate_of"] for i, row in by_id.items() if row["reason"] == "same_play_in_richer_source"}
    # A record may be matched with a row that repeats the kept one, so of these plays it is not known with which.
    repeated = {row["duplicate_of"] for row in by_id.values() if row["reason"] in REPEATS}
    pairs: dict[tuple[str, str], str] = {}
    for loser, winner in matched.items():
        if winner in repeated:
            continue
        assert distance(kinds, by_id[loser], by_id[winner]) is not None
        assert (by_id[loser]["source_kind"], winner) not in pairs, "two records of a kind matched with one play"
        pairs[by_id[loser]["source_kind"], winner] = loser
    for loser, row in by_id.items():
        if row["reason"] not in (None, "same_play_in_richer_source"):
            continue
        if matched.get(loser) in repeated:
            continue
        for winner, other in by_id.items():
            if winner in repeated or other["disposition"] != "kept" or distance(kinds, row, other) is None:
                continue
            rival = pairs.get((row["source_kind"], winner))
            assert rival is not None or loser in matched, f"{loser} could be {winner}"
            taken = {id: by_id[id] for id in (rival,) if id is not None}
            is_wrong = [
                is_nearer(distance(kinds, row, other, is_ends_first=order), mine)
                and all(is_nearer(distance(kinds, row, other, is_ends_first=order), rival_gap) for rival_gap in theirs)
                for order in (False, True)
                for mine in [distance(kinds, row, by_id[matched[loser]], is_ends_first=order) if loser in matched else None]
                for theirs in [[distance(kinds, one, other, is_ends_first=order) for one in taken.values()]]
            ]
            # Where more records of a run find a play so, ends are compared first.
            assert not all(is_wrong), f"{loser} is nearer to {winner} than {rival}"


def is_nearer(gap: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> bool:
    """Whether the gap is there, and smaller than the other one if that is there."""
    return gap is not None and (other is None or gap < other)


@settings(max_examples=4, deadline=None, derandomize=True, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(listeners=st.lists(st.lists(record, min_size=1, max_size=12), min_size=1, max_size=12), kind=new_kind, data=st.data())
def test_matching(spark: SparkSession, listeners: list[list[Any]], kind: SourceKind, data: st.DataObject) -> None:
    facts = (*FACTS, SourceFacts(NEW, (kind,), rank_in_kind=0, has_scrobbler_ts=False))
    rows = rows_of(listeners)
    result = disposed(spark, rows, facts)
    check(facts, result, rows)
    assert disposed(spark, data.draw(st.permutations(rows)), facts) == result
