"""One run: lock, read new landing files, build what is stale in the order of the graph, write the ledger."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lakehouse.build.builder import Builder, Outcome, Task
from lakehouse.declare.table import Table
from lakehouse.engine.base import first_line
from lakehouse.engine.choice import engine_for
from lakehouse.engine.embedded import EmbeddedEngine
from lakehouse.engine.java import java_problem
from lakehouse.landing.scan import Landing, Scan
from lakehouse.plan import graph
from lakehouse.plan.build_queue import Turns
from lakehouse.plan.fingerprint import code_fingerprint
from lakehouse.plan.staleness import Plan, Stale
from lakehouse.run.report import Observer, Report
from lakehouse.run.spark_worker import ChildBuilder
from lakehouse.settings import Settings
from lakehouse.storage import delta
from lakehouse.storage.artifacts import is_stored
from lakehouse.storage.landed_files import LandedFile
from lakehouse.storage.ledger import INGESTION_STATE, MODELS, QA_RESULTS, TABLE_BUILDS, Ledger
from lakehouse.storage.lock import locked

NOT_DONE = ("failed", "refused", "blocked")
FLUSH_SECONDS = 5
TICK_SECONDS = 0.5


def hear_interrupts() -> None:
    """Take Ctrl-C back for Python: the embedded engine's server, once started, keeps it to itself."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Run:
    """One run of the pipeline over a landing folder into a lakehouse."""

    def __init__(self, settings: Settings, tables: dict[str, Table], observer: Observer) -> None:
        self.settings, self.tables, self.observer = settings, tables, observer
        self.root = settings.dir
        self.ledger = Ledger(self.root)
        self.started_at = dt.datetime.now(dt.timezone.utc)
        self.run_id = f"{self.started_at:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}"
        self.engine, why = engine_for(settings)
        self.report = Report(self.run_id, self.engine.name, why, self.started_at)
        self.builder = Builder(self.root, self.engine)
        self.child: ChildBuilder | None = None
        self.child_lock = threading.Lock()
        self.builds: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        self.flushed_at = self.started_at

    def execute(self, selectors: Sequence[str], *, full: bool = False, dry_run: bool = False) -> Report:
        """Bring the selected tables up to date. Raises UnknownSelectorError, LockedError, OSError for an unusable lakehouse."""
        chosen = graph.select(self.tables, selectors)
        self.report.is_dry_run = dry_run
        self.report.is_landing_missing = not self.settings.landing.is_dir()
        if dry_run:
            scan = self._scan(chosen, full=full)
            stale = self._plan(chosen, scan, scan.new, full=full)
            self._note_plan(stale, chosen)
            self.report.new_files = list(scan.new)
            return self._finish()
        with locked(self.root):
            self._clean()
            self.report.killed = self.ledger.mark_killed(self.started_at)
            try:
                self._execute(chosen, full=full)
            finally:
                self._stop()
        return self.report

    def _execute(self, chosen: list[str], *, full: bool) -> None:
        self._write_run("running")
        scan = self._scan(chosen, full=full)
        if not scan.state and not self._has_rows():
            self.report.is_empty = True
        else:
            landed, scan = self._read(scan)
            stale = self._plan(chosen, scan, self.report.new_files, full=full)
            self._note_plan(stale, chosen)
            self.observer.planned(self.report.planned)
            failed = self._build({n: s for n, s in stale.items() if self.tables[n].is_landing}, landed, {})
            self._flush()
            self._remember(scan, failed)
            self._build({n: s for n, s in stale.items() if not self.tables[n].is_landing}, landed, failed)
        owners = {f.file_hash: f.listener for f in scan.state if f.status == "ingested"}
        self.report.problems = [
            f
            for f in scan.state
            if f.is_present
            and (
                f.status in ("broken", "unknown")
                or (f.status == "duplicate" and self.landing.is_lost(f, owners.get(f.file_hash)))
            )
        ]
        self.report.reconciliation = self.ledger.reconciliation()
        self._finish()
        self._flush()
        self._write_run("failed" if self.report.exit_code else "succeeded")

    def _note_plan(self, stale: dict[str, Stale], chosen: list[str]) -> None:
        self.report.planned = [one for name, one in stale.items() if name not in self.plan.unavailable]
        chosen = [n for n in chosen if self.tables[n].transform is not None and not self.tables[n].is_model]
        self.report.up_to_date = sum(n not in stale for n in chosen)

    def _has_rows(self) -> bool:
        return any(delta.version(self.root / t.layer / t.short_name) is not None for t in self.tables.values() if t.is_landing)

    def _warm_up(self) -> None:
        """Start the embedded engine, whose server takes Ctrl-C from Python: one pressed meanwhile waits, and is not lost.

        If it cannot start, the first build reports why. Other engines start with the first build.
        """
        if self.engine.is_started or not isinstance(self.engine, EmbeddedEngine):
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with contextlib.suppress(Exception):
                self.engine.session()
            hear_interrupts()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _clean(self) -> None:
        shutil.rmtree(self.root / "_staging", ignore_errors=True)

    def _scan(self, chosen: list[str], *, full: bool) -> Scan:
        sources = [source for declared in self.tables.values() for source in declared.sources]
        limit = self.settings.max_file_mb * 1024 * 1024
        parsers = {source.name: code_fingerprint(type(source).__module__) for source in sources}
        self.landing = Landing(self.settings.landing, sources, parsers, self.settings.user, limit, self.run_id)
        targets = {self.tables[name].short_name for name in chosen if self.tables[name].is_landing}
        return self.landing.scan(self.ledger.files(), targets=targets, reread=self._targets_changed(chosen), rehash=full)

    def _targets_changed(self, chosen: list[str]) -> set[str]:
        """Bronze tables whose own code changed, so that every file still there is read again."""
        plan = Plan(self.root, self.tables, [n for n in chosen if self.tables[n].is_landing], self.ledger.last_builds(), {})
        changed = [n for n, now in plan.fingerprints.items() if n in plan.last and plan.last[n].fingerprint != now]
        return {self.tables[name].short_name for name in changed}

    def _read(self, scan: Scan) -> tuple[dict[str, Path], Scan]:
        """Read new files into staged Parquet, one folder per bronze table; their states say what became of them."""
        folders: dict[str, Path] = {}
        state = {(f.file_hash, f.path): f for f in scan.state}
        broken = list(scan.newly_broken)
        constants = {"_batch_id": self.run_id, "_ingested_at": self.started_at}
        for number, file in enumerate(scan.new, start=1):
            self.observer.reading(file, number, len(scan.new))
            folder = self.root / "_staging" / self.run_id / "landed" / str(file.target)
            folder.mkdir(parents=True, exist_ok=True)
            done = self.landing.read(file, folder / f"{file.file_hash}.parquet", constants)
            state[done.file_hash, done.path] = done
            if done.status == "broken":
                broken.append(done)
            else:
                self.report.new_files.append(done)
            if any(folder.iterdir()):
                folders[str(file.target)] = folder
        self.report.newly_broken = broken
        return folders, replace(scan, state=tuple(state.values()))

    def _remember(self, scan: Scan, failed: Collection[str]) -> None:
        """Write what is known of the landing folder, once bronze holds the rows; files of a failed table are read again."""
        lost = {self.tables[name].short_name for name in failed}
        before = {(f.file_hash, f.path): f for f in self.ledger.files()}
        kept = [before.get((f.file_hash, f.path)) if f.target in lost and f.run_id == self.run_id else f for f in scan.state]
        state = {f for f in kept if f is not None}
        path = self.ledger.path(INGESTION_STATE)
        if delta.version(path) is None or state != set(before.values()):
            self.ledger.write_files(sorted(state, key=lambda f: (f.path, f.file_hash)), self.run_id, self.started_at)
        self.plan.versions[INGESTION_STATE.name] = delta.version(path)

    def _plan(self, chosen: list[str], scan: Scan, new_files: Sequence[LandedFile], *, full: bool) -> dict[str, Stale]:
        # A model whose artifact is gone is trained again.
        models = {row["model"]: row for row in self.ledger.models() if row["is_current"] and is_stored(self.root / row["path"])}
        values = self.settings.parameters()
        self.plan = Plan(self.root, self.tables, chosen, self.ledger.last_builds(), values, models, self._unavailable(chosen))
        counts = Counter(str(file.target) for file in new_files)
        # A file that vanished, moved or came back brings no rows, and yet may change what counts.
        written = {INGESTION_STATE.name} if set(scan.state) != set(self.ledger.files()) else set[str]()
        stale = self.plan.stale(counts, written, full=full)
        # What cannot be built here is told with other work; alone it is no reason for a run.
        return stale if set(stale) - set(self.plan.unavailable) else {}

    def _unavailable(self, chosen: list[str]) -> list[str]:
        """What needs Spark, was never built and cannot be built here."""
        wanting = [
            n
            for n in chosen
            if self._goes_to_child(n) and not (self.root / self.tables[n].layer / self.tables[n].short_name).is_dir()
        ]
        return wanting if wanting and self._spark_problem() is not None else []

    def _spark_problem(self) -> str | None:
        """Why what needs Spark cannot be built beside the embedded engine, with the remedy; None where it can."""
        if self.settings.engine == "embedded":
            return "it needs Spark, which the embedded engine alone does without: build with --engine auto"
        return java_problem()

    def _goes_to_child(self, name: str) -> bool:
        return self.tables[name].needs == "spark" and self.engine.name == "embedded"

    def _build(self, stale: dict[str, Stale], landed: dict[str, Path], failed: dict[str, str]) -> dict[str, str]:
        """Build tables as soon as their upstreams are there; a failed one stops those that need it, nothing else.

        Returns the tables that were not built with their status, `failed` (known before) among them.
        """
        seconds = {name: built.seconds for name, built in self.plan.last.items()}
        turns = Turns(stale, self.tables, seconds, failed, self.settings.workers, self._goes_to_child)
        if any(s.is_whole and self._goes_to_child(name) and name not in self.plan.unavailable for name, s in stale.items()):
            # Its JVM starts while other tables are built.
            self._child()
        if any(not self.tables[name].is_model for name in stale):
            self._warm_up()
        running = dict[Future[Outcome], Stale]()
        with self._pool(self.settings.workers) as pool, self._pool(1) as for_child:
            while turns.waiting or running:
                for one, upstream in turns.blocked():
                    told = f"needs {upstream}, which was not built"
                    self._note(Outcome(one.table, turns.failed[one.table], error=told), one)
                for one in turns.next():
                    room = for_child if self._goes_to_child(one.table) else pool
                    running[room.submit(self._build_one, one, landed)] = one
                hear_interrupts()
                for future in wait(running, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED).done:
                    one, outcome = running.pop(future), future.result()
                    self._note(outcome, one)
                    turns.ended(one.table, outcome.status if outcome.status in (*NOT_DONE, "not built") else None)
        return turns.failed

    @contextmanager
    def _pool(self, workers: int) -> Iterator[ThreadPoolExecutor]:
        """Threads that build; an interrupt does not wait for what they do."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix="build")
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()

    def _build_one(self, stale: Stale, landed: dict[str, Path]) -> Outcome:
        declared = self.tables[stale.table]
        self.observer.started(stale.table)
        try:
            if declared.is_model and not stale.is_whole and self.plan.worth_training(stale.table, self.started_at) is None:
                return Outcome(stale.table, "up to date", version=self.plan.versions[stale.table])
            task = self._task(stale, declared, landed)
            if self._goes_to_child(stale.table):
                if (problem := self._spark_problem()) is not None:
                    return Outcome(stale.table, "not built", error=problem)
                return self._child().build(task)
            return self.builder.build(task)
        except Exception as error:
            return Outcome(stale.table, "failed", error=f"{type(error).__name__}: {first_line(error)}", engine=self.engine.name)

    def _task(self, stale: Stale, declared: Table, landed: dict[str, Path]) -> Task:
        folder = landed.get(declared.short_name) if declared.is_landing else None
        upstreams = {name: self.plan.versions[name] for name in graph.upstream_names(declared)}
        if missing := [n for n, version in upstreams.items() if version is None and n not in graph.optional_names(declared)]:
            raise FileNotFoundError(f"{missing[0]} has never been built")
        models = {
            name: self.plan.models[self.tables[name].short_name]
            for name in upstreams
            if self.tables[name].is_model and upstreams[name]
        }
        return Task(
            table=declared.name,
            why=stale.why,
            run_id=self.run_id,
            started_at=self.started_at.isoformat(),
            parameters=self.plan.parameters[declared.name],
            upstreams={name: version for name, version in upstreams.items() if version is not None},
            changes={name: change.to_json() for name, change in self.plan.changes(declared.name).items()},
            consumed=dict(self.plan.last[declared.name].upstreams) if declared.name in self.plan.last else {},
            is_whole=stale.is_whole,
            fingerprint=self.plan.fingerprints[declared.name],
            models={name: row["model_id"] for name, row in models.items()},
            landed=str(folder) if folder else None,
            replaced_files=self._replaced(declared, folder) if folder else (),
        )

    def _replaced(self, declared: Table, folder: Path) -> tuple[str, ...]:
        """Hashes of the new files if bronze holds rows of any of them already (re-read, or a run that was killed)."""
        hashes = sorted(path.stem for path in folder.glob("*.parquet"))
        path = self.root / declared.layer / declared.short_name
        return tuple(hashes) if delta.holds_any(path, "file_hash", hashes) else ()

    def _note(self, outcome: Outcome, stale: Stale) -> None:
        """Record an outcome in the report and in the ledger."""
        if outcome.model is not None:
            self._use(outcome, outcome.model)
        self.report.outcomes.append(outcome)
        if outcome.version is not None:
            self.plan.versions[outcome.table] = outcome.version
        now = dt.datetime.now(dt.timezone.utc)
        upstreams = {u: self.plan.versions[u] for u in graph.upstream_names(self.tables[outcome.table])}
        upstreams = {u: version for u, version in upstreams.items() if version is not None}
        row = {
            **{name: getattr(outcome, name) for name in ("status", "engine", "version", "keys", "rows", "seconds", "error")},
            "run_id": self.run_id,
            "table_name": outcome.table,
            "why": stale.why,
            "finished_at": now,
            "fingerprint": self.plan.fingerprints[outcome.table],
            "upstreams": delta.to_json(upstreams),
        }
        self.builds.append(row)
        self.checks += [
            {
                "run_id": self.run_id,
                "table_name": outcome.table,
                "checked_at": now,
                **{name: getattr(check, name) for name in ("rule", "status", "violations", "rows", "detail")},
            }
            for check in outcome.checks
        ]
        self.observer.finished(outcome)
        if (now - self.flushed_at).total_seconds() > FLUSH_SECONDS:
            self._flush()

    def _use(self, outcome: Outcome, trained: dict[str, Any]) -> None:
        """Put a trained model to use, unless the very same one is in use."""
        now = dt.datetime.now(dt.timezone.utc)
        known = {row["model_id"]: row for row in self.ledger.models()}
        row = known.get(trained["model_id"], {**trained, "created_at": now})
        if row.get("is_current"):
            outcome.status = "unchanged"
        else:
            row = {**row, "chosen_at": now}
            self.ledger.choose_model(row, self.run_id)
            self.plan.versions[MODELS.name] = delta.version(self.ledger.path(MODELS))
        self.plan.use(outcome.table, row)
        outcome.version = self.plan.versions[outcome.table]

    def _flush(self) -> None:
        """Write the builds and checks noted so far, so that a killed run need not repeat what it finished."""
        builds, self.builds = self.builds, []
        checks, self.checks = self.checks, []
        self.ledger.append(TABLE_BUILDS, builds, self.run_id, self.started_at)
        self.ledger.append(QA_RESULTS, checks, self.run_id, self.started_at)
        self.flushed_at = dt.datetime.now(dt.timezone.utc)

    def _write_run(self, status: str) -> None:
        report = self.report
        counts = {name: sum(o.status == name for o in report.outcomes) for name in ("built", "unchanged", "up to date")}
        row = {
            "run_id": self.run_id,
            "started_at": self.started_at,
            "status": status,
            "finished_at": None if status == "running" else dt.datetime.now(dt.timezone.utc),
            "engine": f"{report.engine} ({report.engine_reason})",
            "exit_code": None if status == "running" else report.exit_code,
            "built": counts["built"],
            "unchanged": counts["unchanged"],
            "up_to_date": counts["up to date"] + report.up_to_date,
            "failed": sum(o.status in NOT_DONE for o in report.outcomes),
            "new_files": len(report.new_files),
            "new_rows": sum(f.rows or 0 for f in report.new_files),
        }
        self.ledger.replace_run(row, self.started_at)

    def _child(self) -> ChildBuilder:
        """The process that builds what needs Spark; one engine per process."""
        with self.child_lock:
            self.child = self.child or ChildBuilder(self.settings)
            return self.child

    def _stop(self) -> None:
        self.engine.stop()
        if self.child is not None:
            self.child.stop()
        self._clean()

    def _finish(self) -> Report:
        report = self.report
        report.seconds = (dt.datetime.now(dt.timezone.utc) - self.started_at).total_seconds()
        is_failed = any(o.status in NOT_DONE for o in report.outcomes) or bool(report.newly_broken)
        report.exit_code = 1 if is_failed else 0
        report.engine_started = self.engine.is_started
        return report
