"""The files that Superset imports, made from the declarations; every uuid follows from names, so that a second import updates."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from bi.dashboards.chart import PALETTE, Given
from bi.dashboards.charts import AnyChart
from bi.dashboards.check import columns_of
from bi.dashboards.declaration import Dashboard, DashboardError, Dataset
from bi.dashboards.filters import Filtered, native_filters
from bi.dashboards.layout import css, position
from lakehouse.declare import Table
from lakehouse.settings import PROJECT_ROOT

NAMESPACE = uuid.UUID("0b5c1b34-6f1e-5d0c-8f0a-3a1c7e9d2b11")
# Every uuid of ours begins so: what people make themselves is never taken for ours.
OURS = "11573e9a"
# superset/bootstrap.py makes this connection, with its password; the files only refer to it.
DATABASE = "6d2a4c1e-3f0b-5a77-9f53-0c6a4a0f6a01"
TRINO_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
}
TRINO_TYPES |= {"timestamp": "TIMESTAMP WITH TIME ZONE", "array<string>": "ARRAY(VARCHAR)", "array<double>": "ARRAY(DOUBLE)"}
PALETTES = json.loads((PROJECT_ROOT / "superset" / "palettes.json").read_text())


def identity(*names: str) -> str:
    """The uuid of what has these names; it begins with OURS."""
    return OURS + str(uuid.uuid5(NAMESPACE, "/".join(names)))[len(OURS) :]


@dataclass(frozen=True)
class Bundle:
    """Files by path, and the uuids of all that is ours."""

    files: Mapping[str, dict[str, Any]]
    datasets: frozenset[str]
    charts: frozenset[str]
    dashboards: Mapping[str, str]
    """uuid -> address"""

    def of(self, dashboards: Sequence[Dashboard]) -> Bundle:
        """The part that holds these dashboards, and every dataset, as tables are shared."""
        names = {d.name for d in dashboards}
        keys = {chart_uuid(d, chart) for d in dashboards for chart in d.charts}
        kept = {uuid: name for uuid, name in self.dashboards.items() if name in names}
        wanted = {*self.datasets, *keys, *kept, None}
        files = {path: content for path, content in self.files.items() if content.get("uuid") in wanted}
        return Bundle(files, self.datasets, frozenset(keys), kept)

    def texts(self) -> dict[str, str]:
        """Every file as YAML."""
        return {path: yaml.safe_dump(content, sort_keys=False, allow_unicode=True) for path, content in self.files.items()}

    def archive(self) -> bytes:
        """The ZIP that Superset imports; the same bytes for the same declarations."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in self.texts().items():
                archive.writestr(zipfile.ZipInfo(f"lakehouse/{path}"), text)
        return buffer.getvalue()


def build(dashboards: Sequence[Dashboard], tables: Mapping[str, Table], listener: str | None) -> Bundle:
    """The bundle of checked dashboards. `listener` is whom the listener filter shows first.

    Raises DashboardError where two dashboards contradict each other about a table.
    """
    kept = {"metadata.yaml": {"version": "1.0.0", "type": "assets", "timestamp": "2025-01-01T00:00:00+00:00"}}
    files: dict[str, dict[str, Any]] = dict(kept)
    merged = _merged([*dashboards, _listeners()])
    for name, dataset in merged.items():
        files[f"datasets/lakehouse/{name.replace('.', '_')}.yaml"] = _dataset(name, dataset, tables)
    for dashboard in dashboards:
        for chart in dashboard.charts:
            files[f"charts/{dashboard.name}_{chart.key}.yaml"] = _chart(dashboard, chart, merged)
        files[f"dashboards/{dashboard.name}.yaml"] = _dashboard(dashboard, tables, listener)
    of = {kind: frozenset(f["uuid"] for path, f in files.items() if path.startswith(kind)) for kind in ("datasets", "charts")}
    return Bundle(files, of["datasets"], of["charts"], {identity("dashboard", d.name): d.name for d in dashboards})


def dataset_name(dashboard: Dashboard, name: str) -> str:
    """Tables are shared by all dashboards under their own name; a query belongs to its dashboard."""
    return dashboard.datasets[name].table or f"{dashboard.name}.{name}"


def dataset_uuid(dashboard: Dashboard, name: str) -> str:
    return identity("dataset", dataset_name(dashboard, name))


def chart_uuid(dashboard: Dashboard, chart: AnyChart) -> str:
    return identity("chart", dashboard.name, chart.key)


def _listeners() -> Dashboard:
    """What every listener filter reads."""
    return Dashboard.model_construct(name="listeners", datasets={"users": Dataset(table="silver.users")}, rows=[])


def _merged(dashboards: Sequence[Dashboard]) -> dict[str, Dataset]:
    """Every dataset once, with what all dashboards declare of it."""
    merged: dict[str, Dataset] = {}
    for dashboard in dashboards:
        for name, dataset in dashboard.datasets.items():
            full = dataset_name(dashboard, name)
            merged[full] = _union(full, merged[full], dataset) if full in merged else dataset
    return merged


