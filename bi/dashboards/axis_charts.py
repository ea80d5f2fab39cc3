"""Charts with two axes: series, heat maps, histograms and bubbles."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from bi.dashboards.chart import GRAINS, RAMP, Bounds, Chart, Given, Grain, Names, axes, axis_order, in_quarters, legend, with_axes

FEW: tuple[Grain, ...] = ("month", "quarter", "year")


class Series(Chart):
    """Lines, areas, bars or points along an axis of time, numbers or categories."""

    kind: Literal["line", "area", "bar", "scatter"]
    x: str
    metrics: list[str]
    by: Names
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
            **axis_order(self.grain, self.sort, self.x, bool(self.by), self.horizontal),
            "contributionMode": "row" if self.share else None,
            "stack": "Stack" if self.stack or self.share else None,
            "orientation": "horizontal" if self.horizontal else "vertical",
            "seriesType": "line",
            "opacity": 0.7 if self.kind == "area" else 0.2,
            # Of few positions each is to be seen, above all where there is only one.
            "markerEnabled": self.kind == "scatter" or (self.kind == "line" and self.grain in FEW),
            "markerSize": 5,
            "show_value": self.values,
            **axes(self.x_title, self.y_title, y_format, self.grain, self.bounds),
            **in_quarters((self.share or self.bounds == (0, 1)) and not self.horizontal),
            **legend(len(self.metrics) > 1 or bool(self.by)),
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
            **axis_order(self.grain, self.sort, self.x, False, False),
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
            **axes(self.x_title, self.y_title, given.formats[self.metrics[0]], self.grain, self.bounds),
            **legend(True),
        }


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
        return with_axes(self.note, self.x_title, self.y_title)

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


class Histogram(Chart):
    """How a column's values are distributed."""

    kind: Literal["histogram"]
    viz: ClassVar[str] = "histogram_v2"
    column: str
    by: Names
    bins: int = 30
    share: bool = False
    x_title: str = ""
    y_title: str = ""

    @property
    def caption(self) -> str:
        return with_axes(self.note, self.x_title, self.y_title)

    def dimensions(self) -> list[str]:
        return [self.column, *self.by]

    def params(self, given: Given) -> dict[str, Any]:
        look = {"normalize": self.share, **legend(bool(self.by))}
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
        return {**names, **axes, "opacity": 0.6, **legend(bool(self.series))}
