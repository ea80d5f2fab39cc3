"""Building one table: read pinned upstreams, compute once to staging, check what was written, publish in one commit."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.build import diff, left_out, quality
from lakehouse.build.batched_aggregates import Figures, ask, question
from lakehouse.build.commits import Commits
from lakehouse.build.held_listeners import WholeTableError, none_of
from lakehouse.build.inputs import Reader, arguments, landed_rows, one_of, touched_keys
from lakehouse.build.left_out import Replaced
from lakehouse.build.quality import CheckResult
from lakehouse.build.task import Outcome, Task
from lakehouse.build.training import train
from lakehouse.declare.table import LINEAGE, REGISTRY, Table, check_columns, enforce
from lakehouse.engine.base import Engine
from lakehouse.storage import changes, delta, publishing
from lakehouse.storage.changes import EVERYTHING, Change
from lakehouse.storage.lakehouse import Lakehouse
from lakehouse.storage.publishing import Publication

# From here on counting rows first is cheaper than hashing them all.
LARGE_ROWS = 20_000
# From here on it is worth a query to find that rows were only added, so that no file has to be written again.
LARGE_REST = 200_000


@dataclass(frozen=True)
class Judgement:
    """What was seen of the new rows: what they change, what the rules say, how many rows they replace (None: no table yet).

    `recorded` is the part of the change that tables depend on: all of it, save for new keys of a lookup.
    """

    change: Change
    recorded: Change
    checks: list[CheckResult]
    rows: int
    replaced_rows: int | None

    @property
    def violations(self) -> str | None:
        """What the FAIL rules say; None where none is broken."""
        failed = [check for check in self.checks if check.status == "FAIL"]
        return "; ".join(f"{c.rule}: {c.violations} of {c.rows}{f' ({c.detail})' if c.detail else ''}" for c in failed) or None


class Builder:
    """Builds tables of the lakehouse at `root` with one engine."""

    def __init__(self, root: Path, engine: Engine, commits: Commits | None = None) -> None:
        self.lakehouse, self.engine, self.commits = Lakehouse(root), engine, commits or Commits()
        self._reader: Reader | None = None

    def build(self, task: Task) -> Outcome:
        """Build a table: built, unchanged, up to date, or refused by a FAIL rule; or train a model."""
        began = time.perf_counter()
        declared, reader = REGISTRY[task.table], self._session_reader()
        upstreams = reader.upstreams(task)
        if declared.is_model:
            return train(reader, declared, task, upstreams, self.engine.name)
        keys = touched_keys(reader, declared, task)
        if keys is not None and not keys:
            outcome = Outcome(task.table, "up to date")
        else:
            staged = self.lakehouse.staging(task.run_id) / declared.name
            try:
                outcome = self._compute(reader, declared, task, upstreams, keys, staged)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
        return replace(
            outcome,
            keys=None if keys is None else len(keys),
            engine=self.engine.name,
            version=outcome.version if outcome.version is not None else self.lakehouse.version(declared),
            seconds=time.perf_counter() - began,
        )

    def _session_reader(self) -> Reader:
        """One reader for the session, which starts with the first task. Raises EngineError."""
        session = self.engine.session()
        if self._reader is None or self._reader.session is not session:
            self._reader = Reader(self.lakehouse, session)
        return self._reader

    def _compute(
        self,
        reader: Reader,
        declared: Table,
        task: Task,
        upstreams: Mapping[str, DataFrame],
        keys: frozenset[str] | None,
        staged: Path,
    ) -> Outcome:
        """Compute the rows to `staged`, judge them, and publish what is fine if it changes anything."""
        _write_rows(declared, _transformed(reader, declared, task, upstreams, keys), task, staged)
        new = reader.staged(declared, staged)
        replaced = _replaced(declared, task, keys)
        old = self._old(reader, declared, replaced)
        tried = old if old is None or not task.withheld else old.where(none_of(task.withheld))
        total_rows = 0 if old is None else self.lakehouse.row_total(declared)
        is_keyed = keys is not None or declared.is_landing
        judged = _judge(declared, new, tried, upstreams, task, staged, is_keyed=is_keyed, total_rows=total_rows)
        outcome = Outcome(task.table, "unchanged", rows=judged.rows, checks=tuple(judged.checks))
        try:
            held = left_out.held_back(reader, declared, task, new, upstreams, judged.checks)
        except WholeTableError as error:
            # Rows of others may want keys of listeners who are held back upstream, although no rule is broken among the new rows.
            reasons = [*filter(None, [judged.violations]), str(error)]
            return replace(outcome, status="refused", error="; ".join(reasons))
        if judged.violations and not held:
            return replace(outcome, status="refused", error=judged.violations)
        outcome = replace(outcome, held=tuple(held))
        left = frozenset({*task.withheld, *[one.user_id for one in held]})
        is_by_listener = keys is not None and declared.scope == "user"
        if keys is not None and is_by_listener:
            keys -= left
            if not keys:
                return outcome
        if held or (left and not is_by_listener):
            replaced = _replaced(declared, task, keys)
            staged = _write_beside(staged, "others", left_out.without(reader, declared, new, replaced, left))
            new, old = reader.staged(declared, staged), self._old(reader, declared, replaced)
            others = replace(declared, rules=())
            judged = _judge(others, new, old, {}, task, staged, is_keyed=keys is not None, total_rows=total_rows)
        return self._publish(declared, task, keys, replaced, staged, new, old, judged, outcome)

    def _publish(
        self,
        declared: Table,
        task: Task,
        keys: frozenset[str] | None,
        replaced: Replaced | None,
        staged: Path,
        new: DataFrame,
        old: DataFrame | None,
        judged: Judgement,
        outcome: Outcome,
    ) -> Outcome:
        """Publish the staged rows where they change anything; returns the outcome with the version."""
        if not judged.change:
            return outcome
        append = bool(task.landed) and not task.replaced_files
        if keys is not None and old is not None and self._only_grows(declared, new, old, judged):
            added = diff.missing_from(old, new, declared).select(*delta.types_of(declared))
            staged = _write_beside(staged, "added", added)
            append = True
        metadata = changes.metadata_of(declared, judged.recorded, task.run_id, task.upstreams)
        how = Publication(delta.quoted_in(*replaced) if replaced else None, metadata, append, judged.replaced_rows)
        with self.commits.commit():
            self.engine.publish(self.lakehouse.path(declared), declared, staged, how)
            # A table that is overwritten keeps the description it was created with.
            version = publishing.describe(self.lakehouse.path(declared), declared, task.run_id)
        return replace(outcome, status="built", version=version)

    def _old(self, reader: Reader, declared: Table, replaced: Replaced | None) -> DataFrame | None:
        """The rows that the result replaces; None where there is nothing to compare with."""
        version = self.lakehouse.version(declared)
        if version is None or not delta.same_schema(self.lakehouse.path(declared), declared):
            return None
        old = reader.table(declared, version)
        if replaced is not None:
            # As a Column: the embedded engine loses doubled quotes in SQL text.
            return old.where(one_of(*replaced))
        return old.limit(0) if declared.is_landing else old

    def _only_grows(self, declared: Table, new: DataFrame, old: DataFrame, judged: Judgement) -> bool:
        """Whether every replaced row of a large table is among the new ones, which then need only be added."""
        if judged.replaced_rows is None or judged.rows <= judged.replaced_rows:
            return False
        if self.lakehouse.row_total(declared) - judged.replaced_rows < LARGE_REST:
            return False
        lost = question(diff.missing_from(new, old, declared), [F.count("*")])
        return ask({"lost": lost})["lost"][None] == [0]


def _transformed(
    reader: Reader, declared: Table, task: Task, upstreams: Mapping[str, DataFrame], keys: frozenset[str] | None
) -> DataFrame:
    if declared.is_landing:
        landed: DataFrame = declared.run(landed=landed_rows(reader, declared, task))
        return landed
    result: DataFrame = declared.run(**arguments(reader, declared, task, upstreams, keys), **task.parameters)
    if keys is not None:
        result = result.where(one_of(declared.scope_column, keys))
    return result.where(none_of(task.withheld)) if task.withheld else result


def _write_rows(declared: Table, result: DataFrame, task: Task, staged: Path) -> None:
    """Write the declared columns and lineage; these files become the table's where they replace whole files of it."""
    started_at = F.lit(dt.datetime.fromisoformat(task.started_at)).cast("timestamp")
    lined = enforce(declared, result).withColumns(dict(zip(LINEAGE, (F.lit(task.run_id), started_at), strict=True)))
    try:
        _write(lined, staged)
    except AnalysisException:
        # Asked only now: it is a question to the engine for each table.
        check_columns(declared, result)
        raise


