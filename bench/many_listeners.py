"""Times many synthetic listeners beside a real one: a cold run, and a run after new plays of ten listeners.

Each is a process of its own on the embedded engine. Prints wall seconds, peak memory and the tables that took longest.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ROOT = Path(__file__).resolve().parent.parent
NEW_LISTENERS, NEW_PLAYS = 10, 20
LATER_MS = 365 * 86_400_000
SHOWN = 8


def later_plays(folder: Path, target: Path, listeners: int = NEW_LISTENERS, plays: int = NEW_PLAYS) -> list[str]:
    """Write the last `plays` plays of some listeners of a generated folder once more, a year later; returns the listeners.

    The listeners are spread evenly over the folder's. The file is one that landing reads like those of the folder.
    """
    tables = []
    for path in sorted(folder.glob("*.arrows")):
        with pa.ipc.open_stream(path) as reader:
            tables.append(reader.read_all())
    users = [user for table in tables for user in table["user_id"].unique().to_pylist()]
    chosen = users[:: max(1, len(users) // listeners)][:listeners]
    rows = pa.concat_tables([_last(table, user, plays) for table in tables for user in chosen])
    write_stream(target, rows)
    return chosen


def _last(table: pa.Table, user: str, plays: int) -> pa.Table:
    """The listener's last plays, a year later, as plain columns."""
    own = table.filter(pc.equal(table["user_id"], user))
    own = own.slice(max(0, len(own) - plays)).combine_chunks()
    columns = {name: _plain(own[name]) for name in own.column_names}
    columns["ts"] = pc.add(columns["ts"], pa.scalar(LATER_MS, pa.duration("ms")))
    return pa.table(columns)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(column.type):
        return column
    return pa.chunked_array([c.dictionary.take(c.indices) for c in column.chunks], column.type.value_type)


def write_stream(target: Path, rows: pa.Table) -> None:
    """Write plain columns as a landing file of synthetic listeners."""
    from ingestion.synthetic import schema

    wanted = schema(len(rows))
    numbers = pa.array(range(len(rows)), pa.int32())
    columns = []
    for field in wanted:
        values = rows[field.name].combine_chunks()
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        coded = pa.types.is_dictionary(field.type)
        columns.append(pa.DictionaryArray.from_arrays(numbers, values) if coded else values.cast(field.type))
    with pa.ipc.new_stream(target, wanted) as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=wanted))


def generated(out: Path, catalogue: Path, listeners: int, plays: int) -> None:
    """Generate the listeners' folder. Raises CalledProcessError."""
    command = [sys.executable, str(ROOT / "scripts" / "generate_listeners.py"), "--listeners", str(listeners)]
    command += ["--plays", str(plays), "--catalogue", str(catalogue), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603


def main() -> int:
    """Run both situations; exit code 1 when a run failed."""
    sys.path.insert(0, str(ROOT))
    from bench.pipeline import measured

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalogue", type=Path, required=True, metavar="CSV", help="the Kaggle catalogue")
    parser.add_argument("--export", type=Path, metavar="ZIP", help="a real history to stand beside the synthetic ones")
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--plays", type=int, default=1500, help="mean plays per listener")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    runs: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        landing, lakehouse = Path(scratch, "landing"), Path(scratch, "lakehouse")
        landing.mkdir()
        for file in (options.catalogue, options.export):
            if file is not None:
                shutil.copy(file, landing)
        generated(landing / "synthetic", options.catalogue, options.listeners, options.plays)
        runs["cold"] = measured("embedded", landing, lakehouse)
        later_plays(landing / "synthetic", landing / "later.arrows")
        runs[f"new plays of {NEW_LISTENERS}"] = measured("embedded", landing, lakehouse)
    for name, run in runs.items():
        slowest = sorted(run["table_seconds"].items(), key=lambda item: -item[1])[:SHOWN]
        told = ", ".join(f"{table} {seconds:.2f}" for table, seconds in slowest)
        print(f"{name}: {run['seconds']:.1f} s, {run['peak_mb']:,} MB; longest: {told}")  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(runs, indent=2), encoding="utf-8")
    return int(any(run["exit_code"] for run in runs.values()))


if __name__ == "__main__":
    sys.exit(main())
