"""Whether a dashboard's names exist: its tables and columns in the declarations of the lakehouse, its metrics in its datasets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bi.dashboards.category_charts import Trend
from bi.dashboards.chart import Chart
from bi.dashboards.declaration import Dashboard, Dataset, SelectFilter
from lakehouse.declare import LINEAGE, TYPES, Table

SCHEMAS = ("silver", "gold", "ops")
QUOTED = re.compile(r"'(?:[^']|'')*'|--[^\n]*")
WORD = re.compile(r"(?<![\w.])[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*")
ALIAS = re.compile(r"\bAS\s+([a-z_][a-z0-9_]*)(?:\s*\(([a-z0-9_,\s]+)\))?|\b(?:WITH|,)\s+([a-z_][a-z0-9_]*)\s+AS\s*\(")


def mistakes(dashboard: Dashboard, tables: Mapping[str, Table]) -> list[str]:
    """Every word of the dashboard that means nothing, each in a line."""
    wrong: list[str] = []
    for name, dataset in dashboard.datasets.items():
        wrong += [f"dataset {name}: {problem}" for problem in _dataset_problems(dataset, tables)]
    if not wrong:
        for chart in dashboard.charts:
            dataset = dashboard.datasets[chart.data]
            wrong += [f"chart {chart.title!r}: {problem}" for problem in _chart_problems(chart, dataset, tables)]
        for choice in dashboard.filters:
            if isinstance(choice, SelectFilter) and choice.column not in columns_of(dashboard.datasets[choice.data], tables):
                wrong.append(f"filter {choice.title!r}: {choice.data} has no column {choice.column}")
        wrong += _filter_problems(dashboard)
    return [f"superset/dashboards/{dashboard.name}.yaml: {line}" for line in wrong]


def columns_of(dataset: Dataset, tables: Mapping[str, Table]) -> dict[str, str]:
    """Every column of a dataset with its type (those of lakehouse.declare.TYPES)."""
    own = dict(dataset.columns) if dataset.table is None else _table_columns(tables[dataset.table])
    return own | {name: computed.type for name, computed in dataset.computed.items()}


def _table_columns(table: Table) -> dict[str, str]:
    return {column.name: column.type for column in table.columns} | dict(zip(LINEAGE, ("string", "timestamp"), strict=True))


def _dataset_problems(dataset: Dataset, tables: Mapping[str, Table]) -> list[str]:
    if dataset.table is not None and (dataset.table not in tables or dataset.table.split(".")[0] not in SCHEMAS):
        return [f"there is no table {dataset.table} in {', '.join(SCHEMAS)}"]
    columns = columns_of(dataset, tables)
    wrong = [f"{kind!r} is not one of {', '.join(TYPES)}" for kind in columns.values() if kind not in TYPES]
    if dataset.sql is not None:
        wrong += _query_problems(dataset.sql, dataset.columns, tables)
    wrong += [f"{name!r} in labels is not a column" for name in dataset.labels if name not in columns]
    if dataset.time and columns.get(dataset.time) not in ("date", "timestamp"):
        wrong.append(f"time: {dataset.time!r} is not a column of dates or timestamps")
    for name, metric in dataset.metrics.items():
        wrong += [f"metric {name}: no column {word}" for word in _unknown(metric.sql, columns)]
        if name in columns:
            wrong.append(f"metric {name} has the same name as a column; Superset would confuse them")
    for name, computed in dataset.computed.items():
        wrong += [f"computed column {name}: no column {word}" for word in _unknown(computed.sql, columns)]
    return wrong


def _query_problems(sql: str, columns: Iterable[str], tables: Mapping[str, Table]) -> list[str]:
    """Unknown tables, and words that are no column of the tables named, no alias and no part of the query."""
    bare = QUOTED.sub("''", sql)
    aliases = {word.strip() for match in ALIAS.findall(bare) for part in match for word in part.split(",") if word.strip()}
    qualified = {word for word in WORD.findall(bare) if word.split(".")[0] in (*SCHEMAS, "bronze", "models") and "." in word}
    unknown = sorted(word for word in qualified if word not in tables or word.split(".")[0] not in SCHEMAS)
    known = aliases.union(*[_table_columns(tables[name]) for name in qualified - set(unknown)])
    rest = {part for word in WORD.findall(bare) if word not in qualified for part in word.split(".")}
    wrong = [f"sql: there is no table {name} in {', '.join(SCHEMAS)}" for name in unknown]
    wrong += [
        f"sql: {word!r} is not a column, an alias (AS {word}) or an SQL keyword in capitals" for word in sorted(rest - known)
    ]
    return wrong + [f"columns: the query has no column {name!r}" for name in columns if name not in known]


def _chart_problems(chart: Chart, dataset: Dataset, tables: Mapping[str, Table]) -> list[str]:
    columns = columns_of(dataset, tables)
    wrong = [f"{chart.data} has no column {name}" for name in chart.dimensions() if name not in columns]
    wrong += [f"{chart.data} has no metric {name}" for name in chart.measures() if name not in dataset.metrics]
    wrong += [f"where: no column {word}" for word in _unknown(chart.where, columns)]
    if isinstance(chart, Trend) and not dataset.time:
        wrong.append("a trend needs a dataset with a `time`")
    return wrong


def _filter_problems(dashboard: Dashboard) -> list[str]:
    titles = {f.title if isinstance(f, SelectFilter) else f.title() for f in dashboard.filters}
    ignored = {title for chart in dashboard.charts for title in chart.ignores}
    return [f"a chart ignores the filter {title!r}, which does not exist" for title in sorted(ignored - titles)]


def _unknown(sql: str, columns: Iterable[str]) -> list[str]:
    return sorted(set(WORD.findall(QUOTED.sub("''", sql))) - set(columns))