def _write_beside(staged: Path, name: str, rows: DataFrame) -> Path:
    """Write a part of the staged rows to a folder beside them; returns it."""
    folder = staged.with_name(f"{staged.name}-{name}")
    _write(rows, folder)
    return folder


def _write(rows: DataFrame, folder: Path) -> None:
    rows.write.mode("overwrite").option("compression", "snappy").parquet(str(folder))


def _replaced(declared: Table, task: Task, keys: Iterable[str] | None) -> Replaced | None:
    """Column and values of the rows that the result replaces; None for all rows (for none, where files are appended)."""
    if task.landed:
        return ("file_hash", task.replaced_files) if task.replaced_files else None
    return None if keys is None or declared.scope_column is None else (declared.scope_column, keys)


def _judge(
    declared: Table,
    new: DataFrame,
    old: DataFrame | None,
    upstreams: Mapping[str, DataFrame],
    task: Task,
    staged: Path,
    *,
    is_keyed: bool,
    total_rows: int,
) -> Judgement:
    """What the new rows change, and what the rules say of them. One query; two or three for large or whole tables.

    `total_rows` are those of the table now.
    """
    questions: dict[str, Any] = quality.questions(declared, new, upstreams)
    now = dt.datetime.fromisoformat(task.started_at)
    if old is None:
        answers = ask(questions)
        checks = quality.judge(declared, answers, new, now, None)
        return Judgement(EVERYTHING, EVERYTHING, checks, diff.total(answers[quality.ROWS]), None)
    by = declared.scope_column if is_keyed else None
    sides = {"old": old, "new": new}
    counted: dict[str, dict[str | None, Figures]] = {}
    if delta.staged_rows(staged) > LARGE_ROWS:
        counted = ask({side: diff.counted(rows, by) for side, rows in sides.items()})
    # Where the number of rows tells of every key that it changed, content need not be compared.
    if not counted or len(diff.differing(counted["old"], counted["new"])) < len(counted["old"].keys() | counted["new"].keys()):
        questions |= {side: diff.digested(rows, declared, by) for side, rows in sides.items()}
    answers = counted | ask(questions)
    replaced_rows = diff.total(answers["old"])
    others = max(total_rows - replaced_rows, 0)
    checks, rows = quality.judge(declared, answers, new, now, replaced_rows, others), diff.total(answers[quality.ROWS])
    keys = diff.differing(answers["old"], answers["new"])
    if not keys or by is not None:
        change = Change(frozenset(str(key) for key in keys))
        recorded = Change(frozenset(str(key) for key in keys & answers["old"].keys())) if declared.is_lookup else change
    elif declared.is_lookup:
        change, recorded = EVERYTHING, diff.changed_keys(declared, old, new, how="inner")
    else:
        change = recorded = diff.changed_keys(declared, old, new)
    return Judgement(change, recorded, checks, rows, replaced_rows)
