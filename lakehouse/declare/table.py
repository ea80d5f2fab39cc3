"""How a table is declared: its name, key, scope, columns and rules, beside the pure function that computes it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from pyspark.sql import DataFrame

from lakehouse.declare.column import Column, DeclarationError
from lakehouse.declare.rules import Rule, not_null, unique
from lakehouse.declare.source import Explainer, Source

Scope = Literal["user", "file", "entity", "whole", "model"]
LAYERS = ("bronze", "silver", "models", "gold", "ops")
LINEAGE = ("_run_id", "_built_at")
LISTENER = "user_id"

Transform = Callable[..., Any]
KeyMap = tuple[Callable[[DataFrame, DataFrame], DataFrame], str]


@dataclass(frozen=True)
class Retrain:
    """When a model is trained again although its code is the same.

    `share` is by how much of its rows any upstream table may grow or shrink (0-1) before; `days` is the age from which
    any change upstream is reason enough.
    """

    share: float = 0.1
    days: int = 90


@dataclass(frozen=True)
class Table:
    """A declared table. `upstreams` and `parameters` are read from the arguments of `transform`."""

    name: str
    key: tuple[str, ...]
    scope: Scope
    columns: tuple[Column, ...]
    transform: Transform | None
    description: str
    category: str
    rules: tuple[Rule, ...] = ()
    needs: Literal["spark"] | None = None
    sources: tuple[Source, ...] = ()
    explainers: tuple[Explainer, ...] = ()
    touches: Mapping[str, tuple[KeyMap, ...]] = field(default_factory=dict)
    is_lookup: bool = False
    """New keys change nothing in the tables that read this one."""
    upstreams: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    """Upstream models that the table does without where they could not be trained."""
    parameters: tuple[str, ...] = ()
    kind: str = ""
    retrain: Retrain | None = None

    @property
    def is_model(self) -> bool:
        return self.retrain is not None

    @property
    def layer(self) -> str:
        return self.name.split(".")[0]

    @property
    def short_name(self) -> str:
        return self.name.split(".")[1]

    @property
    def module(self) -> str:
        return self.transform.__module__ if self.transform else ""

    @property
    def is_landing(self) -> bool:
        """Fed by landing files rather than by other tables."""
        return self._arguments[:1] == ("landed",)

    @property
    def holds_listeners(self) -> bool:
        """Whether a broken rule can hold back single listeners: rows name them, and are computed anew when they are tried again.

        Rows of landing files are read once, so what breaks a rule there refuses the table, and its files stay unread.
        """
        names_listeners = any(c.name == LISTENER for c in self.columns)
        return names_listeners and self.transform is not None and not self.is_landing and not self.is_model

    @property
    def constants(self) -> dict[str, Any]:
        """Defaults of keyword-only arguments, such as facts collected from many modules: part of the table's fingerprint."""
        signature = inspect.signature(self.transform).parameters.values() if self.transform else ()
        return {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}

    @property
    def _arguments(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.transform).parameters) if self.transform else ()

    def run(self, **arguments: Any) -> Any:
        """Call the transform (a DataFrame) or the training (a Fitted). Raises DeclarationError for what the kernel writes."""
        if self.transform is None:
            raise DeclarationError(f"{self.name} is written by the kernel")
        return self.transform(**arguments)

    @property
    def scope_column(self) -> str | None:
        """The column that change scopes are told in: the listener, the landing file, or the entity's id.

        It is also the table's promise: a row follows from rows of the same key in upstreams that have this column as
        their scope (a listener's row: in every upstream that names listeners), and from other upstreams whole. So
        single keys can be recomputed alone.
        """
        return {"user": "user_id", "file": "file_hash", "entity": self.key[0]}.get(self.scope)


REGISTRY: dict[str, Table] = {}


def table(
    name: str,
    *,
    key: Sequence[str],
    scope: Scope,
    schema: Sequence[Column],
    rules: Sequence[Rule] = (),
    needs: Literal["spark"] | None = None,
    sources: Sequence[Source] = (),
    explainers: Sequence[Explainer] = (),
    touches: Mapping[str, KeyMap | list[KeyMap]] | None = None,
    is_lookup: bool = False,
) -> Callable[[Transform], Transform]:
    """Register the decorated function as the transform of table `name` (`layer.table`).

    The function's positional arguments name its upstream tables (without layer); its keyword-only arguments name run
    parameters (`allow_synthetic`), whose values are part of the table's fingerprint. One with a default is a constant
    instead, and its default part of the fingerprint. A table with `sources` is fed by landing files: its one argument,
    `landed`, holds the rows of the files that are new. `explainers` know landing files that no source reads.

    `touches[upstream] = (function, other)` maps changed keys of an upstream with another scope to this table's: the
    function gets a DataFrame of the changed keys and the upstream table `other` (where that has the keys' column, its
    rows of those keys), and returns one of this table's keys. A list of such pairs gives the keys of all of them.

    A table that `is_lookup` is read by key only, and has a key before any row can ask for it. So a commit that adds keys makes
    no table stale; one that changes a key does.

    Raises DeclarationError when name, key, scope or arguments do not fit together, or a name is taken.
    """

    def register(transform: Transform) -> Transform:
        declared = _declare(name, key, scope, schema, rules, needs, sources, touches or {}, transform)
        declared = replace(declared, explainers=tuple(explainers), is_lookup=is_lookup)
        taken = next((t for t in REGISTRY.values() if t.short_name == declared.short_name and t.transform is not transform), None)
        if taken is not None and taken.module != declared.module:
            raise DeclarationError(f"{name}: {taken.name} has that name already; upstream arguments would be ambiguous")
        REGISTRY[name] = declared
        return transform

    return register


