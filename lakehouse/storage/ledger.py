"""The ops tables: what ran, what each run did to each table, what the rules found, which files are known."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
from deltalake import DeltaTable

from lakehouse.declare.column import column
from lakehouse.declare.table import Table, ops_table
from lakehouse.storage import delta, publishing
from lakehouse.storage.changes import Change, metadata_of
from lakehouse.storage.held import HeldKey
from lakehouse.storage.lakehouse import Lakehouse
from lakehouse.storage.landed_files import LandedFile, from_row, to_row

# Each run appends a file to a ledger table; beyond this many they are merged into one.
COMPACT_FILES = 40
DONE = ("built", "unchanged", "up to date", "described")
FORGOTTEN_BUILD = "forgotten"
"""Status of a table from which a listener was removed: its earlier versions are gone, so it is built whole next."""
BUILT_FIELDS = ("fingerprint", "metadata", "upstreams", "version", "seconds")


PIPELINE_RUNS = ops_table(
    "pipeline_runs",
    ("run_id",),
    "One row per run.",
    [
        column("run_id", "string", "start of the run and the process, sortable"),
        column("started_at", "timestamp", "UTC"),
        column("finished_at", "timestamp", "UTC; null while running, or when the run was killed"),
        column("status", "string", "running, succeeded, failed, or killed (found dead by a later run)"),
        column("engine", "string", "engine the run asked for, and why"),
        column("exit_code", "int", "0 success, 1 something failed"),
        column("built", "bigint", "tables with new content"),
        column("unchanged", "bigint", "tables built again with the same content, so not published"),
        column("up_to_date", "bigint", "tables that needed no build"),
        column("failed", "bigint", "tables that failed, were refused by a rule, or wait for one that did"),
        column("new_files", "bigint", "landing files read"),
        column("new_rows", "bigint", "rows read from them"),
    ],
)
TABLE_BUILDS = ops_table(
    "table_builds",
    ("run_id", "table_name"),
    "One row per run and table that the run built or tried to build.",
    [
        column("run_id", "string", "run"),
        column("table_name", "string", "layer.table"),
        column(
            "status",
            "string",
            "built, unchanged, up to date, described (only comments changed), failed, refused (a FAIL rule), blocked (an upstream"
            " failed), not built or forgotten (`lakehouse forget` removed a listener; the next run builds the table whole)",
        ),
        column("why", "string", "why the table was stale"),
        column("engine", "string", "engine that built it"),
        column("fingerprint", "string", "declaration, code and parameters"),
        column("metadata", "string", "fingerprint of the table's description and its columns' comments"),
        column("upstreams", "string", "JSON: version of each upstream that was read"),
        column("version", "bigint", "Delta version after the build"),
        column("keys", "bigint", "keys recomputed; null for all"),
        column("rows", "bigint", "rows computed"),
        column("seconds", "double", "time to compute, check and publish, s"),
        column("error", "string", "what went wrong"),
        column("finished_at", "timestamp", "UTC"),
        column(
            "pending",
            "string",
            "JSON: listeners whose rows the build left as they were, because they break a rule here (ops.held_keys) or upstream",
        ),
    ],
)
QA_RESULTS = ops_table(
    "qa_validation_results",
    ("run_id", "table_name", "rule"),
    "One row per run, table and rule that was evaluated.",
    [
        column("run_id", "string", "run"),
        column("table_name", "string", "layer.table"),
        column("rule", "string", "rule with its columns and limits"),
        column("status", "string", "PASS, WARN or FAIL"),
        column("violations", "bigint", "rows (or keys) that break the rule"),
        column("rows", "bigint", "rows checked"),
        column("detail", "string", "an example or the figure that was judged"),
        column("checked_at", "timestamp", "UTC"),
    ],
)
INGESTION_STATE = ops_table(
    "ingestion_state",
    ("file_hash", "path"),
    "One row per content and place in the landing folder, and what became of it.",
    [
        column("file_hash", "string", "SHA-256 of the content; of an ignored file, of its beginning and its size"),
        column("path", "string", "place in the landing folder; zip!member for members of an archive"),
        column("container", "string", "the file of the landing folder: itself, or its archive"),
        column("member", "string", "name within the archive; null for a file of its own"),
        column("container_bytes", "bigint", "size of the file (of the archive, for a member), bytes"),
        column("container_modified_ns", "bigint", "its modification time, ns since 1970"),
        column("listener", "string", "listener the file belongs to"),
        column("source", "string", "format, null for an unknown one"),
        column("target", "string", "bronze table the rows went to"),
        column(
            "status",
            "string",
            "ingested, duplicate (the same content elsewhere), waiting (its table was not selected), ignored (it holds nothing of"
            " interest), unknown or broken",
        ),
        column("reason", "string", "why it is not ingested"),
        column("rows", "bigint", "rows read"),
        column("parser", "string", "fingerprint of the parser that read it"),
        column("is_present", "boolean", "still in the landing folder"),
        column("first_run_id", "string", "run that saw it first"),
        column("run_id", "string", "run that read it last, or found it there again"),
        column("forgotten", "bigint", "rows left out, as they belong to listeners who are forgotten; null for none"),
    ],
)
MODELS = ops_table(
    "models",
    ("model_id",),
    "One row per trained model. For each name, the model chosen last is in use.",
    [
        column("model_id", "string", "name and hash of the code, the settings, the landing files and the models it learned from"),
        column("model", "string", "name of the model"),
        column("kind", "string", "what it is, e.g. regression"),
        column("parameters", "string", "JSON: what training chose"),
        column("upstreams", "string", "JSON: version of each upstream table and id of each upstream model that was read"),
        column("upstream_rows", "string", "JSON: rows of each upstream table at that version"),
        column("fingerprint", "string", "code and run parameters"),
        column("splits", "string", "JSON: boundaries of training, validation and test"),
        column("metrics", "string", "JSON: array of objects, one per split and metric"),
        column("diagnostics", "string", "JSON: array of objects, one per kind and row"),
        column("engine", "string", "engine that trained it"),
        column("seconds", "double", "time to train, s"),
        column("created_at", "timestamp", "UTC"),
        column("chosen_at", "timestamp", "when it came into use, UTC"),
        column("is_current", "boolean", "in use: tables are built from it", nullable=False),
        column("path", "string", "folder of the artifact, below the lakehouse"),
    ],
)
# Its commits say of which tables listeners were held back or let go.
HELD_KEYS = replace(
    ops_table(
        "held_keys",
        ("table_name", "user_id", "rule"),
        "One row per table, listener and FAIL rule that the listener's newest rows break. The listener's earlier rows stay in the"
        " table until a later run finds that the rows pass.",
        [
            column("table_name", "string", "layer.table"),
            column("user_id", "string", "listener who is held back"),
            column("rule", "string", "rule with its columns and limits"),
            column("violations", "bigint", "the listener's rows that break the rule, at the last change of that number"),
            column("since", "timestamp", "start of the run that first held the listener back, UTC"),
            column("run_id", "string", "that run"),
        ],
    ),
    scope="entity",
)
TABLES = (PIPELINE_RUNS, TABLE_BUILDS, QA_RESULTS, INGESTION_STATE, MODELS, HELD_KEYS)


@dataclass(frozen=True)
class Built:
    """What the last successful build of a table consumed."""

    fingerprint: str
    upstreams: Mapping[str, int]
    version: int
    seconds: float
    metadata: str | None = None
    """fingerprint of description and comments; None from an older version of this project"""
    pending: frozenset[str] = frozenset()
    """listeners whose rows it left as they were"""


class Ledger:
    """Reads and writes the ops tables of one lakehouse; only the parent process of a run writes."""

    def __init__(self, root: Path) -> None:
        self.lakehouse = Lakehouse(root)

    def path(self, declared: Table) -> Path:
        """The folder of one of the ledger's tables."""
        return self.lakehouse.path(declared)

    def last_builds(self) -> dict[str, Built]:
        """Per table, what its last successful build consumed."""
        done = ds.field("status").isin([*DONE, FORGOTTEN_BUILD])
        names = ["table_name", "run_id", "finished_at", "pending", *BUILT_FIELDS]
        rows = delta.read_rows(self.path(TABLE_BUILDS), names, done)
        latest = {row["table_name"]: row for row in sorted(rows, key=lambda r: (r["run_id"], r["finished_at"]))}
        return {
            name: Built(
                **{field: row[field] for field in BUILT_FIELDS if field != "upstreams"},
                upstreams=json.loads(row["upstreams"]),
                pending=frozenset(json.loads(row["pending"] or "[]")),
            )
            for name, row in latest.items()
        }

    def runs(self) -> list[dict[str, Any]]:
        """Every run, the newest first."""
        rows = delta.read_rows(self.path(PIPELINE_RUNS), [c.name for c in PIPELINE_RUNS.columns])
        return sorted(rows, key=lambda r: r["run_id"], reverse=True)

    def builds(self, run_id: str) -> list[dict[str, Any]]:
        """The table builds of one run."""
        return delta.read_rows(self.path(TABLE_BUILDS), [c.name for c in TABLE_BUILDS.columns], ds.field("run_id") == run_id)

    def files(self) -> list[LandedFile]:
        """Every known landing file."""
        return [from_row(row) for row in delta.read_rows(self.path(INGESTION_STATE))]

    def reconciliation(self) -> list[dict[str, Any]]:
        """Per file of listening history, what became of its rows."""
        return delta.read_rows(self.lakehouse.root / "ops" / "reconciliation")

    def models(self) -> list[dict[str, Any]]:
        """Every trained model, oldest first."""
        rows = delta.read_rows(self.path(MODELS), [c.name for c in MODELS.columns])
        return sorted(rows, key=lambda r: (r["created_at"], r["model_id"]))

    def choose_model(self, row: Mapping[str, Any], run_id: str) -> None:
        """Put a model to use, new or known, from its `chosen_at` on: it alone of its name is current."""
        others = [r for r in self.models() if r["model"] == row["model"] and r["model_id"] != row["model_id"]]
        rows = [*[r | {"is_current": False} for r in others], dict(row) | {"is_current": True}]
        where = delta.quoted_in("model", [row["model"]])
        lineage = {"_run_id": run_id, "_built_at": row["chosen_at"]}
        publishing.append_rows(self.path(MODELS), MODELS, [r | lineage for r in rows], replace=where)

    def held(self) -> list[HeldKey]:
        """Every listener who is held back, by table, listener and rule."""
        rows = delta.read_rows(self.path(HELD_KEYS), [c.name for c in HELD_KEYS.columns])
        return sorted(HeldKey(**row) for row in rows)

    def write_held(self, table_names: Iterable[str], keys: Iterable[HeldKey], run_id: str, started_at: dt.datetime) -> None:
        """Replace what is held back of these tables, in one commit."""
        names = frozenset(table_names)
        rows = [vars(key) | {"_run_id": run_id, "_built_at": started_at} for key in keys]
        metadata = metadata_of(HELD_KEYS, Change(names), run_id, {})
        where = delta.quoted_in("table_name", names)
        publishing.append_rows(self.path(HELD_KEYS), HELD_KEYS, rows, replace=where, metadata=metadata)

    def open_held(self, tables: Iterable[str], run_id: str, started_at: dt.datetime) -> None:
        """Create the table of held listeners where there is none, and forget tables that are not among these."""
        if self.lakehouse.version(HELD_KEYS) is None:
            publishing.create(self.path(HELD_KEYS), HELD_KEYS)
        elif gone := {key.table_name for key in self.held()} - set(tables):
            self.write_held(gone, [], run_id, started_at)

    def append(self, declared: Table, rows: Iterable[Mapping[str, Any]], run_id: str, started_at: dt.datetime) -> None:
        """Append rows in one commit, merging the table's small files now and then."""
        complete = [dict(row) | {"_run_id": run_id, "_built_at": started_at} for row in rows]
        if not complete:
            return
        path = self.path(declared)
        publishing.append_rows(path, declared, complete)
        if len(delta.opened(path).file_uris()) > COMPACT_FILES:
            DeltaTable(path).optimize.compact()

    def replace_run(self, row: Mapping[str, Any], started_at: dt.datetime) -> None:
        """Write the row of a run over what the ledger has of that run."""
        where = delta.quoted_in("run_id", [row["run_id"]])
        complete = dict(row) | {"_run_id": row["run_id"], "_built_at": started_at}
        publishing.append_rows(self.path(PIPELINE_RUNS), PIPELINE_RUNS, [complete], replace=where)

    def write_files(self, files: Iterable[LandedFile], run_id: str, started_at: dt.datetime) -> None:
        """Replace the state of the landing folder, in one commit."""
        rows = [to_row(file) | {"_run_id": run_id, "_built_at": started_at} for file in files]
        publishing.append_rows(self.path(INGESTION_STATE), INGESTION_STATE, rows, replace="true")

    def mark_killed(self, now: dt.datetime) -> list[str]:
        """Runs that still count as running although this process holds the lock were killed; says so, returns their ids."""
        dead = [r for r in self.runs() if r["status"] == "running"]
        for row in dead:
            self.replace_run(row | {"status": "killed"}, row["started_at"] or now)
        return [row["run_id"] for row in dead]
