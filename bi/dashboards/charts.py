"""The kinds of charts, and what each means in Superset's words, with our defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

PALETTE = "listening"
RAMP = "listening_ramp"
# How moments are written on an axis of that grain.
TIMES = {"hour": "%a %H:%M", "day": "%d %b %Y", "week": "%d %b %Y", "month": "%b %Y", "quarter": "%b %Y", "year": "%Y"}
GRAINS = {"hour": "PT1H", "day": "P1D", "week": "P1W", "month": "P1M", "quarter": "P3M", "year": "P1Y"}
Grain = Literal["hour", "day", "week", "month", "quarter", "year"]
Bounds = tuple[float | None, float | None]
Width = Annotated[int, Field(ge=1, le=12)]


@dataclass(frozen=True)
class Given:
    """What a chart must know of its dataset: its time column, its metrics' formats and labels."""

    time: str | None
    formats: Mapping[str, str]
    labels: Mapping[str, str]


class Chart(BaseModel):
    """What all kinds have. Raises pydantic.ValidationError for a key that a kind does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    viz: ClassVar[str] = ""
    tall: ClassVar[int] = 320

    title: str
    data: str
    note: str = ""
    """A line of explanation under the title."""
    id: str = ""
    """What makes it the same chart when its title changes."""
    width: Width | None = None
    where: str = ""
    """SQL condition, its SQL words in capitals."""
    limit: Annotated[int, Field(ge=1, le=50000)] = 10000
    ignores: list[str] = []
    """Titles of filters that do not act on it: Listener, Period ..."""
    options: dict[str, Any] = {}
    """Superset's own parameters, over ours."""

    @property
    def key(self) -> str:
        return self.id or re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_")

    @property
    def caption(self) -> str:
        """What stands under the title."""
        return self.note

    @property
    def drawn_as(self) -> str:
        """Superset's viz_type."""
        return self.viz

    def dimensions(self) -> list[str]:
        """The columns it groups by or shows."""
        return []

    def measures(self) -> list[str]:
        """The metrics it shows."""
        return []

    def params(self, given: Given) -> dict[str, Any]:
        """What distinguishes the chart, in Superset's words."""
        raise NotImplementedError

    def form(self, given: Given) -> dict[str, Any]:
        """All of the chart's parameters."""
        filters: list[dict[str, Any]] = []
        if given.time:
            temporal = {"subject": given.time, "operator": "TEMPORAL_RANGE", "comparator": "No filter"}
            filters.append({"clause": "WHERE", "expressionType": "SIMPLE", **temporal})
        if self.where:
            filters.append({"clause": "WHERE", "expressionType": "SQL", "sqlExpression": self.where})
        shared = {"viz_type": self.drawn_as, "adhoc_filters": filters, "row_limit": self.limit, "color_scheme": PALETTE}
        return {**shared, "show_empty_columns": True, **self.params(given), **self.options}


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


class Series(Chart):
    """Lines, areas, bars or points along an axis of time, numbers or categories."""

    kind: Literal["line", "area", "bar", "scatter"]
    x: str
    metrics: list[str]
    by: list[str] = []
    grain: Grain | None = None
    """For an axis of time."""
    stack: bool = False
    share: bool = False
    """Each position's values as shares of their sum."""
    horizontal: bool = False
    sort: str = ""
    """Categories in the order of this metric, largest first; by default in their own order."""
    x_title: str = ""
    y_title: str = ""
    bounds: Bounds = (None, None)
    """Ends of the axis of values."""
    values: bool = False
    """Write the values on the bars."""

    def dimensions(self) -> list[str]:
        return [self.x, *self.by]

    def measures(self) -> list[str]:
        return [*self.metrics, *([self.sort] if self.sort and self.sort not in self.metrics else [])]

    @property
    def drawn_as(self) -> str:
        return "echarts_area" if self.kind == "area" else f"echarts_timeseries_{self.kind}"

    def params(self, given: Given) -> dict[str, Any]:
        y_format = ".0%" if self.share else given.formats[self.metrics[0]]
        return {
            "x_axis": self.x,
            "time_grain_sqla": GRAINS[self.grain] if self.grain else None,
            "metrics": self.metrics,
            "groupby": self.by,
            "order_desc": True,
            **_axis_order(self.grain, self.sort, self.x, bool(self.by), self.horizontal),
            "contributionMode": "row" if self.share else None,
            "stack": "Stack" if self.stack or self.share else None,
            "orientation": "horizontal" if self.horizontal else "vertical",
            "seriesType": "line",
            "opacity": 0.7 if self.kind == "area" else 0.2,
            "markerEnabled": self.kind == "scatter",
            "markerSize": 5,
            "show_value": self.values,
            **_axes(self.x_title, self.y_title, y_format, self.grain, self.bounds),
            **_legend(len(self.metrics) > 1 or bool(self.by)),
        }


