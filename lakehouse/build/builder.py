"""Building one table: read pinned upstreams, compute once to staging, check what was written, publish in one commit."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.build import diff as compare
from lakehouse.build import quality
from lakehouse.build.batched_aggregates import Figures, ask, question
from lakehouse.build.diff import MAX_KEYS
from lakehouse.build.quality import CheckResult
from lakehouse.declare.model import Fitted, Model
from lakehouse.declare.table import LINEAGE, REGISTRY, Table, check_columns, enforce
from lakehouse.engine.base import Engine
from lakehouse.plan.graph import upstream_names
from lakehouse.storage import delta
from lakehouse.storage.artifacts import model_id, store
from lakehouse.storage.delta import EVERYTHING, NOTHING, Change, Publication

# From here on counting rows first is cheaper than hashing them all.
LARGE_ROWS = 20_000
# From here on it is worth a query to find that rows were only added, so that no file has to be written again.
LARGE_REST = 200_000


@dataclass(frozen=True)
class Task:
    """What is to be built: everything a process needs to know, as JSON-able values."""

    table: str
    why: str
    run_id: str
    started_at: str
    parameters: Mapping[str, Any]
    upstreams: Mapping[str, int]
    changes: Mapping[str, list[str] | None]
    """Per upstream, the keys that changed since the table last consumed it; None for all."""
    consumed: Mapping[str, int]
    """Per upstream, the version the table consumed last."""
    is_whole: bool
    fingerprint: str = ""
    models: Mapping[str, str] = field(default_factory=dict)
    """Id of each upstream model, by full name."""
    landed: str | None = None
    replaced_files: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What became of a task."""

    table: str
    status: str
    seconds: float = 0.0
    version: int | None = None
    keys: int | None = None
    rows: int | None = None
    error: str | None = None
    engine: str = ""
    checks: list[CheckResult] = field(default_factory=list)
    model: dict[str, Any] | None = None
    """The row of ops.models of a model that was trained, without its times."""

    @property
    def is_model(self) -> bool:
        return REGISTRY[self.table].is_model

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> Outcome:
        return Outcome(**{**content, "checks": [CheckResult(**check) for check in content["checks"]]})


