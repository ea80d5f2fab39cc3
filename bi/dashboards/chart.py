"""What all kinds of charts have, and how they place axes and legends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

PALETTE = "listening"
RAMP = "listening_ramp"
# How moments are written on an axis of that grain.
TIMES = {"hour": "%a %d %b %H:%M", "day": "%d %b %Y", "week": "%d %b %Y", "month": "%b %Y", "quarter": "%b %Y", "year": "%Y"}
GRAINS = {"hour": "PT1H", "day": "P1D", "week": "P1W", "month": "P1M", "quarter": "P3M", "year": "P1Y"}
Grain = Literal["hour", "day", "week", "month", "quarter", "year"]
Bounds = tuple[float | None, float | None]
Width = Annotated[int, Field(ge=1, le=12)]
Names = Annotated[list[str], Field(default_factory=list)]
"""None, unless said."""


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
    empty: str = ""
    """What no rows mean, in place of Superset's words."""
    id: str = ""
    """What makes it the same chart when its title changes."""
    width: Width | None = None
    where: str = ""
    """SQL condition, its SQL words in capitals."""
    limit: Annotated[int, Field(ge=1, le=50000)] = 10000
    ignores: Names
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


def with_axes(note: str, across: str, down: str) -> str:
    """The note of a chart whose axes Superset gives no titles, or cuts them off."""
    axes = "; ".join(f"{where}: {title}" for where, title in (("across", across), ("down", down)) if title)
    if not axes:
        return note
    sentences = [sentence.removesuffix(".") for sentence in (note, axes[0].upper() + axes[1:]) if sentence]
    return ". ".join(sentences) + "."


def axis_order(grain: str | None, sort: str, x: str, has_series: bool, from_below: bool) -> dict[str, Any]:
    """Categories by a metric, largest first, or in their own order; times need none. Horizontal bars begin below."""
    if grain:
        return {}
    ascending = bool(sort) == from_below
    series = {"x_axis_sort_series": "sum" if sort else "name", "x_axis_sort_series_ascending": ascending}
    single = {"x_axis_sort": sort or x, "x_axis_sort_asc": ascending}
    return {"xAxisForceCategorical": True, "timeseries_limit_metric": sort or None, **(series if has_series else single)}


def axes(x_title: str, y_title: str, y_format: str, grain: str | None, bounds: Bounds) -> dict[str, Any]:
    """Titles get a margin only where there are any."""
    # Between small counts there are ticks too: as whole numbers, 0.4 and 0.2 would both be called 0.
    y_format = ",.1~f" if y_format == ",d" else y_format
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


def in_quarters(is_whole: bool) -> dict[str, Any]:
    """Ticks of an upright axis from 0 to 1: by itself ECharts steps by thirds of 90%, and 90% stands close to 100%."""
    return {"echart_options": "{yAxis: {interval: 0.25}}"} if is_whole else {}


def legend(show: bool) -> dict[str, Any]:
    return {"show_legend": show, "legendType": "scroll", "legendOrientation": "top"}
