"""What a run writes down: builds, checks, models in use, landing files, and the run itself."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lakehouse.build.task import NOT_DONE, Outcome
from lakehouse.plan.fingerprint import metadata_fingerprint
from lakehouse.plan.staleness import Plan, Stale
from lakehouse.plan.state import State
from lakehouse.run.context import RunContext
from lakehouse.run.report import Report
from lakehouse.storage import delta
from lakehouse.storage.held import updated
from lakehouse.storage.landed_files import LandedFile
from lakehouse.storage.ledger import DONE, HELD_KEYS, INGESTION_STATE, MODELS, QA_RESULTS, TABLE_BUILDS

FLUSH_SECONDS = 5
BUILD_FIELDS = ("status", "engine", "version", "keys", "rows", "seconds", "error")
CHECK_FIELDS = ("rule", "status", "violations", "rows", "detail")


class Recorder:
    """Writes the ledger of one run, a few rows at a time, and keeps the run's state in step with what was published."""

    def __init__(self, context: RunContext, plan: Plan, state: State) -> None:
        self.context, self.plan, self.state = context, plan, state
        self.outcomes: list[Outcome] = []
        self._held = context.ledger.held()
        self._builds: list[dict[str, Any]] = []
        self._checks: list[dict[str, Any]] = []
        self._flushed_at = context.started_at

    def note(self, outcome: Outcome, stale: Stale) -> None:
        """Record what became of a stale table; a trained model is put to use."""
        if outcome.model is not None:
            outcome = self._put_to_use(outcome, outcome.model)
        elif outcome.version is not None:
            self.state.versions[outcome.table] = outcome.version
        if outcome.status in DONE and self.context.tables[outcome.table].holds_listeners:
            self._note_held(outcome)
        self.outcomes.append(outcome)
        now = self._note_build(outcome, stale.why)
        self._checks += [
            {
                "run_id": self.context.run_id,
                "table_name": outcome.table,
                "checked_at": now,
                **{name: getattr(check, name) for name in CHECK_FIELDS},
            }
            for check in outcome.checks
        ]
        self.context.observer.finished(outcome)
        if (now - self._flushed_at).total_seconds() > FLUSH_SECONDS:
            self.flush()

    def _note_held(self, outcome: Outcome) -> None:
        """Record who is held back of a table that was built, before what is built from it, and before the build itself.

        So a run that is killed here finds the table stale and its listeners pending, as before.
        """
        name, context = outcome.table, self.context
        withheld = self.state.withheld(name)
        before = [key for key in self._held if key.table_name == name]
        keys = updated(name, before, outcome.held, withheld, context.run_id, context.started_at)
        if keys != before:
            self._held = sorted([*(key for key in self._held if key.table_name != name), *keys])
            context.ledger.write_held([name], keys, context.run_id, context.started_at)
            self.state.versions[HELD_KEYS.name] = context.lakehouse.version(HELD_KEYS)
        self.state.pending[name] = withheld | {key.user_id for key in keys}

    def note_described(self, name: str) -> None:
        """Record that only the comments of a table were brought up to date: what it consumed stays as it was."""
        last = self.state.last[name]
        self.state.refresh(name)
        row = {"fingerprint": last.fingerprint, "upstreams": delta.to_json(last.upstreams), "seconds": last.seconds}
        self._note_build(Outcome(name, "described", version=self.state.versions[name]), "comments changed", row)

    def _note_build(self, outcome: Outcome, why: str, others: Mapping[str, Any] | None = None) -> dt.datetime:
        declared, now = self.context.tables[outcome.table], dt.datetime.now(dt.timezone.utc)
        self._builds.append(
            {
                **{name: getattr(outcome, name) for name in BUILD_FIELDS},
                "run_id": self.context.run_id,
                "table_name": outcome.table,
                "why": why,
                "finished_at": now,
                "fingerprint": self.plan.code.fingerprints[outcome.table],
                "metadata": metadata_fingerprint(declared),
                "upstreams": delta.to_json(self.state.upstream_versions(declared)),
                "pending": json.dumps(sorted(pending)) if (pending := self.state.pending.get(outcome.table)) else None,
                **(others or {}),
            }
        )
        return now

    def _put_to_use(self, outcome: Outcome, trained: Mapping[str, Any]) -> Outcome:
        """Put a trained model to use, unless the very same one is in use."""
        now = dt.datetime.now(dt.timezone.utc)
        ledger = self.context.ledger
        rows_by_id = {row["model_id"]: row for row in ledger.models()}
        row = rows_by_id.get(trained["model_id"], {**trained, "created_at": now})
        if row.get("is_current"):
            outcome = replace(outcome, status="unchanged")
        else:
            row = {**row, "chosen_at": now}
            ledger.choose_model(row, self.context.run_id)
            self.state.versions[MODELS.name] = self.context.lakehouse.version(MODELS)
        self.state.use(outcome.table, row)
        return replace(outcome, version=self.state.versions[outcome.table])

    def remember_files(self, files: Sequence[LandedFile], before: Iterable[LandedFile]) -> None:
        """Write the state of the landing folder where it changed, once bronze holds the rows.

        Also where an older version of this project wrote it, as tables read all of its columns.
        """
        is_whole = {c.name for c in INGESTION_STATE.columns} <= delta.column_names(self.context.ledger.path(INGESTION_STATE))
        if not is_whole or set(files) != set(before):
            self.context.ledger.write_files(files, self.context.run_id, self.context.started_at)
        self.state.versions[INGESTION_STATE.name] = self.context.lakehouse.version(INGESTION_STATE)

    def flush(self) -> None:
        """Write the builds and checks noted so far, so that a killed run need not repeat what it finished."""
        builds, self._builds = self._builds, []
        checks, self._checks = self._checks, []
        self.context.ledger.append(TABLE_BUILDS, builds, self.context.run_id, self.context.started_at)
        self.context.ledger.append(QA_RESULTS, checks, self.context.run_id, self.context.started_at)
        self._flushed_at = dt.datetime.now(dt.timezone.utc)


def record_run(context: RunContext, report: Report, exit_code: int | None) -> None:
    """Write the run's own row: running (no exit code yet), succeeded or failed."""
    is_over = exit_code is not None
    counts = {name: sum(o.status == name for o in report.outcomes) for name in ("built", "unchanged", "up to date")}
    row = {
        "run_id": context.run_id,
        "started_at": context.started_at,
        "status": ("failed" if exit_code else "succeeded") if is_over else "running",
        "finished_at": dt.datetime.now(dt.timezone.utc) if is_over else None,
        "engine": f"{report.engine} ({report.engine_reason})",
        "exit_code": exit_code,
        "built": counts["built"],
        "unchanged": counts["unchanged"],
        "up_to_date": counts["up to date"] + report.up_to_date,
        "failed": sum(o.status in NOT_DONE for o in report.outcomes),
        "new_files": len(report.new_files),
        "new_rows": sum(f.rows or 0 for f in report.new_files),
    }
    context.ledger.replace_run(row, context.started_at)
