"""What a run has to build: which tables are stale and why, decided without starting an engine."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lakehouse.declare.table import Table, parameters_of
from lakehouse.plan.fingerprint import Fingerprints, metadata_fingerprint
from lakehouse.plan.graph import awaited_names, optional_names, upstream_names
from lakehouse.plan.state import State
from lakehouse.storage.ledger import Built


@dataclass(frozen=True)
class Stale:
    """A table to build: why, and whether all of it."""

    table: str
    why: str
    is_whole: bool


@dataclass(frozen=True)
class Code:
    """What the tables of a run are made by: parameter values and fingerprints, by full name."""

    parameters: Mapping[str, Mapping[str, Any]]
    fingerprints: Mapping[str, str]

    @staticmethod
    def of(tables: Mapping[str, Table], chosen: Collection[str], values: Mapping[str, Any], fingerprints: Fingerprints) -> Code:
        """The code of the chosen tables. Raises DeclarationError for a parameter that no setting provides."""
        parameters = {name: parameters_of(tables[name], values) for name in chosen}
        by_code = {name: tables[name].module for name in chosen if tables[name].module}
        values_of = {name: parameters[name] | tables[name].constants for name in by_code}
        return Code(parameters, {name: fingerprints.of(module, values_of[name]) for name, module in by_code.items()})


@dataclass(frozen=True)
class Plan:
    """What a run will do: tables to build in order, tables whose comments changed, and what cannot be built here."""

    chosen: tuple[str, ...]
    code: Code
    stale: Mapping[str, Stale]
    described_anew: tuple[str, ...] = ()
    unavailable: frozenset[str] = field(default_factory=frozenset)

    @property
    def buildable(self) -> list[Stale]:
        """What is to be built and can be."""
        return [one for name, one in self.stale.items() if name not in self.unavailable]


def plan(
    state: State,
    code: Code,
    chosen: Collection[str],
    new_files: Mapping[str, int],
    *,
    written: Collection[str] = (),
    unavailable: Collection[str] = (),
    full: bool = False,
) -> Plan:
    """Decide what of the chosen tables (upstreams first) a run has to do.

    `new_files` counts unread landing files per bronze table, `written` names the kernel's own tables that change in this run,
    `unavailable` what cannot be built here, as Java is missing.
    """
    stale: dict[str, Stale] = {}
    for name in chosen:
        if state.tables[name].transform is None:
            continue
        reason = _reason(state, code, name, new_files, {*stale, *written}, unavailable, full=full)
        if reason is not None:
            stale[name] = Stale(name, *reason)
    # What cannot be built here is reported with other work; alone it is no reason for a run.
    stale = stale if stale.keys() - set(unavailable) else {}
    described_anew = [name for name in chosen if _is_described_otherwise(state, name) and not _is_whole(stale.get(name))]
    return Plan(tuple(chosen), code, stale, tuple(described_anew), frozenset(unavailable))


def _is_whole(stale: Stale | None) -> bool:
    return stale is not None and stale.is_whole


def _is_described_otherwise(state: State, name: str) -> bool:
    """Whether the comments of a built table are others than at its last build; of an older version's build nobody knows."""
    last, declared = state.last.get(name), state.tables[name]
    if last is None or declared.is_model or state.versions[name] is None:
        return False
    return last.metadata != metadata_fingerprint(declared)


def _reason(
    state: State,
    code: Code,
    name: str,
    new_files: Mapping[str, int],
    stale: Collection[str],
    unavailable: Collection[str],
    *,
    full: bool,
) -> tuple[str, bool] | None:
    """Why a table is stale, and whether all of it is; None where it is not."""
    declared, last = state.tables[name], state.last.get(name)
    if state.versions[name] is None:
        return "new", True
    if declared.is_landing:
        files = new_files.get(declared.short_name, 0)
        return (f"{files} new file{'s' if files != 1 else ''}", False) if files else None
    if full or last is None or last.fingerprint != code.fingerprints[name]:
        return ("full rebuild" if full else _why_whole(last)), True
    needed = set(upstream_names(declared)) - optional_names(declared)
    upstreams = [u for u in awaited_names(declared) if u in needed or u not in unavailable]
    if waiting := [f"{u} is rebuilt" for u in upstreams if u in stale]:
        return waiting[0], False
    changed = [f"{u} changed" for u, change in state.changes(name).items() if change]
    if not changed and (retried := len(state.retried(name))):
        return f"{retried:,} listener{'s' if retried != 1 else ''} held back before", False
    return (changed[0], False) if changed else None


def _why_whole(last: Built | None) -> str:
    if last is None:
        return "no record of a build"
    return "code or setting changed" if last.fingerprint else "a listener was forgotten"


def worth_training(state: State, name: str, now: dt.datetime) -> str | None:
    """Why a model whose upstreams changed is to be trained again; None where its policy says not yet.

    Rows of the upstream tables are counted in their logs, against those of the last training.
    """
    declared = state.tables[name]
    if (row := state.models.get(declared.short_name)) is None or declared.retrain is None:
        return "new"
    rows_then, learned_from = json.loads(row["upstream_rows"]), json.loads(row["upstreams"])
    ids = state.model_ids(upstream_names(declared))
    for upstream in upstream_names(declared):
        if state.tables[upstream].is_model:
            # An older version of this project noted a time, which says nothing of what the model was.
            if isinstance(learned_from.get(upstream), str | None) and learned_from.get(upstream) != ids.get(upstream):
                return f"{upstream} was trained"
            continue
        rows, before = state.lakehouse.row_total(state.tables[upstream]), rows_then.get(upstream, 0)
        if abs(rows - before) > declared.retrain.share * before:
            return f"{upstream} has {rows:,} rows, {before:,} at the last training"
    age = (now - row["created_at"]).days
    return f"{age} days old" if age > declared.retrain.days else None
