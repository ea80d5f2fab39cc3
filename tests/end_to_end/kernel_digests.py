"""What the kernel makes of a fixed landing folder: a digest per table, recorded for its declared version.

`python -m tests.end_to_end.kernel_digests` records the digests anew (`make digests`).
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
import random
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakehouse.cli.console import Quiet
from lakehouse.declare import Table
from lakehouse.plan import graph
from lakehouse.plan.fingerprint import KERNEL_VERSION, Fingerprints
from lakehouse.run.run import run_pipeline
from music.settings import ListeningSettings
from synthetic.demo.content import CATALOGUE
from tests.end_to_end.pipeline import export_row
from tests.sessions import room_for_another_engine

RECORD = Path(__file__).with_suffix(".json")
LISTENERS = {"ann": 900, "bob": 400, "cid": 25}
FIRST_DAY = dt.datetime(2023, 1, 1, tzinfo=dt.timezone.utc)
MINUTES_BETWEEN = (1, 3, 4, 5, 9, 45, 600, 1500)
DIGITS = 9


class Made(NamedTuple):
    """How a table came about: `code`, of the table and all it descends from, and a digest of its rows."""

    code: str
    digest: str


def write_landing(folder: Path) -> None:
    """The demo's catalogue, and an export of each listener, drawn with whole numbers alone: the same bytes on any machine."""
    folder.mkdir(parents=True)
    (folder / CATALOGUE.name).write_bytes(CATALOGUE.read_bytes())
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        tracks = [row for row in csv.DictReader(file) if row["track_name"]]
    draw = random.Random(20240101)  # noqa: S311 no secret
    for name, plays in LISTENERS.items():
        favourites = [tracks[draw.randrange(len(tracks))] for _ in range(60)]
        at, rows = FIRST_DAY, []
        for _ in range(plays):
            at += dt.timedelta(minutes=MINUTES_BETWEEN[draw.randrange(len(MINUTES_BETWEEN))], seconds=draw.randrange(60))
            track = favourites[draw.randrange(60) * draw.randrange(60) // 60]
            played = int(track["duration_ms"]) if draw.randrange(4) else draw.randrange(30_000)
            rows.append(
                export_row(
                    f"{at:%Y-%m-%dT%H:%M:%SZ}",
                    ms_played=played,
                    spotify_track_uri=f"spotify:track:{track['track_id']}",
                    master_metadata_track_name=track["track_name"],
                    master_metadata_album_artist_name=track["artists"].split(";")[0],
                    master_metadata_album_album_name=track["album_name"],
                    skipped=played < 30_000,
                )
            )
        target = folder / "listeners" / name / "Streaming_History_Audio_2023.json"
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(rows))


def compared_tables(tables: dict[str, Table]) -> dict[str, Table]:
    """Tables of silver and gold that descend from no model: training differs in last digits from processor to processor."""
    learned = {name for name, table in tables.items() if table.is_model}
    for name, table in tables.items():
        if set(graph.awaited_names(table)) & learned:
            learned.add(name)
    return {name: table for name, table in tables.items() if name not in learned and table.layer in ("silver", "gold")}


def make(folder: Path) -> dict[str, Made]:
    """Build the compared tables below `folder`, and digest them."""
    write_landing(folder / "landing")
    settings = ListeningSettings(landing=folder / "landing", dir=folder / "lakehouse", engine="embedded", _env_file=None)
    tables = graph.load()
    compared = compared_tables(tables)
    with room_for_another_engine():
        report = run_pipeline(settings, tables, Quiet(), tuple(compared))
    if report.exit_code:
        raise RuntimeError("; ".join(str(outcome.error) for outcome in report.outcomes if outcome.error))
    fingerprints, values = Fingerprints(), settings.parameters()
    codes: dict[str, str] = {}
    for name, table in tables.items():
        own = fingerprints.of(table.module, {p: values[p] for p in table.parameters}) if table.module else ""
        above = [codes[upstream] for upstream in graph.upstream_names(table) if upstream in codes]
        codes[name] = hashlib.sha256("".join([own, *above]).encode()).hexdigest()
    return {
        name: Made(codes[name][:16], digest_of(settings.dir.joinpath(*name.split(".")), table))
        for name, table in compared.items()
    }


def digest_of(path: Path, table: Table) -> str:
    """A digest of the rows in the order of the key, lineage aside.

    Doubles count as sums over a column, rounded to 9 significant digits: single values may lie on the edge of rounding, and
    the order in which an engine adds is not fixed.
    """
    names = [c.name for c in table.columns if not c.name.startswith("_") and c.name != "generated_at"]
    rows = DeltaTable(path).to_pyarrow_table(columns=names).sort_by([(name, "ascending") for name in table.key])
    parts = [f"{name} {_column_digest(rows[name])}" for name in names]
    return hashlib.sha256("\n".join([str(rows.num_rows), *parts]).encode()).hexdigest()[:16]


def _column_digest(column: pa.ChunkedArray) -> str:
    if pa.types.is_list(column.type) and pa.types.is_floating(column.type.value_type):
        column = pc.list_flatten(column)
    if not pa.types.is_floating(column.type):
        return hashlib.sha256(json.dumps(column.to_pylist(), default=str).encode()).hexdigest()
    values = column.to_numpy().astype(np.float64)
    there = ~np.isnan(values)
    weights = 1 + (np.arange(len(values)) % 101) / 101
    sums = [np.abs(values[there]).sum(), (np.abs(values) * weights)[there].sum()]
    return f"{there.sum()} {(values[there] < -1e-12).sum()} {' '.join(f'{value:.{DIGITS}g}' for value in sums)}"


def record() -> dict[str, Any]:
    """What is to be recorded for the kernel as it is."""
    with tempfile.TemporaryDirectory() as folder:
        made = make(Path(folder) / "made")
    return {"kernel_version": KERNEL_VERSION, "tables": {name: one._asdict() for name, one in sorted(made.items())}}


if __name__ == "__main__":
    RECORD.write_text(json.dumps(record(), indent=1) + "\n", encoding="utf-8")
