"""Where charts stand: rows of twelve columns, heights in units of 8 pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bi.dashboards.chart import Chart
from bi.dashboards.declaration import COLUMNS, Dashboard, Row

UNIT = 8
# The title stands in the chart's box, a note takes a line more.
NOTE_PIXELS = 16
TEXT_UNITS = 6
STYLE = """\
.chart-slice .header-title { font-weight: 600; -webkit-line-clamp: 6 !important; }
.header-title::after { display: block; font-size: 12px; font-weight: 400; color: #5a646b; white-space: normal; }
[data-test-viz-type="big_number_total"] .header-title { font-size: 13px; color: #5a646b; }
[data-test-viz-type="big_number_total"] .filter-counts { display: none; }
[data-test-viz-type^="big_number"] .header-line { color: #0b6b62 !important; font-weight: 600; }
.slice_container [aria-label="empty"] ~ * > p { font-size: 0; }
.slice_container [aria-label="empty"] ~ * > p::after { font-size: 14px; content: "Nothing here for what is chosen above."; }
.slice_container [aria-label="empty"] ~ * > .ant-empty-description { display: none; }"""


def position(dashboard: Dashboard, charts: Mapping[str, tuple[int, str]]) -> dict[str, Any]:
    """Superset's position of each part; `charts`: key -> (id within the bundle, uuid)."""
    rows = {f"ROW-{number}": row for number, row in enumerate(dashboard.rows, start=1)}
    grid = {"type": "GRID", "id": "GRID_ID", "children": list(rows), "parents": ["ROOT_ID"]}
    placed: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": grid,
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.title}},
    }
    for row_id, row in rows.items():
        parts = _text(row_id, row) if row.text else _charts(row_id, row, charts)
        parents = ["ROOT_ID", "GRID_ID"]
        look = {"background": "BACKGROUND_TRANSPARENT"}
        placed[row_id] = {"type": "ROW", "id": row_id, "children": list(parts), "parents": parents, "meta": look}
        placed |= parts
    return placed


def css(charts: Sequence[Chart]) -> str:
    """The style of all dashboards, each chart's note (Superset 6.1 does not show descriptions itself) and what no rows mean."""
    lines = [STYLE]
    for chart in charts:
        its = f"[data-test-chart-name={_quoted(chart.title)}]"
        if chart.caption:
            lines.append(f"{its} .header-title::after {{ content: {_quoted(chart.caption)}; }}")
        if chart.empty:
            lines.append(f'{its} .slice_container [aria-label="empty"] ~ * > p::after {{ content: {_quoted(chart.empty)}; }}')
        if "limit" in chart.model_fields_set:
            # Who asks for the first ten need not be warned that there are more.
            lines.append(f'{its} [data-test="warning"] {{ display: none; }}')
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A CSS string: what could end it is written as a number."""
    return '"' + "".join(c if c.isalnum() or c in " .,:;?!()-+'%/=" else f"\\{ord(c):x} " for c in text) + '"'


def height(row: Row) -> int:
    """Pixels of a row of charts."""
    return row.height or max(chart.tall + (NOTE_PIXELS if chart.caption else 0) for chart in row.charts)


def _charts(row_id: str, row: Row, charts: Mapping[str, tuple[int, str]]) -> dict[str, Any]:
    placed = {}
    for chart, width in zip(row.charts, row.widths(), strict=True):
        number, uuid = charts[chart.key]
        meta = {"chartId": number, "uuid": uuid, "sliceName": chart.title, "width": width, "height": height(row) // UNIT}
        name = f"CHART-{chart.key}"
        placed[name] = {"type": "CHART", "id": name, "children": [], "parents": ["ROOT_ID", "GRID_ID", row_id], "meta": meta}
    return placed


def _text(row_id: str, row: Row) -> dict[str, Any]:
    name = f"MARKDOWN-{row_id}"
    meta = {"code": row.text, "width": COLUMNS, "height": (row.height or TEXT_UNITS * UNIT) // UNIT}
    return {name: {"type": "MARKDOWN", "id": name, "children": [], "parents": ["ROOT_ID", "GRID_ID", row_id], "meta": meta}}
