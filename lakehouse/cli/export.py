"""The command `export`: tables as files for other tools, written beside the target and renamed when all is there."""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from lakehouse.cli.console import plain, print_json
from lakehouse.cli.errors import UsageError
from lakehouse.cli.options import SELECTOR
from lakehouse.declare.table import LINEAGE, Table
from lakehouse.plan import graph
from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.delta import BATCH_ROWS

DEFAULT_LAYERS = ("silver", "gold")
LISTENER = "user_id"
OURS = re.compile(r"(bronze|silver|gold|ops)\.\w+\.(parquet|csv)")


@dataclass(frozen=True)
class Exported:
    """A table that was written; `bytes` is None in a database, whose tables share one file."""

    table: str
    rows: int
    bytes: int | None


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `export`."""
    parser.add_argument("--format", required=True, choices=("parquet", "csv", "duckdb"), help="what to write")
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="SELECTOR",
        help=f"{SELECTOR}; may be repeated (default all of silver and gold)",
    )
    parser.add_argument("--out", metavar="PATH", help="folder or file to write (default: export-FORMAT or lakehouse.duckdb here)")
    parser.add_argument(
        "--user", metavar="NAME", help="only this listener's rows; tables without a listener column are exported whole"
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier export")
    parser.add_argument("--raw", action="store_true", help="CSV: do not prefix text like =1+1 with an apostrophe")


def call(settings: Settings, tables: dict[str, Table], options: argparse.Namespace, console: Console) -> int:
    """Write the chosen tables; returns 1 when none of them has been built.

    Raises UnknownSelectorError, UsageError for a target or listener that cannot be meant, and OSError.
    """
    started = time.monotonic()
    chosen = graph.matching(tables, options.table or DEFAULT_LAYERS)
    there = [tables[name] for name in chosen if delta.version(_path(settings, tables[name])) is not None]
    missing = [name for name in chosen if tables[name] not in there]
    if not there:
        raise FileNotFoundError(
            f"nothing to export: none of these tables has been built in {settings.dir}; `lakehouse run` builds them"
        )
    if options.user:
        _check_listener(settings, there, options.user)
    out = _target(options.out, options.format, settings.dir, is_forced=options.force)
    with _beside(out) as staging, _progress(console, is_shown=not options.json) as progress:
        done = _write(staging, settings, there, options, progress)
        size = staging.stat().st_size if staging.is_file() else sum(one.bytes or 0 for one in done)
        _move(staging, out)
    rows, seconds = sum(one.rows for one in done), time.monotonic() - started
    if options.json:
        written = [asdict(one) for one in done]
        print_json({"out": str(out), "tables": written, "not_built": missing, "rows": rows, "bytes": size, "seconds": seconds})
        return 0
    if missing:
        console.print(Text(f"not built yet, so not exported: {', '.join(missing)}", style="yellow"))
    console.print(Text(f"{len(done)} tables, {rows:,} rows, {size:,} bytes in {seconds:.1f} s: ") + plain(out, 1000))
    return 0


def _path(settings: Settings, declared: Table) -> Path:
    return settings.dir / declared.layer / declared.short_name


def _check_listener(settings: Settings, there: Sequence[Table], listener: str) -> None:
    named = [t for t in there if any(c.name == LISTENER for c in t.columns)]
    mine = ds.field(LISTENER) == listener
    if not any(delta.dataset(_path(settings, t)).filter(mine).head(1, columns=[LISTENER]).num_rows for t in named):
        raise UsageError(f"no rows for listener {plain(listener).plain!r} in the chosen tables")


def _target(asked: str | None, format: str, lakehouse: Path, *, is_forced: bool) -> Path:
    """Where to write. Raises UsageError for a place that holds something, unless that is an earlier export and `is_forced`."""
    out = Path(asked or ("lakehouse.duckdb" if format == "duckdb" else f"export-{format}")).expanduser().absolute()
    if out == lakehouse or lakehouse in out.parents or out in lakehouse.parents:
        raise UsageError(f"--out {out} overlaps with the lakehouse {lakehouse}; choose another place")
    if not out.exists() and not out.is_symlink():
        return out
    if format == "duckdb":
        is_earlier = out.is_file() and _is_duckdb(out)
    else:
        is_earlier = out.is_dir() and not out.is_symlink() and all(OURS.fullmatch(p.name) and p.is_file() for p in out.iterdir())
        if is_earlier and not any(out.iterdir()):
            return out
    if not is_earlier:
        raise UsageError(f"{out} exists and is not an earlier export; choose another --out")
    if not is_forced:
        raise UsageError(f"{out} already exists; --force replaces it")
    return out


def _is_duckdb(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(12)[8:] == b"DUCK"


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A name in a new folder beside the target, on the same disk; what is still there at the end is removed."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.partial-", dir=out.parent) as folder:
        yield Path(folder) / out.name


@contextmanager
def _progress(console: Console, *, is_shown: bool) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not (is_shown and console.is_terminal)) as progress:
        yield progress


def _write(
    staging: Path, settings: Settings, there: Sequence[Table], options: argparse.Namespace, progress: Progress
) -> list[Exported]:
    from lakehouse.cli import export_formats

    done: list[Exported] = []
    with export_formats.WRITERS[options.format](staging, is_raw=options.raw) as writer:
        for declared in there:
            path = _path(settings, declared)
            total = delta.row_total(path)
            task = progress.add_task(declared.name, total=total)
            rows = 0

            def counted(batches: Any, task: Any = task) -> Iterator[pa.RecordBatch]:
                nonlocal rows
                for batch in batches:
                    rows += batch.num_rows
                    progress.update(task, advance=batch.num_rows)
                    yield batch

            scanner = _scan(declared, path, options.user)
            size = writer.write(
                declared, pa.RecordBatchReader.from_batches(scanner.projected_schema, counted(scanner.to_batches()))
            )
            progress.remove_task(task)
            done.append(Exported(declared.name, rows, size))
    return done


def _scan(declared: Table, path: Path, listener: str | None) -> ds.Scanner:
    """The table's declared columns, of the listener where it names listeners, a few batches at a time."""
    dataset = delta.dataset(path)
    names = [c.name for c in declared.columns if c.name not in LINEAGE and c.name in dataset.schema.names]
    where = ds.field(LISTENER) == listener if listener and LISTENER in names else None
    return dataset.scanner(columns=names, filter=where, batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1)


def _move(staging: Path, out: Path) -> None:
    """Put the finished export in place; an earlier one is moved aside first and removed with the staging folder."""
    if out.exists():
        out.replace(staging.with_name("replaced"))
    staging.replace(out)
