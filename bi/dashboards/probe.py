"""Ask for every chart's data without a browser: rows, seconds, and what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bi.dashboards.bundle import dataset_uuid
from bi.dashboards.charts import AnyChart
from bi.dashboards.client import Superset
from bi.dashboards.declaration import Dashboard, DashboardError, Dataset
from bi.dashboards.filters import USER

LIMIT = 1000


@dataclass(frozen=True)
class Probed:
    """What a chart's query gave: rows, or an error."""

    chart: AnyChart
    rows: list[dict[str, Any]]
    seconds: float
    error: str = ""


def probe(superset: Superset, dashboard: Dashboard, columns: dict[str, set[str]], listener: str | None) -> Iterator[Probed]:
    """Each chart's answer for one listener. `columns`: names by dataset of the dashboard."""
    ids = {found["uuid"]: found["id"] for found in superset.all("dataset", "id", "uuid")}
    for chart in dashboard.charts:
        is_filtered = "listener" in dashboard.filters and USER in columns[chart.data] and "Listener" not in chart.ignores
        asked = query(chart, dashboard.datasets[chart.data], listener if is_filtered else None)
        began = time.monotonic()
        try:
            rows = superset.data(ids[dataset_uuid(dashboard, chart.data)], asked)
            yield Probed(chart, rows, time.monotonic() - began)
        except DashboardError as error:
            yield Probed(chart, [], time.monotonic() - began, str(error))


def query(chart: AnyChart, dataset: Dataset, listener: str | None) -> dict[str, Any]:
    """The chart's question in the words of /chart/data: its groups and metrics, for one listener or all."""
    groups = list(dict.fromkeys(chart.dimensions()))
    filters = [{"col": USER, "op": "IN", "val": [listener]}] if listener is not None else []
    asked = {"columns": groups, "metrics": chart.measures(), "filters": filters, "row_limit": min(chart.limit, LIMIT)}
    if not chart.measures():
        asked |= {"metrics": None}
    if chart.where:
        asked |= {"extras": {"where": f"({chart.where})"}}
    return asked | {"granularity": dataset.time, "time_range": "No filter"}
