"""Building one table: read pinned upstreams, compute once to staging, check what was written, publish in one commit."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, GroupedData, SparkSession
from pyspark.sql import functions as F

from lakehouse import delta, quality
from lakehouse.delta import EVERYTHING, NOTHING, Change
from lakehouse.engines import Engine
from lakehouse.graph import upstream_names
from lakehouse.quality import CheckResult
from lakehouse.table import LINEAGE, REGISTRY, Table, enforce

# Beyond this many keys a whole rebuild is cheaper than a predicate that lists them.
MAX_KEYS = 1000
# Sums of doubles differ in their last digits with the order of addition; that is no change of content.
ROUND_DIGITS = 9


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
        """Build the table: built, unchanged, up to date, or refused by a FAIL rule. Raises what the engine raises."""
        began = time.perf_counter()
        declared = REGISTRY[task.table]
        session = self.engine.session()
        upstreams = {name: self._read(session, REGISTRY[name], version) for name, version in task.upstreams.items()}
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

    def _read(self, session: SparkSession, declared: Table, version: int) -> DataFrame:
        # Kept for the run: Spark works out the state of a pinned version anew for every frame.
        if (declared.name, version) not in self._frames:
            frame = session.read.format("delta").option("versionAsOf", version).load(str(self.path(declared)))
            self._frames[declared.name, version] = frame
        return self._frames[declared.name, version]

    def _touched(self, session: SparkSession, declared: Table, task: Task) -> frozenset[str] | None:
        """The keys to recompute, from what changed upstream; None for all of them."""
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
        touched: set[str] = set()
        for version in {task.upstreams[other], task.consumed.get(other, task.upstreams[other])}:
            rows = function(changed, self._read(session, REGISTRY[other], version)).limit(MAX_KEYS + 1).collect()
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
        result = enforce(declared, self._transformed(session, declared, task, upstreams, keys))
        started_at = dt.datetime.fromisoformat(task.started_at)
        lineage = (F.lit(task.run_id), F.lit(started_at).cast("timestamp"))
        lined = result.select("*", *[value.alias(name) for name, value in zip(LINEAGE, lineage, strict=True)])
        # Read twice and thrown away: compressing it would cost more than it saves.
        lined.write.mode("overwrite").option("compression", "uncompressed").parquet(str(staged))
        new = read_staged(session, declared, staged)
        replaced = self._replaced(declared, task, keys)
        change, previous = self._compare(session, declared, new, replaced)
        outcome.checks = quality.evaluate(declared, new, upstreams, started_at, previous)
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
            outcome.version = self.engine.publish(self.path(declared), declared, staged, predicate, metadata, append=append)
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
            return declared.run(landed=self._landed(session, declared, task))
        inputs = {}
        for short, name in zip(declared.upstreams, upstream_names(declared), strict=True):
            frame = upstreams[name].drop(*LINEAGE)
            # A listener's rows follow from that listener's rows in any upstream that names listeners.
            names_listeners = declared.scope == "user" and "user_id" in frame.columns
            is_local = names_listeners or REGISTRY[name].scope_column == declared.scope_column
            inputs[short] = frame.where(one_of(declared.scope_column, keys)) if keys is not None and is_local else frame
        result = declared.run(**inputs, **task.parameters)
        return result if keys is None else result.where(one_of(declared.scope_column, keys))

    def _landed(self, session: SparkSession, declared: Table, task: Task) -> DataFrame:
        if task.landed:
            return session.read.parquet(task.landed)
        return empty(session, {c.name: c.type for c in declared.columns})

    def _replaced(self, declared: Table, task: Task, keys: Iterable[str] | None) -> tuple[str, Iterable[str]] | None:
        """Column and values of the rows that the result replaces; None for all rows (for none, where files are appended)."""
        if task.landed:
            return ("file_hash", task.replaced_files) if task.replaced_files else None
        return None if keys is None or declared.scope_column is None else (declared.scope_column, keys)

    def _compare(
        self, session: SparkSession, declared: Table, new: DataFrame, replaced: tuple[str, Iterable[str]] | None
    ) -> tuple[Change, int | None]:
        """What differs between the staged rows and those they replace, and how many rows these are."""
        path = self.path(declared)
        if (version := delta.version(path)) is None or not delta.same_schema(path, declared):
            return EVERYTHING, None
        old = self._read(session, declared, version)
        if replaced is not None:
            # As a Column: the embedded engine loses doubled quotes in SQL text.
            old = old.where(one_of(*replaced))
        elif declared.is_landing:
            old = old.limit(0)
        by = declared.scope_column
        counts = _joined(_counts(old, by), _counts(new, by))
        other_count = ~F.col("old_n").eqNullSafe(F.col("new_n"))
        tally = counts.agg(F.sum("old_n").alias("previous"), F.count("*").alias("keys"), F.count_if(other_count).alias("differ"))
        told = tally.collect()[0]
        # Where the number of rows tells of every key that it changed, content need not be compared.
        differing = counts.where(other_count)
        if told["differ"] < told["keys"]:
            digests = _joined(_digests(old, declared, by), _digests(new, declared, by))
            differing = digests.where(
                ~F.col("old_low").eqNullSafe(F.col("new_low")) | ~F.col("old_high").eqNullSafe(F.col("new_high"))
            )
        previous = int(told["previous"] or 0)
        changed = {row["digest_key"] for row in differing.select("digest_key").limit(MAX_KEYS + 1).collect()}
        if by is None or len(changed) > MAX_KEYS:
            return (EVERYTHING if changed else NOTHING), previous
        return Change(frozenset(changed)), previous


def _joined(old: DataFrame, new: DataFrame) -> DataFrame:
    """Both sides by scope key, columns prefixed old_ and new_; a key that one side lacks is null there."""
    sides = [
        side.select("digest_key", *[F.col(name).alias(f"{prefix}_{name}") for name in side.columns[1:]])
        for prefix, side in (("old", old), ("new", new))
    ]
    return sides[0].join(sides[1], on="digest_key", how="full")


def _keyed(rows: DataFrame, by: str | None, *values: Column) -> GroupedData:
    return rows.select((F.col(by) if by else F.lit("")).alias("digest_key"), *values).groupBy("digest_key")


def _counts(rows: DataFrame, by: str | None) -> DataFrame:
    """One row (digest_key, n) per scope key."""
    return _keyed(rows, by).agg(F.count("*").alias("n"))


def _digests(rows: DataFrame, declared: Table, by: str | None) -> DataFrame:
    """One row (digest_key, low, high) per scope key: sums of both halves of the rows' hashes, lineage left out."""
    compared = [_comparable(c.name, c.type) for c in declared.columns if not c.name.startswith("_")]
    return _keyed(rows, by, F.xxhash64(*compared).alias("digest")).agg(
        F.sum(F.col("digest").bitwiseAND(F.lit(0xFFFFFFFF))).alias("low"),
        F.sum(F.shiftright("digest", 32)).alias("high"),
    )


def _comparable(name: str, kind: str) -> Column:
    return F.round(F.col(name), ROUND_DIGITS) if kind == "double" else F.col(name)


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
