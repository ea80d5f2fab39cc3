"""Which days were full of music, and which were silent?"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from typing import Any

import altair as alt

from report.charts import RAMP, chart, quiet_axis, spec, tip
from report.reader import Reader, Row
from report.section import Chart, Section, not_built

TITLE = "Which days had music?"
TABLE = "gold.daily_listening"
# Minutes a day from which the next colour begins.
THRESHOLDS = (15, 60, 120, 240)
LEVELS = ("silent", "under 15", "15 to 60", "60 to 120", "120 to 240", "240 and more")
ROWS_A_YEAR = 8
WEEKS = 54
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def section(reader: Reader) -> Section:
    """A cell a day from the first to the last play, one row of weeks a year."""
    days = sorted(reader.rows(TABLE, ["date", "minutes", "listens"]), key=lambda r: r["date"])
    if missing := not_built(reader, [TABLE]) or (None if days else "There is no day with a play yet."):
        return Section("calendar", TITLE, missing=missing)
    years = _by_year(days)
    label = f"Calendar of {len(days):,} days with a play in {len(years)} years; darker or brighter cells hold more minutes."
    drawn = Chart(label, _spec(days))
    text = "A column is a week, a row a weekday from Monday. Grey days are silent. The table below has the figures by year."
    return Section("calendar", TITLE, text, {"years": years}, {"calendar": drawn})


def _by_year(days: list[Row]) -> list[Row]:
    """Per year, the newest first: days with a play, their minutes, and the fullest day."""
    found = []
    for year in sorted({r["date"].year for r in days}, reverse=True):
        own = [r for r in days if r["date"].year == year]
        fullest = max(own, key=lambda r: r["minutes"])
        found.append({"year": year, "days": len(own), "minutes": sum(r["minutes"] for r in own), "fullest": fullest})
    return found


def _cells(days: list[Row]) -> list[Row]:
    by_date = {r["date"]: r for r in days}
    first, last = days[0]["date"], days[-1]["date"]
    cells = []
    for number in range((last - first).days + 1):
        date = first + dt.timedelta(days=number)
        new_year = dt.date(date.year, 1, 1)
        week = ((date - new_year).days + new_year.weekday()) // 7
        row = (last.year - date.year) * ROWS_A_YEAR + date.weekday()
        cell: dict[str, Any] = {"d": date.isoformat(), "w": week, "r": row, "m": 0, "n": 0, "k": 0}
        if found := by_date.get(date):
            cell |= {"m": round(found["minutes"], 1), "n": found["listens"], "k": 1 + bisect_right(THRESHOLDS, found["minutes"])}
        cells.append(cell)
    return cells


def _spec(days: list[Row]) -> dict[str, Any]:
    newest, years = days[-1]["date"].year, days[-1]["date"].year - days[0]["date"].year + 1
    starts = [round((dt.date(2023, month, 1) - dt.date(2023, 1, 1)).days / 7) for month in range(1, 13)]
    month = " : ".join(f"datum.value == {start} ? '{name}'" for start, name in zip(starts, MONTHS, strict=True)) + " : ''"
    month_axis = quiet_axis(values=starts, labelExpr=month, orient="top", labelOverlap=True, labelAlign="left")
    year_axis = quiet_axis(values=[n * ROWS_A_YEAR + 3 for n in range(years)], labelExpr=f"{newest} - floor(datum.value / 8)")
    labels = " : ".join(f"datum.value == {level} ? '{text}'" for level, text in enumerate(LEVELS)) + " : ''"
    legend = alt.Legend(title="minutes a day", orient="bottom", symbolType="square", columns=0, labelExpr=labels)
    drawn = (
        chart(_cells(days), years * ROWS_A_YEAR * 12)
        .mark_rect(cornerRadius=2, aria=False)
        .encode(
            x=alt.X("w:O", scale=alt.Scale(domain=list(range(WEEKS)), paddingInner=0.15, paddingOuter=0), axis=month_axis),
            y=alt.Y("r:O", scale=alt.Scale(domain=list(range(years * ROWS_A_YEAR)), paddingInner=0.15), axis=year_axis),
            color=alt.Color(
                "k:O", scale=alt.Scale(domain=list(range(len(LEVELS))), range=["var(--empty)", *RAMP]), legend=legend
            ),
            tooltip=[tip("d:T", "day", "%a %e %b %Y"), tip("m:Q", "minutes", ",.0f"), tip("n:Q", "listens", ",")],
        )
    )
    return spec(drawn) | {"usermeta": {"columns": WEEKS, "rows": years * ROWS_A_YEAR}}
