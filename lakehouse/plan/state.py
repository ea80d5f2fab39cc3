"""What a lakehouse holds, as one run sees it: the version of every table, the model in use of every name, the last builds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from lakehouse.declare.table import Table
from lakehouse.plan.graph import upstream_names
from lakehouse.plan.model_ids import ancestors
from lakehouse.storage import changes
from lakehouse.storage.changes import EVERYTHING, NOTHING, Change
from lakehouse.storage.lakehouse import Lakehouse
from lakehouse.storage.ledger import HELD_KEYS, Built


def microseconds(moment: dt.datetime) -> int:
    """Microseconds since 1970."""
    return int((moment - dt.datetime.fromtimestamp(0, dt.timezone.utc)) / dt.timedelta(microseconds=1))


class State:
    """Versions are read once, when the run begins; what the run itself publishes replaces them."""

    def __init__(
        self,
        lakehouse: Lakehouse,
        tables: Mapping[str, Table],
        last: Mapping[str, Built],
        models: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """`last`: per table what its last successful build consumed; `models`: the rows of ops.models in use."""
        self.lakehouse, self.tables, self.last = lakehouse, tables, last
        self.models = {str(row["model"]): row for row in models}
        self.versions = {name: self._version(declared) for name, declared in tables.items()}
        self.pending = {name: built.pending for name, built in last.items() if built.pending}
        """By table, the listeners whose rows its last build left as they were."""

    def _version(self, declared: Table) -> int | None:
        """A table's Delta version; a model's is the time at which it was chosen, in microseconds."""
        if not declared.is_model:
            return self.lakehouse.version(declared)
        row = self.models.get(declared.short_name)
        return microseconds(row["chosen_at"]) if row else None

    def use(self, name: str, row: Mapping[str, Any]) -> None:
        """Count with this row of ops.models from now on."""
        self.models[self.tables[name].short_name] = row
        self.versions[name] = self._version(self.tables[name])

    def refresh(self, name: str) -> None:
        """Count with the newest version of a table that the run has just written."""
        self.versions[name] = self._version(self.tables[name])

    def model_ids(self, names: Iterable[str]) -> dict[str, str]:
        """By full name, the id in use of each of the names that is a model in use."""
        models = [name for name in names if self.tables[name].is_model and self.versions[name] is not None]
        return {name: str(self.models[self.tables[name].short_name]["model_id"]) for name in models}

    def upstream_versions(self, declared: Table) -> dict[str, int]:
        """The versions of the upstreams that are there."""
        versions = {name: self.versions[name] for name in upstream_names(declared)}
        return {name: version for name, version in versions.items() if version is not None}

    def withheld(self, name: str) -> frozenset[str]:
        """Listeners whose rows a build leaves as they are, as a table that it reads has not brought theirs up to date."""
        declared = self.tables[name]
        if not declared.holds_listeners:
            return frozenset()
        return frozenset().union(*[self.pending.get(upstream, frozenset()) for upstream in upstream_names(declared)])

    def retried(self, name: str) -> frozenset[str]:
        """Listeners whose rows the last build left as they were, and whom nothing upstream holds back now."""
        return self.pending.get(name, frozenset()) - self.withheld(name)

    def consumed(self, name: str) -> dict[str, int]:
        """Per upstream, a version with the rows that the table consumed last, the newest one that there is."""
        last = self.last.get(name)
        versions = dict(last.upstreams) if last else {}
        for upstream, version in versions.items():
            other, newest = self.tables.get(upstream), self.versions.get(upstream)
            if other is not None and newest is not None and not other.is_model:
                versions[upstream] = changes.unchanged_until(self.lakehouse.path(other), version, newest)
        return versions

    def changes(self, name: str) -> dict[str, Change]:
        """Per upstream, what changed since the table last consumed it."""
        declared, last = self.tables[name], self.last.get(name)
        consumed = last.upstreams if last else {}
        return {upstream: self._change(declared, upstream, consumed) for upstream in upstream_names(declared)}

    def _change(self, declared: Table, upstream: str, consumed: Mapping[str, int]) -> Change:
        other, newest = self.tables[upstream], self.versions[upstream]
        if newest is None and upstream not in consumed and other.short_name in declared.optional:
            return NOTHING
        if other.is_model:
            return NOTHING if newest == consumed.get(upstream) else EVERYTHING
        if newest is None or upstream not in consumed:
            return EVERYTHING
        change = changes.change_since(self.lakehouse.path(other), consumed[upstream], newest)
        if upstream == HELD_KEYS.name and change.keys is not None:
            # Who is held back elsewhere is nothing to a table.
            return Change(change.keys & ancestors(declared.name, self.tables))
        return change