class Mixed(Chart):
    """Two kinds of series along one axis: bars with a line, or points with their intervals' ends."""

    kind: Literal["mixed"]
    viz: ClassVar[str] = "mixed_timeseries"
    x: str
    metrics: list[str]
    metrics_b: list[str]
    types: tuple[Literal["line", "bar", "scatter", "smooth"], Literal["line", "bar", "scatter", "smooth"]] = ("bar", "line")
    second_axis: bool = False
    grain: Grain | None = None
    sort: str = ""
    x_title: str = ""
    y_title: str = ""
    bounds: Bounds = (None, None)
    """Ends of the axis of values."""
    y_title_b: str = ""

    def dimensions(self) -> list[str]:
        return [self.x]

    def measures(self) -> list[str]:
        return [*self.metrics, *self.metrics_b]

    def form(self, given: Given) -> dict[str, Any]:
        both = super().form(given)
        return both | {"adhoc_filters_b": both["adhoc_filters"]}

    def params(self, given: Given) -> dict[str, Any]:
        second = {"y_axis_format_secondary": given.formats[self.metrics_b[0]], "yAxisTitleSecondary": self.y_title_b}
        return {
            "x_axis": self.x,
            "time_grain_sqla": GRAINS[self.grain] if self.grain else None,
            **_axis_order(self.grain, self.sort, self.x, False, False),
            "metrics": self.metrics,
            "groupby": [],
            "metrics_b": self.metrics_b,
            "groupby_b": [],
            "row_limit_b": self.limit,
            "seriesType": self.types[0],
            "seriesTypeB": self.types[1],
            "markerEnabled": self.types[0] == "scatter",
            "markerEnabledB": self.types[1] == "scatter",
            "markerSize": 6,
            "markerSizeB": 6,
            "opacity": 0.7,
            "opacityB": 0.2,
            "yAxisIndex": 0,
            "yAxisIndexB": int(self.second_axis),
            **second,
            **_axes(self.x_title, self.y_title, given.formats[self.metrics[0]], self.grain, self.bounds),
            **_legend(True),
        }


class Table(Chart):
    """Rows of figures: `columns` as they stand, or `by` with `metrics`. `order`: names, with - for largest first."""

    kind: Literal["table"]
    viz: ClassVar[str] = "table"
    columns: list[str] = []
    by: list[str] = []
    metrics: list[str] = []
    order: list[str] = []
    formats: dict[str, str] = {}
    page: int = 0

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


class Heatmap(Chart):
    """Two categories and a colour. Both axes in their own order: give categories a sortable name (`1 Mon`)."""

    kind: Literal["heatmap"]
    viz: ClassVar[str] = "heatmap_v2"
    x: str
    y: str
    metric: str
    x_title: str = ""
    y_title: str = ""
    rotate: int = 0
    """Degrees by which long names below are turned."""
    contrast: bool = False
    """A ramp with a middle, for values below and above zero."""
    bounds: Bounds = (None, None)
    values: bool = False

    @property
    def caption(self) -> str:
        return _with_axes(self.note, self.x_title, self.y_title)

    def dimensions(self) -> list[str]:
        return [self.x, self.y]

    def measures(self) -> list[str]:
        return [self.metric]

    def params(self, given: Given) -> dict[str, Any]:
        axes = {"xscale_interval": 1, "yscale_interval": 1, "sort_x_axis": "alpha_asc", "sort_y_axis": "alpha_desc"}
        look = {"normalize_across": "heatmap", "legend_type": "continuous", "show_legend": True, "show_percentage": False}
        look |= {"show_values": self.values, "linear_color_scheme": "listening_contrast" if self.contrast else RAMP}
        look |= {"left_margin": "auto", "bottom_margin": 25, "value_bounds": list(self.bounds)}
        return {"x_axis": self.x, "groupby": self.y, "metric": self.metric, **axes, **look} | {
            "y_axis_format": given.formats[self.metric],
            "x_axis_label_rotation": self.rotate,
        }


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
            look |= {"show_labels_threshold": 3, **_legend(True)}
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
        return {"groupby": self.by, "metrics": self.metrics, **look, **_legend(True)}


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
        return {"source": self.source, "target": self.target, "metric": self.metric, "layout": "circular", **_legend(False)}


