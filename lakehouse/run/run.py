"""One run: scan the landing folder, plan what is stale, execute the plan, record what came of it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lakehouse.declare.table import Table, parameters_of
from lakehouse.landing.scan import Landing, Scan
from lakehouse.plan import graph
from lakehouse.plan.fingerprint import Fingerprints
from lakehouse.plan.staleness import Code, Plan, plan
from lakehouse.plan.state import State
from lakehouse.run.additions import write_additions
from lakehouse.run.builders import Builders
from lakehouse.run.context import RunContext
from lakehouse.run.execute import describe, execute
from lakehouse.run.record import Recorder, record_run
from lakehouse.run.report import Additions, Audit, Observer, Rejected, Report
from lakehouse.run.scan import Landed, open_landing, problems_in, read_new_files, scan_landing, to_remember
from lakehouse.settings import Settings
from lakehouse.storage.artifacts import is_stored
from lakehouse.storage.lakehouse import STAGING
from lakehouse.storage.landed_files import LandedFile
from lakehouse.storage.ledger import INGESTION_STATE
from lakehouse.storage.lock import locked

SYNTAX_CACHE = "_syntax.json"


@dataclass(frozen=True)
class _Before:
    """What was there before the run did anything."""

    chosen: Sequence[str]
    fingerprints: Fingerprints
    code: Code
    state: State
    landing: Landing
    files: Sequence[LandedFile]
    scan: Scan


def run_pipeline(
    settings: Settings,
    tables: Mapping[str, Table],
    observer: Observer,
    selectors: Sequence[str] = (),
    *,
    full: bool = False,
    dry_run: bool = False,
    early: Collection[str] = (),
    audit: Audit | None = None,
    additions: Additions | None = None,
    prepare: Sequence[Callable[[Settings], None]] = (),
) -> Report:
    """Bring the selected tables up to date, or with `dry_run` only say what that would do; `tables` stand upstreams first.

    `early` names the categories that are built before all others; `audit` finds files whose rows count nowhere; `additions`
    says what the product's own ops tables are to hold; `prepare` is called under the lock, before anything is read. Raises
    UnknownSelectorError, DeclarationError for a parameter that no setting provides, LockedError, NewerLakehouseError, OSError
    for an unusable lakehouse.
    """
    context = RunContext.begin(settings, tables, observer, early)
    chosen = graph.select(dict(tables), selectors)
    for name in chosen:
        # A setting that is missing is no reason for a run to begin.
        parameters_of(tables[name], settings.parameters())
    context.lakehouse.check_format()
    builders = Builders(settings)
    if dry_run:
        return _dry_run(context, chosen, builders, full=full)
    with locked(settings.dir):
        context.lakehouse.mark_format()
        _remove_staging(context)
        for step in prepare:
            step(settings)
        killed = context.ledger.mark_killed(context.started_at)
        holding = [name for name, declared in tables.items() if declared.holds_listeners]
        context.ledger.open_held(holding, context.run_id, context.started_at)
        try:
            return _run(context, chosen, builders, killed, audit, additions, full=full)
        except KeyboardInterrupt:
            builders.break_off()
            raise
        finally:
            builders.stop()
            _remove_staging(context)


def _dry_run(context: RunContext, chosen: list[str], builders: Builders, *, full: bool) -> Report:
    before = _look(context, chosen, full=full)
    planned = _plan(context, before, before.scan.state, before.scan.new, builders, full=full)
    return replace(
        _report(context, builders),
        is_dry_run=True,
        planned=planned.buildable,
        described_anew=planned.described_anew,
        up_to_date=_up_to_date(context, planned),
        new_files=before.scan.new,
        seconds=context.seconds(),
    )


def _run(
    context: RunContext,
    chosen: list[str],
    builders: Builders,
    killed: list[str],
    audit: Audit | None,
    additions: Additions | None,
    *,
    full: bool,
) -> Report:
    report = replace(_report(context, builders), killed=killed)
    record_run(context, report, None)
    try:
        report = _outcome(context, chosen, builders, report, audit, additions, full=full)
    except Exception:
        record_run(context, report, 1)
        raise
    record_run(context, report, report.exit_code)
    return report


def _outcome(
    context: RunContext,
    chosen: list[str],
    builders: Builders,
    report: Report,
    audit: Audit | None,
    additions: Additions | None,
    *,
    full: bool,
) -> Report:
    before = _look(context, chosen, full=full)
    if before.scan.state or _has_rows(context):
        report, state = _build_all(context, before, builders, report, full=full)
    else:
        report, state = replace(report, is_empty=True), before.scan.state
    before.fingerprints.syntax.write()
    if additions is not None:
        write_additions(context, additions(context.settings, state, context.started_at))
    reconciliation = context.ledger.reconciliation()
    return replace(
        report,
        problems=problems_in(before.landing, state),
        passed_over=before.scan.passed_over,
        ignored=[file for file in state if file.is_present and file.status == "ignored"],
        reconciliation=reconciliation,
        rejected=_rejected(context, before, report, state, reconciliation, audit),
        held=context.ledger.held(),
        engine_started=builders.engine.is_started,
        seconds=context.seconds(),
    )


def _build_all(
    context: RunContext, before: _Before, builders: Builders, report: Report, *, full: bool
) -> tuple[Report, Sequence[LandedFile]]:
    """Read, plan and build; returns the report so far, and the landing files as they are afterwards."""
    landed = read_new_files(before.landing, context, before.scan)
    planned = _plan(context, before, landed.state, landed.new_files, builders, full=full)
    context.observer.planned(planned.buildable)
    recorder = Recorder(context, planned, before.state)
    describe(context, planned, recorder)
    fed = {name: stale for name, stale in planned.stale.items() if context.tables[name].is_landing}
    failed = execute(context, planned, fed, builders, recorder, landed.folders, landed.state, {})
    recorder.flush()
    files = to_remember(context, landed, before.files, failed)
    recorder.remember_files(files, before.files)
    others = {name: stale for name, stale in planned.stale.items() if name not in fed}
    execute(context, planned, others, builders, recorder, landed.folders, files, failed)
    recorder.flush()
    return _with_builds(context, report, landed, planned, recorder), landed.state


def _rejected(
    context: RunContext,
    before: _Before,
    report: Report,
    state: Sequence[LandedFile],
    reconciliation: Sequence[dict[str, Any]],
    audit: Audit | None,
) -> Sequence[Rejected]:
    if audit is None:
        return ()
    read_before = {file.file_hash for file in before.files if file.status == "ingested"}
    new_hashes = {file.file_hash for file in report.new_files} - read_before
    return audit(context.lakehouse.root, state, new_hashes, None if report.outcomes else reconciliation)


def _with_builds(context: RunContext, report: Report, landed: Landed, planned: Plan, recorder: Recorder) -> Report:
    return replace(
        report,
        planned=planned.buildable,
        outcomes=recorder.outcomes,
        described_anew=planned.described_anew,
        up_to_date=_up_to_date(context, planned),
        new_files=landed.new_files,
        newly_broken=landed.newly_broken,
    )


def _look(context: RunContext, chosen: list[str], *, full: bool) -> _Before:
    """What the lakehouse and the landing folder hold; reads no file whose size and time are known, starts no engine."""
    fingerprints = Fingerprints(context.lakehouse.root / SYNTAX_CACHE)
    code = Code.of(context.tables, chosen, context.settings.parameters(), fingerprints)
    ledger = context.ledger
    last = ledger.last_builds()
    # A model whose artifact is gone is trained again.
    in_use = [row for row in ledger.models() if row["is_current"] and is_stored(context.lakehouse.root / row["path"])]
    landing, files = open_landing(context, fingerprints), ledger.files()
    scan = scan_landing(landing, context, chosen, files, code, last, full=full)
    state = State(context.lakehouse, context.tables, last, in_use)
    return _Before(chosen, fingerprints, code, state, landing, files, scan)


def _plan(
    context: RunContext,
    before: _Before,
    files: Iterable[LandedFile],
    new_files: Iterable[LandedFile],
    builders: Builders,
    *,
    full: bool,
) -> Plan:
    # A file that vanished, moved or came back brings no rows, and yet may change what counts.
    written = {INGESTION_STATE.name} if set(files) != set(before.files) else set[str]()
    counts = Counter(str(file.target) for file in new_files)
    unavailable = _unavailable(context, before.chosen, builders)
    return plan(before.state, before.code, before.chosen, counts, written=written, unavailable=unavailable, full=full)


def _unavailable(context: RunContext, chosen: Iterable[str], builders: Builders) -> list[str]:
    """What needs Spark, was never built and cannot be built here."""
    for_child = [name for name in chosen if builders.goes_to_child(context.tables[name])]
    wanting = [name for name in for_child if not context.lakehouse.path(context.tables[name]).is_dir()]
    return wanting if wanting and builders.spark_problem() is not None else []


def _up_to_date(context: RunContext, planned: Plan) -> int:
    """How many of the chosen tables need no build."""
    built = [context.tables[name] for name in planned.chosen if name not in planned.stale]
    return sum(table.transform is not None and not table.is_model for table in built)


def _has_rows(context: RunContext) -> bool:
    return any(context.lakehouse.version(table) is not None for table in context.tables.values() if table.is_landing)


def _report(context: RunContext, builders: Builders) -> Report:
    values: dict[str, Any] = {
        "run_id": context.run_id,
        "engine": builders.engine.name,
        "engine_reason": builders.engine_reason,
        "started_at": context.started_at,
        "is_landing_missing": not context.settings.landing.is_dir(),
    }
    return Report(**values)


def _remove_staging(context: RunContext) -> None:
    shutil.rmtree(context.lakehouse.root / STAGING, ignore_errors=True)
