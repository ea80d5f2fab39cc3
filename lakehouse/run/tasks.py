"""From a stale table to the task that builds it: everything the building process needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lakehouse.build.task import Task
from lakehouse.declare.table import Table
from lakehouse.plan.graph import optional_names, upstream_names
from lakehouse.plan.model_ids import ancestors, model_id
from lakehouse.plan.staleness import Plan, Stale
from lakehouse.plan.state import State
from lakehouse.run.context import RunContext
from lakehouse.run.scan import replaced_hashes
from lakehouse.storage import delta
from lakehouse.storage.landed_files import LandedFile


def task_for(
    stale: Stale, context: RunContext, plan: Plan, state: State, folders: Mapping[str, Path], files: Iterable[LandedFile]
) -> Task:
    """The task that builds a stale table now. `folders` holds the staged rows of bronze tables, `files` the landing files.

    Raises FileNotFoundError for an upstream that was never built and that the table cannot do without.
    """
    declared = context.tables[stale.table]
    missing = [name for name in upstream_names(declared) if state.versions[name] is None]
    if missing := [name for name in missing if name not in optional_names(declared)]:
        raise FileNotFoundError(f"{missing[0]} has never been built")
    folder = folders.get(declared.short_name) if declared.is_landing else None
    return Task(
        table=declared.name,
        why=stale.why,
        run_id=context.run_id,
        started_at=context.started_at.isoformat(),
        parameters=plan.code.parameters[declared.name],
        upstreams=state.upstream_versions(declared),
        changes={name: change.to_json() for name, change in state.changes(declared.name).items()},
        consumed=state.consumed(declared.name),
        is_whole=stale.is_whole,
        fingerprint=plan.code.fingerprints[declared.name],
        models=state.model_ids(upstream_names(declared)),
        model_id=_id_of(declared, context, plan, state, files) if declared.is_model else None,
        landed=str(folder) if folder else None,
        replaced_files=_replaced(context, declared, folder) if folder else (),
        retried=sorted(state.retried(declared.name)),
        withheld=sorted(state.withheld(declared.name)),
        listeners=len({file.listener for file in files if file.status == "ingested"}),
    )


def _id_of(declared: Table, context: RunContext, plan: Plan, state: State, files: Iterable[LandedFile]) -> str:
    ids = state.model_ids(ancestors(declared.name, context.tables))
    return model_id(declared.name, context.tables, plan.code.fingerprints, files, ids)


def _replaced(context: RunContext, declared: Table, folder: Path) -> tuple[str, ...]:
    """Hashes of the new files if bronze holds rows of any of them already (re-read, or a run that was killed)."""
    hashes = replaced_hashes(folder)
    return tuple(hashes) if delta.holds_any(context.lakehouse.path(declared), "file_hash", hashes) else ()
