"""Charts without axes: figures, tables, parts of a whole, flows."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from bi.dashboards.chart import GRAINS, TIMES, Chart, Given, Grain, Names, legend


class Number(Chart):
    """One figure."""

    kind: Literal["number"]
    viz: ClassVar[str] = "big_number_total"
    tall: ClassVar[int] = 144
    metric: str
    subtitle: str = ""

    def measures(self) -> list[str]:
        return [self.metric]

    def params(self, given: Given) -> dict[str, Any]:
        sizes = {"header_font_size": 0.5, "subtitle_font_size": 0.2}
        return {"metric": self.metric, "subtitle": self.subtitle, "y_axis_format": given.formats[self.metric], **sizes}


class Trend(Number):
    """The latest figure, over its history."""

    kind: Literal["trend"]  # type: ignore[assignment]
    viz: ClassVar[str] = "big_number"
    tall: ClassVar[int] = 180
    grain: Grain = "month"

    def dimensions(self) -> list[str]:
        return []

    def params(self, given: Given) -> dict[str, Any]:
        time = {
            "x_axis": given.time,
            "time_grain_sqla": GRAINS[self.grain],
            "start_y_axis_at_zero": True,
            "show_trend_line": True,
        }
        return {**super().params(given), **time, "time_format": TIMES[self.grain]}


class Table(Chart):
    """Rows of figures: `columns` as they stand, or `by` with `metrics`. `order`: names, with - for largest first."""

    kind: Literal["table"]
    viz: ClassVar[str] = "table"
    columns: Names
    by: Names
    metrics: Names
    order: Names
    formats: Annotated[dict[str, str], Field(default_factory=dict)]
    page: int = 0
    """Rows a page; 0 for all at once. Long tables without pages take the browser seconds."""

    def dimensions(self) -> list[str]:
        names = [name.removeprefix("-") for name in self.order]
        return [*self.columns, *self.by, *(n for n in names if self.columns and n not in self.columns)]

    def measures(self) -> list[str]:
        return self.metrics

    def params(self, given: Given) -> dict[str, Any]:
        shape = {name: {"d3NumberFormat": form} for name, form in self.formats.items()}
        # Names come from files of other people: cells are text, never markup.
        look = {"column_config": shape, "allow_render_html": False, "show_cell_bars": bool(self.metrics), "color_pn": False}
        look |= {
            "page_length": self.page,
            "server_pagination": False,
            "include_search": False,
            "table_timestamp_format": "%Y-%m-%d",
        }
        if self.columns:
            order = [f'["{name.removeprefix("-")}", {str(not name.startswith("-")).lower()}]' for name in self.order]
            return {**look, "query_mode": "raw", "all_columns": self.columns, "order_by_cols": order}
        first = self.order[0] if self.order else ""
        sort = {"timeseries_limit_metric": first.removeprefix("-") or None, "order_desc": not first or first.startswith("-")}
        return {**look, "query_mode": "aggregate", "groupby": self.by, "metrics": self.metrics, **sort}


class Pivot(Chart):
    """A table with categories in both directions."""

    kind: Literal["pivot"]
    viz: ClassVar[str] = "pivot_table_v2"
    rows: list[str]
    columns: list[str]
    metrics: list[str]

    def dimensions(self) -> list[str]:
        return [*self.rows, *self.columns]

    def measures(self) -> list[str]:
        return self.metrics

    def params(self, given: Given) -> dict[str, Any]:
        look = {"metricsLayout": "COLUMNS", "aggregateFunction": "Sum", "valueFormat": given.formats[self.metrics[0]]}
        return {"groupbyRows": self.rows, "groupbyColumns": self.columns, "metrics": self.metrics, **look}


class Parts(Chart):
    """Parts of a whole: a ring, nested rectangles or nested rings."""

    kind: Literal["pie", "treemap", "sunburst"]
    by: list[str]
    metric: str

    def dimensions(self) -> list[str]:
        return self.by

    def measures(self) -> list[str]:
        return [self.metric]

    @property
    def drawn_as(self) -> str:
        return {"pie": "pie", "treemap": "treemap_v2", "sunburst": "sunburst_v2"}[self.kind]

    def params(self, given: Given) -> dict[str, Any]:
        look: dict[str, Any] = {"number_format": given.formats[self.metric], "sort_by_metric": True, "show_labels": True}
        if self.kind == "pie":
            look |= {"donut": True, "innerRadius": 40, "outerRadius": 75, "label_type": "percent", "labels_outside": True}
            look |= {"show_labels_threshold": 3, **legend(True)}
        elif self.kind == "treemap":
            look |= {"label_type": "key_value", "show_upper_labels": True}
        return {"columns" if self.kind == "sunburst" else "groupby": self.by, "metric": self.metric, **look}


class Radar(Chart):
    """Several measures of one scale, per category."""

    kind: Literal["radar"]
    viz: ClassVar[str] = "radar"
    by: list[str]
    metrics: list[str]
    maximum: float | None = None

    def dimensions(self) -> list[str]:
        return self.by

    def measures(self) -> list[str]:
        return self.metrics

    def params(self, given: Given) -> dict[str, Any]:
        bounds = {m: {"radarMetricMaxValue": self.maximum, "radarMetricMinValue": 0} for m in self.metrics if self.maximum}
        look = {
            "number_format": given.formats[self.metrics[0]],
            "show_labels": False,
            "is_circle": False,
            "column_config": bounds,
        }
        return {"groupby": self.by, "metrics": self.metrics, **look, **legend(True)}


class Flow(Chart):
    """From one category to another."""

    kind: Literal["sankey", "graph"]
    source: str
    target: str
    metric: str

    def dimensions(self) -> list[str]:
        return [self.source, self.target]

    def measures(self) -> list[str]:
        return [self.metric]

    @property
    def drawn_as(self) -> str:
        return "sankey_v2" if self.kind == "sankey" else "graph_chart"

    def params(self, given: Given) -> dict[str, Any]:
        return {"source": self.source, "target": self.target, "metric": self.metric, "layout": "circular", **legend(False)}


class Custom(Chart):
    """Any other of Superset's: `viz_type` and its parameters in `options`; `by` and `metrics` say what they name."""

    kind: Literal["custom"]
    viz_type: str
    by: Names
    metrics: Names

    @property
    def drawn_as(self) -> str:
        return self.viz_type

    def dimensions(self) -> list[str]:
        return self.by

    def measures(self) -> list[str]:
        return self.metrics

    def params(self, given: Given) -> dict[str, Any]:
        return {}
