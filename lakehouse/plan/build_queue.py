"""Whose turn it is: which stale tables of a run can be built now, and which never will."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from lakehouse.declare.table import Table
from lakehouse.plan import graph
from lakehouse.plan.staleness import Stale


class BuildQueue:
    """The order of builds. A table's turn comes when all that it waits for had theirs and a builder is free.

    What most waits for goes first, so that the last tables do not wait for one long one. Tables that need Spark have a builder
    of their own, the child process; all others share `workers`. Until the tables of `early` are done, nothing else has a turn
    but in the child.
    """

    def __init__(
        self,
        stale: Mapping[str, Stale],
        tables: Mapping[str, Table],
        seconds: Mapping[str, float],
        failed: Mapping[str, str],
        workers: int,
        goes_to_child: Callable[[str], bool],
        early: Collection[str] = (),
    ) -> None:
        """`stale`: upstreams first; `seconds`: what each table took last; `failed`: what was not built, with its status."""
        self.tables, self.workers, self.goes_to_child = tables, workers, goes_to_child
        urgent = graph.urgency(stale, seconds)
        self.early = early
        self.waiting = {name: stale[name] for name in sorted(stale, key=lambda name: -urgent[name])}
        self.running = set[str]()
        self.failed = dict(failed)

    def blocked(self) -> Iterator[tuple[Stale, str]]:
        """Tables that will have no turn, each with the upstream that was not built and that they cannot do without."""
        for name in list(self.waiting):
            optional = graph.optional_names(self.tables[name])
            missing = [u for u in graph.upstream_names(self.tables[name]) if u in self.failed and u not in optional]
            if missing:
                self.failed[name] = "not built" if self.failed[missing[0]] == "not built" else "blocked"
                yield self.waiting.pop(name), missing[0]

    def next(self) -> Iterator[Stale]:
        """Tables whose turn it is, the most urgent first; each starts at once, as in a queue it could not be overtaken."""
        for name in list(self.waiting):
            if self._is_ready(name) and self._has_room(name):
                self.running.add(name)
                yield self.waiting.pop(name)

    def ended(self, name: str, failure: str | None) -> None:
        """A table had its turn; `failure` is its status if it was not built."""
        self.running.remove(name)
        if failure is not None:
            self.failed[name] = failure

    def _is_ready(self, name: str) -> bool:
        unfinished = {*self.waiting, *self.running}
        is_its_time = name in self.early or self.goes_to_child(name) or not any(u in self.early for u in unfinished)
        return is_its_time and not any(u in unfinished for u in graph.awaited_names(self.tables[name]))

    def _has_room(self, name: str) -> bool:
        is_for_child = self.goes_to_child(name)
        beside = sum(self.goes_to_child(other) == is_for_child for other in self.running)
        return beside < (1 if is_for_child else self.workers)
