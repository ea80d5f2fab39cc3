"""At which hours of the week?"""

from __future__ import annotations

import altair as alt

from report.charts import RAMP, chart, quiet_axis, spec, tip
from report.reader import Reader
from report.section import Chart, Section, not_built

TITLE = "At which hours of the week?"
TABLE = "gold.listening_patterns_by_time"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def section(reader: Reader) -> Section:
    """Hours listened by weekday and hour; an hour without a play has none."""
    utc = reader.listener.utc
    rows = reader.rows(TABLE, ["day_of_week", "hour_of_day", "minutes", "listen_count"])
    if missing := not_built(reader, [TABLE]) or (None if rows else "There is no play yet."):
        return Section("week", TITLE, missing=missing)
    minutes = {(r["day_of_week"], r["hour_of_day"]): r["minutes"] for r in rows}
    listens = {(r["day_of_week"], r["hour_of_day"]): r["listen_count"] for r in rows}
    cells = [
        {"day": DAYS[day - 1], "hour": hour, "h": round(minutes.get((day, hour), 0) / 60, 2), "n": listens.get((day, hour), 0)}
        for day in range(1, 8)
        for hour in range(24)
    ]
    fullest = max(cells, key=lambda c: c["h"])
    drawn = (
        chart(cells, 7 * 26)
        .mark_rect(cornerRadius=3, aria=False)
        .encode(
            x=alt.X(
                "hour:O", scale=alt.Scale(paddingInner=0.1), axis=quiet_axis(labelOverlap=True, title=f"hour of the day{utc}")
            ),
            y=alt.Y(
                "day:O", sort=list(DAYS), scale=alt.Scale(paddingInner=0.1), axis=quiet_axis(labelExpr="slice(datum.value, 0, 3)")
            ),
            color=alt.Color(
                "h:Q",
                scale=alt.Scale(range=["var(--empty)", *RAMP], interpolate="lab"),
                legend=alt.Legend(title="hours in all", orient="bottom", direction="horizontal", gradientLength=180),
            ),
            tooltip=[
                tip("day:N", "day"),
                tip("hour:O", f"hour from{utc}"),
                tip("h:Q", "hours listened", ",.1f"),
                tip("n:Q", "listens", ","),
            ],
        )
    )
    label = f"Heat map of hours listened by weekday and hour; the fullest is {fullest['day']} at {fullest['hour']} o'clock{utc}."
    table = [(day, [minutes.get((number, hour), 0) / 60 for hour in range(24)]) for number, day in enumerate(DAYS, 1)]
    text = f"All the hours of the history, told in the time zone {reader.listener.timezone}."
    if reader.listener.timezone is None:
        text = "All the hours of the history, in UTC: the time zone is unknown (`lakehouse run --timezone ZONE` sets it)."
    return Section("week", TITLE, text, {"table": table, "fullest": fullest, "utc": utc}, {"week": Chart(label, spec(drawn))})
