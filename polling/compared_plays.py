"""A listener's plays side by side: which of them a live source tells of, and which an export of the same time."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from lakehouse.storage import delta
from validators.source_comparison import MISSING, OFFLINE, PRIVATE, SHORT

EXPORT = "export"
LISTEN_MS = 30_000
"""Live sources tell of no shorter play."""
DAY = dt.timedelta(days=1)
"""How far the records of one play may lie apart, at most."""
SLICE = dt.timedelta(days=366)
"""So much of a listener's history is in memory at a time."""
ROW_ID = ["file_hash", "row_number"]
COLUMNS = [
    *ROW_ID,
    *("disposition", "duplicate_of", "play_id", "source", "source_kind", "played_at", "ms_played"),
    *("offline", "incognito_mode", "track_name", "artist_name"),
]
OUT = ["play_id", "source", "played_at", "track_name", "artist_name"]
Interval = tuple[dt.datetime, dt.datetime]
"""Start and end, both included."""


@dataclass
class Tally:
    """What the comparison of one listener's live source with exports of the same time came to."""

    user_id: str
    source: str
    intervals: list[Interval]
    """in which both tell of plays"""
    compared: int = 0
    """plays that at least one of them tells of"""
    both: int = 0
    only_export: Counter[str] = field(default_factory=Counter)
    """by reason"""
    only_polled: Counter[str] = field(default_factory=Counter)
    """by reason"""


def common(polled: Interval, exports: Sequence[Interval]) -> list[Interval]:
    """The time that both cover, as intervals apart from each other."""
    both = sorted((max(polled[0], start), min(polled[1], end)) for start, end in exports)
    apart: list[Interval] = []
    for start, end in both:
        if start > end:
            continue
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(apart[-1][1], end))
        else:
            apart.append((start, end))
    return apart


def compare(plays: Path, tallies: Sequence[Tally]) -> Iterator[pa.Table]:
    """Count the plays of one listener's `tallies`; yields those that a side lacks, with `user_id`, `side` and `reason`."""
    times = [moment for tally in tallies for interval in tally.intervals for moment in interval]
    if not times:
        return
    start, end = min(times) - DAY, max(times) + dt.timedelta(microseconds=1)
    while start < end:
        until = min(start + SLICE, end)
        yield from _slice(plays, tallies, start, until)
        start = until


def _slice(plays: Path, tallies: Sequence[Tally], start: dt.datetime, until: dt.datetime) -> Iterator[pa.Table]:
    """The plays that begin in [start, until)."""
    user_id = tallies[0].user_id
    rows = _rows(plays, user_id, start - DAY, until + DAY)
    begins_here = (ds.field("disposition") == "kept") & (ds.field("played_at") >= start) & (ds.field("played_at") < until)
    kept = rows.filter(begins_here)
    repeats = rows.filter(ds.field("disposition") == "duplicate")
    has_export = _has(kept, repeats, "source_kind", EXPORT)
    lacks_export = pa.array([False] * len(kept), pa.bool_())
    for tally in tallies:
        is_told = _has(kept, repeats, "source", tally.source)
        is_both = pc.and_(has_export, is_told)
        # The record of the first play that was polled may begin before it: its time may be the end of the play.
        begins_before = [(interval_start - DAY, interval_start) for interval_start, _ in tally.intervals]
        is_first = pc.and_(is_both, _is_in(kept["played_at"], begins_before))
        is_here = pc.or_(is_first, _is_in(kept["played_at"], tally.intervals))
        tally.compared += _count(pc.and_(is_here, pc.or_(has_export, is_told)))
        tally.both += _count(pc.and_(is_here, is_both))
        only_export = kept.filter(pc.and_(is_here, pc.and_not(has_export, is_told)))
        reasons = _reasons(only_export)
        tally.only_export.update(reasons.to_pylist())
        yield _lacking(only_export, user_id, tally.source, reasons)
        only_polled = pc.and_(is_here, pc.and_not(is_told, has_export))
        tally.only_polled.update({MISSING: _count(only_polled)})
        lacks_export = pc.or_(lacks_export, only_polled)
    without_export = kept.filter(lacks_export)
    yield _lacking(without_export, user_id, EXPORT, pa.repeat(MISSING, len(without_export)))


def _rows(plays: Path, user_id: str, start: dt.datetime, until: dt.datetime) -> pa.Table:
    """The listener's rows of silver.plays that are plays, in [start, until), with `row_id`."""
    is_meant = (ds.field("user_id") == user_id) & ds.field("disposition").isin(["kept", "duplicate"])
    is_then = (ds.field("played_at") >= start) & (ds.field("played_at") < until)
    rows = delta.dataset(plays).to_table(columns=COLUMNS, filter=is_meant & is_then)
    return rows.append_column("row_id", row_ids(rows))


def row_ids(rows: pa.Table) -> pa.ChunkedArray:
    """What `duplicate_of` of silver.plays names: the start of the file's hash, and the row's number."""
    number = pc.utf8_lpad(rows["row_number"].cast(pa.string()), 12, "0")
    return pc.binary_join_element_wise(pc.utf8_slice_codeunits(rows["file_hash"], 0, 16), number, ":")


def _has(kept: pa.Table, repeats: pa.Table, column: str, value: str) -> pa.ChunkedArray:
    """Whether a record of each kept play has the value: the kept one, or one that repeats it."""
    repeated = repeats.filter(pc.equal(repeats[column], value))["duplicate_of"].combine_chunks()
    return pc.or_(pc.equal(kept[column], value), pc.is_in(kept["row_id"], value_set=repeated))


def _is_in(times: pa.ChunkedArray, intervals: Sequence[Interval]) -> pa.Array | pa.ChunkedArray:
    inside = pa.array([False] * len(times), pa.bool_())
    for start, end in intervals:
        low, high = (pa.scalar(moment, pa.timestamp("us", "UTC")) for moment in (start, end))
        inside = pc.or_(inside, pc.and_(pc.greater_equal(times, low), pc.less_equal(times, high)))
    return inside


def _reasons(rows: pa.Table) -> Any:
    """Why a live source may lack plays that an export has; of several reasons the first."""
    tests: Mapping[str, Any] = {
        SHORT: pc.less(rows["ms_played"], LISTEN_MS),
        PRIVATE: rows["incognito_mode"],
        OFFLINE: rows["offline"],
    }
    reasons: Any = pa.repeat(MISSING, len(rows))
    for reason, test in reversed(list(tests.items())):
        reasons = pc.if_else(pc.fill_null(test, False), reason, reasons)
    return reasons


def _lacking(rows: pa.Table, user_id: str, side: str, reasons: Any) -> pa.Table:
    """The plays that a side lacks, as rows of ops.source_comparison without lineage."""
    told = rows.select(OUT)
    for name, value in (("user_id", user_id), ("side", side)):
        told = told.append_column(name, pa.repeat(value, len(rows)))
    return told.append_column("reason", reasons)


def _count(mask: Any) -> int:
    return int(pc.sum(mask).as_py() or 0)