class Builder:
    """Builds tables of the lakehouse at `root` with one engine."""

    def __init__(self, root: Path, engine: Engine) -> None:
        self.root, self.engine = root, engine
        self._frames: dict[tuple[str, int], DataFrame] = {}

    def path(self, declared: Table) -> Path:
        return self.root / declared.layer / declared.short_name

    def build(self, task: Task) -> Outcome:
        """Build a table: built, unchanged, up to date, or refused by a FAIL rule; or train a model."""
        began = time.perf_counter()
        declared = REGISTRY[task.table]
        session = self.engine.session()
        tables = {name: version for name, version in task.upstreams.items() if name not in task.models}
        upstreams = {name: self._read(session, REGISTRY[name], version) for name, version in tables.items()}
        if declared.is_model:
            return self._train(session, declared, task, upstreams)
        keys = None if task.is_whole or task.landed else self._touched(session, declared, task)
        outcome = Outcome(task.table, "up to date", keys=None if keys is None else len(keys), engine=self.engine.name)
        if keys is None or keys:
            staged = self.root / "_staging" / task.run_id / declared.name
            try:
                self._compute(session, declared, task, upstreams, keys, staged, outcome)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
        if outcome.version is None:
            outcome.version = delta.version(self.path(declared))
        outcome.seconds = time.perf_counter() - began
        return outcome

    def _train(self, session: SparkSession, declared: Table, task: Task, upstreams: Mapping[str, DataFrame]) -> Outcome:
        """Train the model and store its artifact; a model of the same code and upstream versions has the same id."""
        began = time.perf_counter()
        chosen = model_id(declared.short_name, task.fingerprint, task.upstreams)
        fitted: Fitted = declared.run(**self._inputs(session, declared, task, upstreams, None), **task.parameters)
        folder = self.path(declared) / chosen
        store(fitted, folder)
        seconds = time.perf_counter() - began
        told = {name: getattr(fitted, name) for name in ("parameters", "splits", "metrics", "diagnostics")}
        row = {
            **{name: json.dumps(content, sort_keys=True, allow_nan=False) for name, content in told.items()},
            "model_id": chosen,
            "model": declared.short_name,
            "kind": declared.kind,
            "upstreams": delta.to_json(task.upstreams),
            "upstream_rows": json.dumps({name: delta.row_total(self.path(REGISTRY[name])) for name in upstreams}),
            "fingerprint": task.fingerprint,
            "engine": self.engine.name,
            "seconds": seconds,
            "path": str(folder.relative_to(self.root)),
        }
        return Outcome(task.table, "built", seconds, engine=self.engine.name, model=row)

    def _read(self, session: SparkSession, declared: Table, version: int) -> DataFrame:
        # Kept for the run: Spark works out the state of a pinned version anew for every frame.
        if (declared.name, version) not in self._frames:
            frame = session.read.format("delta").option("versionAsOf", version).load(str(self.path(declared)))
            self._frames[declared.name, version] = frame
        return self._frames[declared.name, version]

    def _touched(self, session: SparkSession, declared: Table, task: Task) -> frozenset[str] | None:
        """The keys to recompute, from what changed upstream; None for all of them, none where nothing changed."""
        if not any(Change.from_json(changed) for changed in task.changes.values()):
            return frozenset()
        if declared.scope_column is None:
            return None
        total = NOTHING
        for name, changed in task.changes.items():
            change, upstream = Change.from_json(changed), REGISTRY[name]
            if not change:
                continue
            if change.keys is not None and upstream.scope_column != declared.scope_column:
                change = self._mapped(session, declared, task, upstream, change.keys)
            total |= change
        return None if total.keys is None or len(total.keys) > MAX_KEYS else total.keys

    def _mapped(self, session: SparkSession, declared: Table, task: Task, upstream: Table, keys: frozenset[str]) -> Change:
        """An upstream's changed keys as this table's, told by `touches` from the rows as they were and as they are."""
        touches = declared.touches.get(upstream.short_name)
        if touches is None or declared.scope_column is None:
            return EVERYTHING
        function, short_name = touches
        listed = F.array(*[F.lit(key) for key in sorted(keys)])
        changed = session.range(1).select(F.explode(listed).alias(str(upstream.scope_column)))
        other = next(name for name in task.upstreams if REGISTRY[name].short_name == short_name)
        types_of_other = delta.types_of(REGISTRY[other])
        touched: set[str] = set()
        for version in {task.upstreams[other], task.consumed.get(other, task.upstreams[other])}:
            candidates = self._read(session, REGISTRY[other], version)
            if upstream.scope_column in types_of_other:
                # Files that hold none of the keys are then not read.
                candidates = candidates.where(one_of(upstream.scope_column, keys))
            rows = function(changed, candidates).limit(MAX_KEYS + 1).collect()
            touched |= {row[0] for row in rows}
        return EVERYTHING if len(touched) > MAX_KEYS else Change(frozenset(touched))

    def _compute(
        self,
        session: SparkSession,
        declared: Table,
        task: Task,
        upstreams: Mapping[str, DataFrame],
        keys: frozenset[str] | None,
        staged: Path,
        outcome: Outcome,
    ) -> None:
        result = self._transformed(session, declared, task, upstreams, keys)
        started_at = dt.datetime.fromisoformat(task.started_at)
        lineage = (F.lit(task.run_id), F.lit(started_at).cast("timestamp"))
        lined = enforce(declared, result).withColumns(dict(zip(LINEAGE, lineage, strict=True)))
        try:
            # These files become the table's where they replace whole files of it.
            lined.write.mode("overwrite").option("compression", "snappy").parquet(str(staged))
        except AnalysisException:
            # Asked only now: it is a question to the engine for each table.
            check_columns(declared, result)
            raise
        new = read_staged(session, declared, staged)
        replaced = self._replaced(declared, task, keys)
        old = self._old(session, declared, replaced)
        is_keyed = keys is not None or declared.is_landing
        is_large = delta.staged_rows(staged) > LARGE_ROWS
        change, outcome.checks, replaced_rows = self._judge(
            declared, new, old, upstreams, started_at, is_keyed=is_keyed, is_large=is_large
        )
        outcome.rows = outcome.checks[0].rows
        if failed := [check for check in outcome.checks if check.status == "FAIL"]:
            outcome.status = "refused"
            outcome.error = "; ".join(
                f"{c.rule}: {c.violations} of {c.rows}{f' ({c.detail})' if c.detail else ''}" for c in failed
            )
        elif not change:
            outcome.status = "unchanged"
        else:
            metadata = delta.metadata_of(declared, change, task.run_id, task.upstreams)
            predicate = delta.quoted_in(*replaced) if replaced else None
            append = bool(task.landed) and not task.replaced_files
            if keys is not None and old is not None and self._only_grows(declared, new, old, outcome.rows, replaced_rows):
                added = compare.missing_from(old, new, declared).select(*delta.types_of(declared))
                staged = staged.with_name(f"{staged.name}-added")
                added.write.mode("overwrite").option("compression", "snappy").parquet(str(staged))
                append = True
            how = Publication(predicate, metadata, append, replaced_rows)
            outcome.version = self.engine.publish(self.path(declared), declared, staged, how)
            outcome.status = "built"

    def _transformed(
        self,
        session: SparkSession,
        declared: Table,
        task: Task,
        upstreams: Mapping[str, DataFrame],
        keys: frozenset[str] | None,
    ) -> DataFrame:
        if declared.is_landing:
            landed: DataFrame = declared.run(landed=self._landed(session, declared, task))
            return landed
        inputs = self._inputs(session, declared, task, upstreams, keys)
        result: DataFrame = declared.run(**inputs, **task.parameters)
        return result if keys is None else result.where(one_of(declared.scope_column, keys))

    def _inputs(
        self,
        session: SparkSession,
        declared: Table,
        task: Task,
        upstreams: Mapping[str, DataFrame],
        keys: frozenset[str] | None,
    ) -> dict[str, DataFrame | Model | None]:
        """The arguments of a transform or training: upstream tables, only the keys' rows where these suffice, and models."""
        inputs: dict[str, DataFrame | Model | None] = {}
        for short, name in zip(declared.upstreams, upstream_names(declared), strict=True):
            upstream = REGISTRY[name]
            if upstream.is_model:
                chosen = task.models.get(name)
                inputs[short] = Model(chosen, short, self.path(upstream) / chosen, session) if chosen else None
                continue
            # Columns by name: asking a frame for its own would be a question to the engine.
            columns = [c.name for c in upstream.columns]
            frame = upstreams[name].select(*columns)
            # A listener's rows follow from that listener's rows in any upstream that names listeners.
            names_listeners = declared.scope == "user" and "user_id" in columns
            is_local = names_listeners or upstream.scope_column == declared.scope_column
            inputs[short] = frame.where(one_of(declared.scope_column, keys)) if keys is not None and is_local else frame
        return inputs

    def _landed(self, session: SparkSession, declared: Table, task: Task) -> DataFrame:
        if task.landed:
            return session.read.parquet(task.landed)
        return empty(session, {c.name: c.type for c in declared.columns})

    def _replaced(self, declared: Table, task: Task, keys: Iterable[str] | None) -> tuple[str, Iterable[str]] | None:
        """Column and values of the rows that the result replaces; None for all rows (for none, where files are appended)."""
        if task.landed:
            return ("file_hash", task.replaced_files) if task.replaced_files else None
        return None if keys is None or declared.scope_column is None else (declared.scope_column, keys)

    def _old(self, session: SparkSession, declared: Table, replaced: tuple[str, Iterable[str]] | None) -> DataFrame | None:
        """The rows that the result replaces; None where there is nothing to compare with."""
        path = self.path(declared)
        if (version := delta.version(path)) is None or not delta.same_schema(path, declared):
            return None
        old = self._read(session, declared, version)
        if replaced is not None:
            # As a Column: the embedded engine loses doubled quotes in SQL text.
            return old.where(one_of(*replaced))
        return old.limit(0) if declared.is_landing else old

    def _only_grows(self, declared: Table, new: DataFrame, old: DataFrame, rows: int, replaced_rows: int | None) -> bool:
        """Whether every replaced row of a large table is among the new ones, which then need only be added."""
        if replaced_rows is None or rows <= replaced_rows:
            return False
        if delta.row_total(self.path(declared)) - replaced_rows < LARGE_REST:
            return False
        lost = question(compare.missing_from(new, old, declared), [F.count("*")])
        return ask({"lost": lost})["lost"][None] == [0]

    def _judge(
        self,
        declared: Table,
        new: DataFrame,
        old: DataFrame | None,
        upstreams: Mapping[str, DataFrame],
        now: dt.datetime,
        *,
        is_keyed: bool,
        is_large: bool,
    ) -> tuple[Change, list[CheckResult], int | None]:
        """What the new rows change, what the rules say of them, and how many rows they replace (None: there is no table).

        One query; two or three for large or whole tables.
        """
        questions = quality.questions(declared, new, upstreams)
        by = declared.scope_column if is_keyed else None
        sides = {} if old is None else {"old": old, "new": new}
        known: dict[str, dict[str | None, Figures]] = {}
        if is_large and sides:
            known = ask({side: compare.counted(rows, by) for side, rows in sides.items()})
        # Where the number of rows tells of every key that it changed, content need not be compared.
        if not known or len(compare.differing(known["old"], known["new"])) < len(known["old"].keys() | known["new"].keys()):
            questions |= {side: compare.digested(rows, declared, by) for side, rows in sides.items()}
        answers = known | ask(questions)
        if old is None:
            return EVERYTHING, quality.judge(declared, answers, new, now, None), None
        replaced_rows = compare.total(answers["old"])
        checks = quality.judge(declared, answers, new, now, replaced_rows)
        keys = compare.differing(answers["old"], answers["new"])
        if not keys or by is not None:
            return Change(frozenset(str(key) for key in keys)), checks, replaced_rows
        return compare.changed_keys(declared, old, new), checks, replaced_rows


def one_of(name: str | None, keys: Iterable[str]) -> Column:
    """Whether the scope column holds one of the keys."""
    if name is None:
        raise ValueError("a table without scope column has no keys")
    return F.col(name).isin(sorted(keys))


def read_staged(session: SparkSession, declared: Table, staged: Path) -> DataFrame:
    """The staged rows; an engine may write no file at all for no rows."""
    if not any(staged.glob("*.parquet")):
        return empty(session, delta.types_of(declared))
    return session.read.schema(delta.ddl(declared)).parquet(str(staged))


def empty(session: SparkSession, types: Mapping[str, str]) -> DataFrame:
    """No rows of the given columns; made of expressions, because rows from Python would start Python workers in Spark."""
    return session.range(0).select(*[F.lit(None).cast(kind).alias(name) for name, kind in types.items()])
