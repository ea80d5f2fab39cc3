"""What a run would do: which tables are stale and why, decided without starting an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse import delta
from lakehouse.delta import Change
from lakehouse.fingerprint import fingerprint
from lakehouse.graph import upstream_names
from lakehouse.ledger import Built
from lakehouse.table import Table, parameters_of


@dataclass(frozen=True)
class Stale:
    """A table to build: why, and whether all of it."""

    table: str
    why: str
    is_whole: bool


class Plan:
    """Staleness of the chosen tables: upstream versions and fingerprints against what each last consumed."""

    def __init__(
        self, root: Path, tables: Mapping[str, Table], chosen: list[str], last: Mapping[str, Built], values: Mapping[str, Any]
    ) -> None:
        self.root, self.tables, self.chosen, self.last = root, tables, chosen, last
        self.parameters = {name: parameters_of(tables[name], values) for name in chosen}
        self.fingerprints = {
            name: fingerprint(tables[name].module, self.parameters[name]) for name in chosen if tables[name].module
        }
        self.versions = {name: delta.version(root / t.layer / t.short_name) for name, t in tables.items()}

    def changes(self, name: str) -> dict[str, Change]:
        """Per upstream, what changed since the table last consumed it."""
        last = self.last.get(name)
        consumed = last.upstreams if last else {}
        changes = {}
        for upstream in upstream_names(self.tables[name]):
            declared, newest = self.tables[upstream], self.versions[upstream]
            if newest is None or upstream not in consumed:
                changes[upstream] = delta.EVERYTHING
            else:
                path = self.root / declared.layer / declared.short_name
                changes[upstream] = delta.change_since(path, consumed[upstream], newest)
        return changes

    def stale(self, new_files: Mapping[str, int], *, full: bool) -> dict[str, Stale]:
        """The chosen tables that have to be built, in order; `new_files` counts unread landing files per bronze table."""
        found: dict[str, Stale] = {}
        for name in self.chosen:
            declared = self.tables[name]
            if declared.transform is None:
                continue
            if (reason := self._reason(name, declared, new_files, found, full=full)) is not None:
                found[name] = Stale(name, *reason)
        return found

    def _reason(
        self, name: str, declared: Table, new_files: Mapping[str, int], found: Mapping[str, Stale], *, full: bool
    ) -> tuple[str, bool] | None:
        last = self.last.get(name)
        if self.versions[name] is None:
            return "new", True
        if declared.is_landing:
            files = new_files.get(declared.short_name, 0)
            return (f"{files} new file{'s' if files != 1 else ''}", False) if files else None
        if full or last is None or last.fingerprint != self.fingerprints[name]:
            return ("full rebuild" if full else "code or setting changed" if last else "no record of a build"), True
        upstreams = upstream_names(declared)
        if waiting := [f"{u} is rebuilt" for u in upstreams if u in found]:
            return waiting[0], False
        changed = [f"{u} changed" for u, change in self.changes(name).items() if change]
        return (changed[0], False) if changed else None
