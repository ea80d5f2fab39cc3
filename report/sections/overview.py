"""Who listens, and how much? Real and synthetic listeners stand apart."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pyarrow.dataset as ds

from lakehouse.storage import delta
from music.populations import REAL, SYNTHETIC
from report.charts import chart, quiet_axis, spec, tip
from report.formats import name
from report.listeners import Listener
from report.reader import Row
from report.section import Chart, Section

TABLE = ("gold", "user_metrics")
SHOWN, DRAWN = 50, 30
COLUMNS = ["user_id", "plays", "hours", "unique_artists", "first_played_at", "last_played_at", "skip_rate", "measured_share"]


def sections(root: Path, listeners: Sequence[Listener]) -> list[Section]:
    """A section for the real listeners and one for the synthetic ones, where there are any."""
    found = []
    for is_synthetic in (False, True):
        group = [one.name for one in listeners if one.is_synthetic is is_synthetic]
        if group:
            found.append(_section(root, group, is_synthetic=is_synthetic))
    return found


def _section(root: Path, group: Sequence[str], *, is_synthetic: bool) -> Section:
    title = "Synthetic listeners" if is_synthetic else "Who listens, and how much?"
    text = "Made up, to try things out. None of their figures enters those of real listeners." if is_synthetic else ""
    wanted = set(group)
    every = delta.read_rows(root.joinpath(*TABLE), COLUMNS, ds.field("plays") > 0)
    rows = sorted((r for r in every if r["user_id"] in wanted), key=lambda r: (-r["plays"], r["user_id"]))
    if not rows:
        return Section("overview", title, missing="Not built yet: gold.user_metrics. `lakehouse run` builds what is missing.")
    values: dict[str, Any] = {
        "rows": rows[:SHOWN],
        "left": len(rows) - SHOWN,
        "listeners": len(rows),
        "plays": sum(r["plays"] for r in rows),
        "hours": sum(r["hours"] for r in rows),
        "median_hours": statistics.median(r["hours"] for r in rows),
    }
    charts = {SYNTHETIC if is_synthetic else REAL: _chart(rows[:DRAWN])} if len(rows) > 1 else {}
    return Section("overview", title, text, values, charts)


def _chart(rows: Sequence[Row]) -> Chart:
    data = [{"i": n, "name": name(r["user_id"]), "h": round(r["hours"], 1), "p": r["plays"]} for n, r in enumerate(rows)]
    drawn = (
        chart(data, len(data) * 22)
        .mark_bar(cornerRadiusEnd=3, color="var(--ramp-4)", aria=False)
        .encode(
            y=alt.Y("name:N", sort=alt.EncodingSortField("i"), axis=quiet_axis(labelLimit=150)),
            x=alt.X("h:Q", axis=quiet_axis(title="hours listened", grid=True, tickCount=5)),
            tooltip=[tip("name:N", "listener"), tip("h:Q", "hours", ",.1f"), tip("p:Q", "plays", ",")],
        )
    )
    return Chart(f"Hours listened of the {len(data)} listeners with most plays; the table holds the figures.", spec(drawn))