def ops_table(name: str, key: Sequence[str], description: str, columns: Sequence[Column]) -> Table:
    """A table `ops.NAME` whose rows the parent process of a run or a command writes; `description` states the grain."""
    return Table(
        name=f"ops.{name}",
        key=tuple(key),
        scope="whole",
        columns=tuple(Column(c.name, c.type, c.comment, c.name not in key) for c in columns),
        transform=None,
        description=description,
        category="ops",
    )


def registered(declared: Table) -> Table:
    """Make a table without a transform known, so that it stands in the catalogue, the docs and Trino; returns it."""
    REGISTRY[declared.name] = declared
    return declared


def _declare(
    name: str,
    key: Sequence[str],
    scope: Scope,
    schema: Sequence[Column],
    rules: Sequence[Rule],
    needs: Literal["spark"] | None,
    sources: Sequence[Source],
    touches: Mapping[str, KeyMap | list[KeyMap]],
    transform: Transform,
) -> Table:
    layer, dot, short = name.partition(".")
    names = [c.name for c in schema]
    if sources and "landed" not in inspect.signature(transform).parameters:
        raise DeclarationError(f"{name}: a table with sources takes one argument, landed")
    if layer not in LAYERS or not dot or not short.isidentifier():
        raise DeclarationError(f"{name}: a table is named LAYER.TABLE, LAYER one of {', '.join(LAYERS)}")
    if len(set(names)) != len(names):
        raise DeclarationError(f"{name}: a column is declared twice")
    if not key or not set(key) <= set(names):
        raise DeclarationError(f"{name}: the key {tuple(key)} must name declared columns")
    if scope not in get_args(Scope) or {"user": "user_id", "file": "file_hash"}.get(scope, names[0]) not in names:
        raise DeclarationError(f"{name}: scope {scope!r} is unknown, or the table lacks its column")
    if not (transform.__doc__ or "").strip():
        raise DeclarationError(f"{name}: the transform needs a docstring that states the grain")
    upstreams, optional, parameters = arguments_of(name, transform)
    if unknown := set(touches) - set(upstreams):
        raise DeclarationError(f"{name}: touches names {sorted(unknown)}, not upstreams of the table")
    if unread := [r.name for r in rules if r.reference and r.reference[0].partition(".")[2] not in upstreams]:
        raise DeclarationError(f"{name}: rule {unread[0]} refers to a table that the function does not read; make it an argument")
    columns = tuple(replace(c, nullable=c.nullable and c.name not in key) for c in schema)
    category = transform.__module__.split(".")[1] if layer == "gold" and transform.__module__.count(".") > 1 else ""
    return Table(
        name=name,
        key=tuple(key),
        scope=scope,
        columns=columns,
        transform=transform,
        description=inspect.cleandoc(transform.__doc__ or ""),
        category=f"{layer}.{category}" if category else layer,
        rules=_all_rules(name, key, columns, rules),
        needs=needs,
        sources=tuple(sources),
        touches={name: tuple(maps) if isinstance(maps, list) else (maps,) for name, maps in touches.items()},
        upstreams=upstreams,
        optional=optional,
        parameters=parameters,
    )


def _all_rules(name: str, key: Sequence[str], columns: Sequence[Column], rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """What follows from the key and the columns, then what was declared beside them; each once."""
    required = [not_null(c.name) for c in columns if not c.nullable]
    declared = (unique(*key), *required, *[rule for c in columns for rule in c.constraints], *rules)
    if unknown := [rule.name for rule in declared if not set(rule.columns) <= {c.name for c in columns}]:
        raise DeclarationError(f"{name}: rule {unknown[0]} names a column that is not declared")
    names = [rule.name for rule in declared]
    if repeated := [rule for rule in names if names.count(rule) > 1]:
        raise DeclarationError(f"{name}: rule {repeated[0]} is declared twice")
    return declared


def arguments_of(name: str, transform: Transform) -> tuple[tuple[str, ...], frozenset[str], tuple[str, ...]]:
    """Upstreams, those of them that may be None, and run parameters. Raises DeclarationError for *args and **kwargs."""
    parameters: list[inspect.Parameter] = list(inspect.signature(transform).parameters.values())
    positional = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    keyword = tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty)
    if any(p.kind is not p.POSITIONAL_OR_KEYWORD and p.kind is not p.KEYWORD_ONLY for p in parameters):
        raise DeclarationError(f"{name}: a transform has no *args and no **kwargs")
    if "landed" in positional and positional != ("landed",):
        raise DeclarationError(f"{name}: a table fed by landing files takes one argument, landed")
    optional = frozenset(p.name for p in parameters if p.name in positional and str(p.annotation).endswith("| None"))
    return (() if positional == ("landed",) else positional), optional, keyword


def check_columns(declared: Table, result: DataFrame) -> None:
    """Raises DeclarationError when the transform's columns are not the declared ones."""
    got, wanted = set(result.columns), {c.name for c in declared.columns}
    if got != wanted:
        missing, extra = sorted(wanted - got), sorted(got - wanted)
        raise DeclarationError(
            f"{declared.name}: the transform's columns differ from the declaration: missing {missing}, extra {extra}"
        )


def enforce(declared: Table, result: DataFrame) -> DataFrame:
    """Select exactly the declared columns, in order and type; the engine refuses a query where one is missing."""
    from pyspark.sql import functions as F

    return result.select(*[F.col(c.name).cast(c.type).alias(c.name) for c in declared.columns])


def parameters_of(declared: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The run parameters this table asks for. Raises DeclarationError for one that no setting provides."""
    if missing := [p for p in declared.parameters if p not in values]:
        raise DeclarationError(
            f"{declared.name}: no setting provides {missing[0]}; `parameters()` of the settings lists those that do"
        )
    return {p: values[p] for p in declared.parameters}
