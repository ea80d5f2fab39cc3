"""The command `compare-sources`: what was polled beside an export of the same time, and what either of them lacks."""

from __future__ import annotations

import argparse
import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from rich.console import Console
from rich.text import Text

from lakehouse.cli.console import compact_grid, plain, print_json
from lakehouse.cli.errors import UsageError
from lakehouse.declare import Table
from lakehouse.settings import Settings
from lakehouse.storage import delta, publishing
from lakehouse.storage.landed_files import LandedFile
from lakehouse.storage.ledger import Ledger
from lakehouse.storage.lock import locked
from music.shares import wilson_interval
from polling.account_rows import state_files
from polling.compared_plays import Interval, Tally, common, compare
from polling.exports import EXPORT_FORMATS, LIVE, coverage_path, exports_of
from polling.vanished import deleted_plays, rows_of, vanished_items
from validators.source_comparison import DELETED, MISSING, OFFLINE, PRIVATE, SHORT, SOURCE_COMPARISON

REASONS = (SHORT, PRIVATE, OFFLINE, MISSING)
NOTHING = "nothing to compare: no export covers a time at which {} was polled"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `compare-sources`."""
    parser.add_argument("--user", metavar="NAME", help="only this listener (default: everybody who is polled)")


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Compare, write ops.source_comparison, and print the counts. Raises UsageError, LockedError and OSError."""
    del tables
    root: Path = settings.dir
    for path in (coverage_path(root), _plays(root)):
        if delta.version(path) is None:
            raise FileNotFoundError(f"silver.{path.name} is not built in {root}; `lakehouse run` builds it")
    with locked(root):
        landed = Ledger(root).files()
        tallies = _tallies(root, options.user, landed)
        rows = pa.concat_tables(
            [_empty(), *_lacking(root, tallies), *_deleted(settings, options.user, landed)], promote_options="default"
        )
        _write(root, rows, options.user)
    deleted = _deleted_counts(rows)
    if options.json:
        print_json({"comparisons": [_document(tally, deleted) for tally in tallies], "rows": len(rows)})
    else:
        _print(console, tallies, deleted, options.user)
    return 0


def _plays(root: Path) -> Path:
    return root / "silver" / "plays"


def _tallies(root: Path, user_id: str | None, landed: Sequence[LandedFile]) -> list[Tally]:
    """An empty tally for each listener and live source that an export of the same time can be compared with."""
    polled = _polled(coverage_path(root), user_id)
    if user_id is not None and not polled:
        raise UsageError(f"no play of {plain(user_id, 60).plain!r} was polled from a live source; `lakehouse poll` reads them")
    exports: dict[str, list[Interval]] = {}
    for one in exports_of(root, {listener for listener, _ in polled}, EXPORT_FORMATS, landed):
        exports.setdefault(one.user_id, []).append((one.start, one.end))
    tallies = [Tally(listener, source, common(when, exports.get(listener, ()))) for (listener, source), when in polled.items()]
    return sorted((tally for tally in tallies if tally.intervals), key=lambda tally: (tally.user_id, tally.source))


def _polled(coverage: Path, user_id: str | None) -> dict[tuple[str, str], Interval]:
    """From the first to the last play that was polled, by listener and source; what lies in a gap is then found missing."""
    where = ds.field("source").isin(LIVE)
    if user_id is not None:
        where &= ds.field("user_id") == user_id
    extents: dict[tuple[str, str], Interval] = {}
    columns = ["user_id", "source", "first_played_at", "last_ended_at"]
    for batch in delta.dataset(coverage).to_batches(columns=columns, filter=where):
        grouped = pa.Table.from_batches([batch]).group_by(["user_id", "source"])
        for row in grouped.aggregate([("first_played_at", "min"), ("last_ended_at", "max")]).to_pylist():
            key, start, end = (row["user_id"], row["source"]), row["first_played_at_min"], row["last_ended_at_max"]
            before = extents.get(key, (start, end))
            extents[key] = (min(before[0], start), max(before[1], end))
    return extents


def _lacking(root: Path, tallies: Sequence[Tally]) -> Iterator[pa.Table]:
    for user_id in sorted({tally.user_id for tally in tallies}):
        yield from compare(_plays(root), [tally for tally in tallies if tally.user_id == user_id])


