"""What a build reads: pinned upstreams, the keys to recompute, and the arguments of the transform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.build.diff import MAX_KEYS
from lakehouse.build.task import Task
from lakehouse.declare.model import Model
from lakehouse.declare.table import REGISTRY, Table
from lakehouse.plan.graph import upstream_names
from lakehouse.storage import delta
from lakehouse.storage.changes import EVERYTHING, Change
from lakehouse.storage.lakehouse import Lakehouse


class Reader:
    """Reads pinned versions of tables with one session."""

    def __init__(self, lakehouse: Lakehouse, session: SparkSession) -> None:
        self.lakehouse, self.session = lakehouse, session
        self._frames: dict[tuple[str, int], DataFrame] = {}

    def table(self, declared: Table, version: int) -> DataFrame:
        """The rows of a table at a version."""
        # Kept for the run: Spark works out the state of a pinned version anew for every frame.
        if (declared.name, version) not in self._frames:
            self._frames[declared.name, version] = self._with_new_columns(declared, self._at(declared, version))
        return self._frames[declared.name, version]

    def _at(self, declared: Table, version: int) -> DataFrame:
        path = self.lakehouse.path(declared)
        if not delta.is_before_checkpoint(path, version):
            return self.session.read.format("delta").option("versionAsOf", version).load(str(path))
        # The embedded engine looks for such a version after the checkpoint, and finds no beginning.
        files, columns = delta.files_at(path, version), delta.columns_at(path, version)
        if not files:
            return self.empty(columns)
        return self.session.read.schema(", ".join(f"`{name}` {kind}" for name, kind in columns.items())).parquet(*files)

    def _with_new_columns(self, declared: Table, frame: DataFrame) -> DataFrame:
        """The rows of a landing table that an older version wrote, with null in columns that it did not know."""
        if not declared.is_landing or delta.same_schema(self.lakehouse.path(declared), declared):
            return frame
        known = set(frame.columns)
        missing = {c.name: F.lit(None).cast(c.type) for c in declared.columns if c.name not in known}
        # Only a comment may differ.
        return frame.withColumns(missing) if missing else frame

    def upstreams(self, task: Task) -> dict[str, DataFrame]:
        """The upstream tables of a task, by full name."""
        return {name: self.table(REGISTRY[name], version) for name, version in task.upstreams.items() if name not in task.models}

    def staged(self, declared: Table, folder: Path) -> DataFrame:
        """The rows of a table that were staged; an engine may write no file at all for no rows."""
        if not any(folder.glob("*.parquet")):
            return self.empty(delta.types_of(declared))
        return self.session.read.schema(delta.ddl(declared)).parquet(str(folder))

    def empty(self, types: Mapping[str, str]) -> DataFrame:
        """No rows of the given columns; made of expressions, because rows from Python would start Python workers in Spark."""
        return self.session.range(0).select(*[F.lit(None).cast(kind).alias(name) for name, kind in types.items()])


def one_of(name: str | None, keys: Iterable[str]) -> Column:
    """Whether the scope column holds one of the keys."""
    if name is None:
        raise ValueError("a table without scope column has no keys")
    return F.col(name).isin(sorted(keys))


def touched_keys(reader: Reader, declared: Table, task: Task) -> frozenset[str] | None:
    """The keys to recompute, from what changed upstream; None for all of them, none where nothing changed."""
    if task.is_whole or task.landed:
        return None
    changes = {name: Change.from_json(keys) for name, keys in task.changes.items()}
    if not any(changes.values()) and not task.retried:
        return frozenset()
    if declared.scope_column is None:
        return None
    retried = Change(frozenset(task.retried))
    # Where keys are no listeners, nobody knows which of them hold the rows of a listener.
    total = retried if declared.scope == "user" or not retried else EVERYTHING
    for name, change in changes.items():
        upstream = REGISTRY[name]
        if change and change.keys is not None and upstream.scope_column != declared.scope_column:
            total |= _mapped(reader, declared, task, upstream, change.keys)
        else:
            total |= change
    if total.keys is not None and declared.scope == "user":
        total = Change(total.keys - frozenset(task.withheld))
    return None if total.keys is None or len(total.keys) > MAX_KEYS else total.keys


def _mapped(reader: Reader, declared: Table, task: Task, upstream: Table, keys: frozenset[str]) -> Change:
    """An upstream's changed keys as this table's, by `touches`, from the rows as they were and as they are."""
    maps = declared.touches.get(upstream.short_name)
    if not maps or declared.scope_column is None:
        return EVERYTHING
    listed = F.array(*[F.lit(key) for key in sorted(keys)])
    changed = reader.session.range(1).select(F.explode(listed).alias(str(upstream.scope_column)))
    touched: set[str] = set()
    for function, short_name in maps:
        other = next(name for name in task.upstreams if REGISTRY[name].short_name == short_name)
        for version in {task.upstreams[other], task.consumed.get(other, task.upstreams[other])}:
            candidates = reader.table(REGISTRY[other], version)
            if upstream.scope_column in delta.types_of(REGISTRY[other]):
                # Files that hold none of the keys are then not read.
                candidates = candidates.where(one_of(upstream.scope_column, keys))
            touched |= {row[0] for row in function(changed, candidates).limit(MAX_KEYS + 1).collect()}
    return EVERYTHING if len(touched) > MAX_KEYS else Change(frozenset(touched))


def arguments(
    reader: Reader, declared: Table, task: Task, upstreams: Mapping[str, DataFrame], keys: frozenset[str] | None
) -> dict[str, DataFrame | Model | None]:
    """The arguments of a transform or training: upstream tables, only the keys' rows where these suffice, and models."""
    values: dict[str, DataFrame | Model | None] = {}
    for short_name, name in zip(declared.upstreams, upstream_names(declared), strict=True):
        upstream = REGISTRY[name]
        if upstream.is_model:
            chosen = task.models.get(name)
            folder = reader.lakehouse.path(upstream)
            values[short_name] = Model(chosen, short_name, folder / chosen, reader.session) if chosen else None
            continue
        # Columns by name: asking a frame for its own would be a question to the engine.
        columns = [c.name for c in upstream.columns]
        frame = upstreams[name].select(*columns)
        # A listener's rows follow from that listener's rows in any upstream that names listeners.
        names_listeners = declared.scope == "user" and "user_id" in columns
        is_local = names_listeners or upstream.scope_column == declared.scope_column
        values[short_name] = frame.where(one_of(declared.scope_column, keys)) if keys is not None and is_local else frame
    return values


def landed_rows(reader: Reader, declared: Table, task: Task) -> DataFrame:
    """The rows of the new landing files of a bronze table."""
    if task.landed:
        return reader.session.read.parquet(task.landed)
    return reader.empty({c.name: c.type for c in declared.columns})