class Histogram(Chart):
    """How a column's values are distributed."""

    kind: Literal["histogram"]
    viz: ClassVar[str] = "histogram_v2"
    column: str
    by: list[str] = []
    bins: int = 30
    share: bool = False
    x_title: str = ""
    y_title: str = ""

    @property
    def caption(self) -> str:
        return _with_axes(self.note, self.x_title, self.y_title)

    def dimensions(self) -> list[str]:
        return [self.column, *self.by]

    def params(self, given: Given) -> dict[str, Any]:
        look = {"normalize": self.share, **_legend(bool(self.by))}
        return {"column": self.column, "groupby": self.by, "bins": self.bins, **look}


class Bubble(Chart):
    """One circle per `entity`, placed and sized by three metrics, coloured by `series`."""

    kind: Literal["bubble"]
    viz: ClassVar[str] = "bubble_v2"
    entity: str
    x: str
    y: str
    size: str
    series: str = ""
    x_title: str = ""
    y_title: str = ""

    def dimensions(self) -> list[str]:
        return [self.entity, *([self.series] if self.series else [])]

    def measures(self) -> list[str]:
        return [self.x, self.y, self.size]

    def params(self, given: Given) -> dict[str, Any]:
        axes = {"x_axis_label": self.x_title, "y_axis_label": self.y_title, "x_axis_title_margin": 30, "y_axis_title_margin": 50}
        axes |= {"xAxisFormat": given.formats[self.x], "y_axis_format": given.formats[self.y], "max_bubble_size": "25"}
        names = {"entity": self.entity, "series": self.series or None, "x": self.x, "y": self.y, "size": self.size}
        return {**names, **axes, "opacity": 0.6, **_legend(bool(self.series))}


class Custom(Chart):
    """Any other of Superset's: `viz_type` and its parameters in `options`; `by` and `metrics` say what they name."""

    kind: Literal["custom"]
    viz_type: str
    by: list[str] = []
    metrics: list[str] = []

    @property
    def drawn_as(self) -> str:
        return self.viz_type

    def dimensions(self) -> list[str]:
        return self.by

    def measures(self) -> list[str]:
        return self.metrics

    def params(self, given: Given) -> dict[str, Any]:
        return {}


AnyChart = Annotated[
    Number | Trend | Series | Mixed | Table | Pivot | Heatmap | Parts | Radar | Flow | Histogram | Bubble | Custom,
    Field(discriminator="kind"),
]


def _with_axes(note: str, across: str, down: str) -> str:
    """The note of a chart whose axes Superset gives no titles, or cuts them off."""
    axes = [f"{where}: {title}" for where, title in (("Across", across), ("down", down)) if title]
    return " ".join([note, "; ".join(axes) + "."] if axes else [note]).strip()


def _axis_order(grain: str | None, sort: str, x: str, has_series: bool, from_below: bool) -> dict[str, Any]:
    """Categories by a metric, largest first, or in their own order; times need none. Horizontal bars begin below."""
    if grain:
        return {}
    ascending = bool(sort) == from_below
    series = {"x_axis_sort_series": "sum" if sort else "name", "x_axis_sort_series_ascending": ascending}
    single = {"x_axis_sort": sort or x, "x_axis_sort_asc": ascending}
    return {"xAxisForceCategorical": True, "timeseries_limit_metric": sort or None, **(series if has_series else single)}


def _axes(x_title: str, y_title: str, y_format: str, grain: str | None, bounds: Bounds) -> dict[str, Any]:
    """Titles get a margin only where there are any."""
    margins = {"x_axis_title_margin": 30 if x_title else 0, "y_axis_title_margin": 45 if y_title else 0}
    time = TIMES[grain] if grain else "%Y-%m-%d"
    formats = {"y_axis_format": y_format, "x_axis_time_format": time, "tooltipTimeFormat": time}
    look = {
        "rich_tooltip": True,
        "truncateYAxis": any(b is not None for b in bounds),
        "y_axis_bounds": list(bounds),
        "xAxisLabelRotation": 0,
    }
    return {"x_axis_title": x_title, "y_axis_title": y_title, "y_axis_title_position": "Left", **margins, **formats, **look}


def _legend(show: bool) -> dict[str, Any]:
    return {"show_legend": show, "legendType": "scroll", "legendOrientation": "top"}
