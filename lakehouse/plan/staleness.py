"""What a run would do: which tables are stale and why, decided without starting an engine."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.declare.table import Table, parameters_of
from lakehouse.plan.fingerprint import fingerprint
from lakehouse.plan.graph import awaited_names, optional_names, upstream_names
from lakehouse.storage import delta
from lakehouse.storage.delta import Change
from lakehouse.storage.ledger import Built


def microseconds(moment: dt.datetime) -> int:
    """Microseconds since 1970."""
    return int((moment - dt.datetime.fromtimestamp(0, dt.timezone.utc)) / dt.timedelta(microseconds=1))


@dataclass(frozen=True)
class Stale:
    """A table to build: why, and whether all of it."""

    table: str
    why: str
    is_whole: bool


class Plan:
    """Staleness of the chosen tables: upstream versions and fingerprints against what each last consumed."""

    def __init__(
        self,
        root: Path,
        tables: Mapping[str, Table],
        chosen: list[str],
        last: Mapping[str, Built],
        values: Mapping[str, Any],
        models: Mapping[str, Mapping[str, Any]] | None = None,
        unavailable: Collection[str] = (),
    ) -> None:
        """`models`: the rows of ops.models in use, by name; `unavailable`: what cannot be built here, as Java is missing."""
        self.root, self.tables, self.chosen, self.last = root, tables, chosen, last
        self.models, self.unavailable = dict(models or {}), unavailable
        self.parameters = {name: parameters_of(tables[name], values) for name in chosen}
        self.fingerprints = {
            name: fingerprint(tables[name].module, self.parameters[name]) for name in chosen if tables[name].module
        }
        self.versions = {name: self._version(t) for name, t in tables.items()}

    def _version(self, declared: Table) -> int | None:
        """A table's Delta version; a model's is the time at which it was chosen, in microseconds."""
        if not declared.is_model:
            return delta.version(self.root / declared.layer / declared.short_name)
        row = self.models.get(declared.short_name)
        return microseconds(row["chosen_at"]) if row else None

    def use(self, name: str, row: Mapping[str, Any]) -> None:
        """Count with this row of ops.models from now on."""
        self.models[self.tables[name].short_name] = row
        self.versions[name] = self._version(self.tables[name])

    def changes(self, name: str) -> dict[str, Change]:
        """Per upstream, what changed since the table last consumed it."""
        last = self.last.get(name)
        consumed = last.upstreams if last else {}
        changes = {}
        for upstream in upstream_names(self.tables[name]):
            declared, newest = self.tables[upstream], self.versions[upstream]
            if newest is None and upstream not in consumed and declared.short_name in self.tables[name].optional:
                changes[upstream] = delta.NOTHING
            elif declared.is_model:
                changes[upstream] = delta.NOTHING if newest == consumed.get(upstream) else delta.EVERYTHING
            elif newest is None or upstream not in consumed:
                changes[upstream] = delta.EVERYTHING
            else:
                path = self.root / declared.layer / declared.short_name
                changes[upstream] = delta.change_since(path, consumed[upstream], newest)
        return changes

    def stale(self, new_files: Mapping[str, int], written: Collection[str] = (), *, full: bool) -> dict[str, Stale]:
        """The chosen tables that have to be built, in order.

        `new_files` counts unread landing files per bronze table; `written` are the kernel's own tables that change in this run.
        """
        found: dict[str, Stale] = {}
        for name in self.chosen:
            declared = self.tables[name]
            if declared.transform is None:
                continue
            if (reason := self._reason(name, declared, new_files, {*found, *written}, full=full)) is not None:
                found[name] = Stale(name, *reason)
        return found

    def _reason(
        self, name: str, declared: Table, new_files: Mapping[str, int], found: Collection[str], *, full: bool
    ) -> tuple[str, bool] | None:
        last = self.last.get(name)
        if self.versions[name] is None:
            return "new", True
        if declared.is_landing:
            files = new_files.get(declared.short_name, 0)
            return (f"{files} new file{'s' if files != 1 else ''}", False) if files else None
        if full or last is None or last.fingerprint != self.fingerprints[name]:
            return ("full rebuild" if full else "code or setting changed" if last else "no record of a build"), True
        needed = set(upstream_names(declared)) - optional_names(declared)
        upstreams = [u for u in awaited_names(declared) if u in needed or u not in self.unavailable]
        if waiting := [f"{u} is rebuilt" for u in upstreams if u in found]:
            return waiting[0], False
        changed = [f"{u} changed" for u, change in self.changes(name).items() if change]
        return (changed[0], False) if changed else None

    def worth_training(self, name: str, now: dt.datetime) -> str | None:
        """Why a model whose upstreams changed is to be trained again; None where its policy says not yet.

        Rows of the upstream tables are counted in their logs, against those of the last training.
        """
        declared = self.tables[name]
        if (row := self.models.get(declared.short_name)) is None or declared.retrain is None:
            return "new"
        policy, then, versions = declared.retrain, json.loads(row["upstream_rows"]), json.loads(row["upstreams"])
        for upstream in upstream_names(declared):
            other = self.tables[upstream]
            if other.is_model:
                if versions.get(upstream) != self.versions[upstream]:
                    return f"{upstream} was trained"
                continue
            rows, before = delta.row_total(self.root / other.layer / other.short_name), then.get(upstream, 0)
            if abs(rows - before) > policy.share * before:
                return f"{upstream} has {rows:,} rows, {before:,} at the last training"
        age = (now - row["created_at"]).days
        return f"{age} days old" if age > policy.days else None
