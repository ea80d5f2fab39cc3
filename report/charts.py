"""What the charts share: data inlined as it is drawn, width of the page, axes, tooltips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

RAMP = tuple(f"var(--ramp-{n})" for n in range(1, 6))


def chart(rows: Sequence[Mapping[str, Any]], height: int) -> alt.Chart:
    """A chart over the rows, as wide as its place on the page."""
    data = alt.InlineData(values=[dict(row) for row in rows])
    return alt.Chart(data, height=height, width="container")


def spec(drawn: alt.Chart | alt.LayerChart) -> dict[str, Any]:
    """The chart as Vega-Lite JSON, without what the page sets once for all."""
    content: dict[str, Any] = drawn.to_dict()
    for name in ("config", "$schema"):
        content.pop(name, None)
    return content


def tip(field: str, title: str, format: str | None = None) -> alt.Tooltip:
    """A line of a tooltip."""
    return alt.Tooltip(field, title=title, format=format) if format else alt.Tooltip(field, title=title)


def quiet_axis(**options: Any) -> alt.Axis:
    """An axis that only labels."""
    return alt.Axis(**{"domain": False, "ticks": False, "grid": False, "title": None, "labelAngle": 0} | options)
