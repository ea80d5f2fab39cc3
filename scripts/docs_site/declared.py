"""What the declarations and settings say, as plain values: the only module of the site that imports the product."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CellType
from typing import Any

from pydantic_core import PydanticUndefined

from bi.settings import BISettings
from lakehouse.declare import Column, Rule, Table
from lakehouse.plan import graph
from lakehouse.settings import PROJECT_ROOT
from polling.accounts import AccountSettings
from polling.settings import MetadataSettings, SpotifySettings
from scheduling.settings import SchedulerSettings
from service.settings import ServiceSettings
from service.webhook_settings import WebhookSettings

GOLD = ("gold.descriptive", "gold.diagnostic", "gold.predictive", "gold.prescriptive", "gold.cognitive")
CATEGORIES = ("bronze", "silver", "models", *GOLD, "ops")


@dataclass(frozen=True)
class DocumentedColumn:
    """A column, with what its own rules allow."""

    name: str
    type: str
    is_nullable: bool
    comment: str
    allowed: tuple[str, ...]


@dataclass(frozen=True)
class DocumentedTable:
    """A table or model. `question` is the first line of its module, `grain` the docstring of its function."""

    name: str
    category: str
    question: str
    grain: str
    module: str
    key: tuple[str, ...]
    scope: str
    columns: tuple[DocumentedColumn, ...]
    rules: tuple[str, ...]
    upstreams: tuple[str, ...]
    optional: frozenset[str]
    sources: tuple[str, ...]
    settings: tuple[str, ...]
    needs_java: bool
    model_kind: str
    retraining: str

    @property
    def short_name(self) -> str:
        return self.name.partition(".")[2]

    @property
    def is_model(self) -> bool:
        return bool(self.retraining)


@dataclass(frozen=True)
class Setting:
    """The type, default and limits of a setting, as its class declares them."""

    type: str
    default: str
    limits: str


def tables() -> dict[str, DocumentedTable]:
    """All tables and models by name, upstreams first."""
    declared = graph.load()
    return {name: _documented(table) for name, table in declared.items()}


def settings() -> dict[str, Setting]:
    """Every setting by the name of its environment variable."""
    documented = {}
    for kind in (
        AccountSettings,
        MetadataSettings,
        SpotifySettings,
        SchedulerSettings,
        ServiceSettings,
        WebhookSettings,
        BISettings,
    ):
        for name, field in kind.model_fields.items():
            alias = field.validation_alias or f"{kind.model_config.get('env_prefix')}{name.upper()}"
            documented[str(alias)] = Setting(_type_name(field.annotation), _default(field.default), _limits(field.metadata))
    return documented


def _documented(table: Table) -> DocumentedTable:
    module = (sys.modules[table.module].__doc__ or "") if table.module else ""
    own = {column.name: [r for r in table.rules if _is_constraint(r) and r.columns == (column.name,)] for column in table.columns}
    shown = {id(rule) for rules in own.values() for rule in rules}
    retrain = table.retrain
    return DocumentedTable(
        name=table.name,
        category=table.category,
        question=module.strip().split("\n")[0],
        grain=table.description,
        module=table.module,
        key=table.key,
        scope=table.scope,
        columns=tuple(_documented_column(column, own[column.name]) for column in table.columns),
        rules=tuple(_rule_text(rule) for rule in table.rules if id(rule) not in shown and rule.kind != "unique"),
        upstreams=tuple(graph.upstream_names(table)),
        optional=graph.optional_names(table),
        sources=tuple(source.name for source in table.sources),
        settings=table.parameters,
        needs_java=table.needs == "spark",
        model_kind=table.kind,
        retraining=f"{retrain.share:.0%} or {retrain.days} days" if retrain else "",
    )


def _documented_column(column: Column, rules: list[Rule]) -> DocumentedColumn:
    constraints = tuple(text for rule in rules if (text := _constraint_text(rule)))
    return DocumentedColumn(column.name, column.type, column.nullable, column.comment, constraints)


def _is_constraint(rule: Rule) -> bool:
    """Whether the rule binds one column and says so by its name, `between(share,0,1)`."""
    return rule.kind == "row" and len(rule.columns) == 1 and re.fullmatch(r"\w+\(.*\)", rule.name) is not None


def _constraint_text(rule: Rule) -> str:
    name, _, rest = rule.name.partition("(")
    bounds = rest.removesuffix(")").split(",")[1:]
    warning = " (warning)" if rule.severity == "WARN" else ""
    if name == "not_null":
        return ""
    if name == "between":
        return f"{bounds[0]} to {bounds[1]}{warning}"
    if name == "at_least":
        return f"{bounds[0]} or more{warning}"
    if name == "is_in":
        lists = [cell.cell_contents for cell in _cells(rule.violates) if isinstance(cell.cell_contents, list)]
        values = [value for one in lists for value in one]
        return f"one of {', '.join(f'`{value}`' for value in values)}{warning}" if values else f"one of a fixed set{warning}"
    return f"{name}{warning}"


def _cells(predicate: Callable[[], Any] | None) -> tuple[CellType, ...]:
    return getattr(predicate, "__closure__", None) or ()


def _rule_text(rule: Rule) -> str:
    return f"{rule.name} ({'warning' if rule.severity == 'WARN' else 'blocks publishing'})"


def _type_name(annotation: Any) -> str:
    names: Mapping[str, str] = {
        "dict": "JSON object",
        "tuple": "JSON list",
        "Path": "folder",
        "str": "text",
        "int": "whole number",
        "float": "number",
        "bool": "true or false",
        "SecretStr": "secret",
    }
    name = str(getattr(annotation, "__name__", annotation))
    return next((text for known, text in names.items() if re.search(rf"\b{known}\b", f"{name} {annotation}")), name)


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined or value == ():
        return ""
    if isinstance(value, Path):
        return str(value.relative_to(PROJECT_ROOT)) if value.is_relative_to(PROJECT_ROOT) else str(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _limits(metadata: list[Any]) -> str:
    texts = []
    for limit in metadata:
        if (low := getattr(limit, "ge", None)) is not None:
            texts.append(f"{low:g} or more")
        if (high := getattr(limit, "le", None)) is not None:
            texts.append(f"at most {high:g}")
        if (pattern := getattr(limit, "pattern", None)) is not None:
            texts.append(f"matches `{pattern}`")
    return ", ".join(texts)