def _union(name: str, one: Dataset, other: Dataset) -> Dataset:
    update: dict[str, Any] = {"time": one.time or other.time}
    if one.time and other.time and one.time != other.time:
        raise DashboardError(f"{name}: two dashboards name different times, {one.time} and {other.time}")
    for part in ("labels", "computed", "metrics"):
        mine, theirs = getattr(one, part), getattr(other, part)
        if differing := sorted(key for key in set(mine) & set(theirs) if mine[key] != theirs[key]):
            raise DashboardError(f"{name}: two dashboards declare {part} {differing[0]} differently; give one another name")
        update[part] = {**mine, **theirs}
    return one.model_copy(update=update)


def _dataset(name: str, dataset: Dataset, tables: Mapping[str, Table]) -> dict[str, Any]:
    schema, _, short = name.partition(".")
    comments = {c.name: c.comment for c in tables[name].columns} if dataset.table else {}
    return {
        "table_name": short if dataset.table else name.replace(".", "_"),
        "catalog": "lakehouse",
        "schema": schema if dataset.table else "gold",
        "sql": dataset.sql,
        "main_dttm_col": dataset.time,
        "description": tables[name].description if dataset.table else None,
        "offset": 0,
        "filter_select_enabled": True,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "columns": [
            {
                "column_name": column,
                "verbose_name": dataset.computed[column].label if column in dataset.computed else _label(dataset, column),
                "description": comments.get(column),
                "type": TRINO_TYPES[kind],
                "is_dttm": kind in ("date", "timestamp"),
                "expression": dataset.computed[column].sql if column in dataset.computed else None,
                "groupby": True,
                "filterable": True,
                "is_active": True,
            }
            for column, kind in columns_of(dataset, tables).items()
        ],
        "metrics": [
            {"metric_name": key, "expression": m.sql, "verbose_name": m.label, "d3format": m.format}
            for key, m in dataset.metrics.items()
        ],
        "uuid": identity("dataset", name),
        "database_uuid": DATABASE,
        "version": "1.0.0",
    }


def _label(dataset: Dataset, column: str) -> str:
    return dataset.labels.get(column) or column.strip("_").replace("_", " ").capitalize()


def _chart(dashboard: Dashboard, chart: AnyChart, merged: Mapping[str, Dataset]) -> dict[str, Any]:
    dataset = merged[dataset_name(dashboard, chart.data)]
    formats = {name: metric.format for name, metric in dataset.metrics.items()}
    labels = {name: metric.label for name, metric in dataset.metrics.items()}
    form = chart.form(Given(dashboard.datasets[chart.data].time, formats, labels))
    return {
        "slice_name": chart.title,
        "description": chart.note or None,
        "viz_type": form["viz_type"],
        "params": form,
        "uuid": chart_uuid(dashboard, chart),
        "dataset_uuid": dataset_uuid(dashboard, chart.data),
        "version": "1.0.0",
    }


def _colors(dashboard: Dashboard) -> dict[str, str]:
    """Colours by value and by label; for a metric also by its name, by which some kinds of charts look."""
    chosen: dict[str, str] = PALETTES["labels"] | dashboard.colors
    metrics = {name: metric.label for dataset in dashboard.datasets.values() for name, metric in dataset.metrics.items()}
    return chosen | {name: chosen[label] for name, label in metrics.items() if label in chosen}


def _dashboard(dashboard: Dashboard, tables: Mapping[str, Table], listener: str | None) -> dict[str, Any]:
    # The import puts real ids in place of these.
    ids = {chart.key: number for number, chart in enumerate(dashboard.charts, start=1)}
    charts = [
        Filtered(ids[c.key], frozenset(columns_of(dashboard.datasets[c.data], tables)), bool(dashboard.datasets[c.data].time), c)
        for c in dashboard.charts
    ]
    uuids = {name: dataset_uuid(dashboard, name) for name in dashboard.datasets}
    filters = native_filters(dashboard, charts, {**uuids, "": identity("dataset", "silver.users")}, listener)
    return {
        "dashboard_title": dashboard.title,
        "description": dashboard.description,
        "slug": dashboard.name,
        "css": css(dashboard.charts),
        "position": position(dashboard, {c.key: (ids[c.key], chart_uuid(dashboard, c)) for c in dashboard.charts}),
        "metadata": {
            "color_scheme": PALETTE,
            "label_colors": _colors(dashboard),
            "shared_label_colors": [],
            "map_label_colors": {},
            "refresh_frequency": dashboard.refresh_seconds,
            "timed_refresh_immune_slices": [],
            "cross_filters_enabled": True,
            "native_filter_configuration": filters,
            "filter_bar_orientation": "HORIZONTAL",
            "default_filters": json.dumps({}),
        },
        "published": True,
        "uuid": identity("dashboard", dashboard.name),
        "version": "1.0.0",
    }