def _deleted(settings: Settings, user_id: str | None, landed: Sequence[LandedFile]) -> Iterator[pa.Table]:
    inbox = settings.inbox_folder
    items = vanished_items(state_files(inbox)) if inbox.is_dir() else []
    return deleted_plays(_plays(settings.dir), rows_of(items, inbox, landed), user_id)


def _empty() -> pa.Table:
    """No rows of ops.source_comparison, without lineage."""
    schema = delta.uncommented(delta.arrow_schema(SOURCE_COMPARISON))
    return pa.schema([schema.field(column.name) for column in SOURCE_COMPARISON.columns]).empty_table()


def _write(root: Path, rows: pa.Table, user_id: str | None) -> None:
    """Replace what the last comparison of these listeners found."""
    now = dt.datetime.now(dt.timezone.utc)
    lineage = {
        "_run_id": pa.repeat(f"{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}", len(rows)),
        "_built_at": pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), len(rows)),
    }
    for name, values in lineage.items():
        rows = rows.append_column(name, values)
    where = "true" if user_id is None else delta.quoted_in("user_id", [user_id])
    path = root / SOURCE_COMPARISON.layer / SOURCE_COMPARISON.short_name
    publishing.append_rows(path, SOURCE_COMPARISON, rows, replace=where)


def _deleted_counts(rows: pa.Table) -> dict[tuple[str, str], int]:
    """Deleted plays by listener and source."""
    found = rows.filter(ds.field("reason") == DELETED).group_by(["user_id", "side"]).aggregate([([], "count_all")])
    return {(row["user_id"], row["side"]): row["count_all"] for row in found.to_pylist()}


def _document(tally: Tally, deleted: dict[tuple[str, str], int]) -> dict[str, Any]:
    low, high = wilson_interval(tally.both, tally.compared)
    return {
        "user_id": tally.user_id,
        "source": tally.source,
        "intervals": [{"from": start, "to": end} for start, end in tally.intervals],
        "compared": tally.compared,
        "both": tally.both,
        "share_both": tally.both / tally.compared if tally.compared else None,
        "share_low": low,
        "share_high": high,
        "only_export": {reason: tally.only_export[reason] for reason in REASONS},
        "only_polled": {MISSING: tally.only_polled[MISSING]},
        DELETED: deleted.get((tally.user_id, tally.source), 0),
    }


def _print(console: Console, tallies: Iterable[Tally], deleted: dict[tuple[str, str], int], user_id: str | None) -> None:
    documents = [_document(tally, deleted) for tally in tallies]
    if not documents:
        console.print(Text(NOTHING.format("anybody") if user_id is None else NOTHING.format(plain(user_id, 60).plain)))
    else:
        _print_counts(console, documents)
    other = {key: number for key, number in deleted.items() if key not in {(d["user_id"], d["source"]) for d in documents}}
    for (listener, source), number in sorted(other.items()):
        console.print(Text(f"{number:,} plays of ") + plain(listener, 60) + Text(f" are no longer at {source}"))


def _print_counts(console: Console, documents: Sequence[dict[str, Any]]) -> None:
    grid = compact_grid("listener", "source")
    for name in ("n", "in both", "95%", *REASONS, "not in export", "deleted"):
        grid.add_column(name, justify="right")
    for one in documents:
        share = "" if one["share_both"] is None else f"{one['share_both']:.1%}"
        interval = "" if one["share_low"] is None else f"{one['share_low']:.1%}-{one['share_high']:.1%}"
        counts = [*[one["only_export"][reason] for reason in REASONS], one["only_polled"][MISSING], one[DELETED]]
        cells = [f"{one['compared']:,}", share, interval, *[f"{count:,}" for count in counts]]
        grid.add_row(plain(one["user_id"], 20), one["source"], *cells)
    console.print(grid, soft_wrap=False)
    console.print(
        "n: plays of the time that both cover; short to missing: plays that only the export has, by reason", style="dim"
    )
    console.print(Text("each of these plays: `lakehouse show ops.source_comparison`", style="dim"))
