"""What really differs between weekends and weekdays, and between the parts of the day?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from report.charts import chart, quiet_axis, spec, tip
from report.formats import feature
from report.reader import Reader, Row
from report.section import Chart, Section, not_built

TITLE = "What really differs?"
WEEKEND, DRIVERS = "gold.weekend_effects", "gold.part_of_day_drivers"
TESTS = ["feature_name", "difference", "difference_low", "difference_high", "effect_size", "p_corrected", "is_significant"]
# Features between 0 and 1 share an axis; the others stand in the table only.
OTHER_UNITS = ("tempo", "loudness", "minutes_per_active_day")
DRAWN = 12
EXPLANATION = (
    "Only differences that survive the correction for testing many at once (Holm, p < 0.05) are listed, the largest effect "
    "first, with 95 % intervals that count days, not single plays. A difference can be real and still too small to hear: "
    "effect sizes below 0.2 are negligible."
)


def section(reader: Reader) -> Section:
    """The significant rows of both tables; how many were tested is said too."""
    if missing := not_built(reader, [WEEKEND, DRIVERS]):
        return Section("contrasts", TITLE, missing=missing)
    weekend = reader.rows(WEEKEND, [*TESTS, "weekend_mean", "weekday_mean", "n_weekend", "n_weekday", "measured_share"])
    drivers = reader.rows(DRIVERS, [*TESTS, "part_of_day", "mean", "rest_mean", "n", "rest_n"])
    if not any(r["p_corrected"] is not None for r in weekend + drivers):
        text = (
            "Nothing could be tested: that takes at least five days on each side, and for the sound of the music known features."
        )
        return Section("contrasts", TITLE, missing=text)
    found = [
        {
            "what": "weekend",
            "against": "weekdays",
            "a": r["weekend_mean"],
            "b": r["weekday_mean"],
            **_n(r["n_weekend"], r["n_weekday"]),
            **r,
        }
        for r in weekend
    ]
    parts = [
        {
            "what": r["part_of_day"],
            "against": "rest of the day",
            "a": r["mean"],
            "b": r["rest_mean"],
            **_n(r["n"], r["rest_n"]),
            **r,
        }
        for r in drivers
    ]
    of_day = "Hours of the day (UTC) against the rest of it" if reader.listener.utc else "Parts of the day against the rest of it"
    values: dict[str, Any] = {"groups": [_group("Weekend against weekdays", found), _group(of_day, parts)]}
    real = _real(found + parts)
    values["largest"] = abs(real[0]["effect_size"]) if real and real[0]["effect_size"] is not None else None
    values["measured"] = next((r["measured_share"] for r in weekend if r["measured_share"] is not None), None)
    return Section("contrasts", TITLE, EXPLANATION, values, _charts(real))


def _n(here: int, there: int) -> Row:
    return {"n_here": here, "n_there": there}


def _real(rows: Sequence[Row]) -> list[Row]:
    return sorted(
        (r for r in rows if r["is_significant"]), key=lambda r: (-abs(r["effect_size"] or 0), r["what"], r["feature_name"])
    )


def _group(title: str, rows: Sequence[Row]) -> Row:
    tested = [r for r in rows if r["p_corrected"] is not None]
    return {"title": title, "rows": _real(rows), "tested": len(tested)}


def _charts(real: Sequence[Row]) -> dict[str, Chart]:
    same_unit = [r for r in real if r["feature_name"] not in OTHER_UNITS][:DRAWN]
    if not same_unit:
        return {}
    label = f"The {len(same_unit)} largest differences on the scale from 0 to 1 with 95 % intervals; the tables hold the figures."
    return {"contrasts": Chart(label, _forest(same_unit))}


def _forest(rows: Sequence[Row]) -> dict[str, Any]:
    data = [
        {
            "name": f"{r['what']}: {feature(r['feature_name']).split(' (')[0]}",
            "d": r["difference"],
            "low": r["difference_low"],
            "high": r["difference_high"],
            "e": r["effect_size"],
        }
        for r in rows
    ]
    base = chart(data, len(data) * 24)
    y = alt.Y("name:N", sort=[r["name"] for r in data], axis=quiet_axis(labelLimit=180))
    tips = [
        tip("name:N", "what"),
        tip("d:Q", "difference", "+.3f"),
        tip("low:Q", "from", "+.3f"),
        tip("high:Q", "to", "+.3f"),
        tip("e:Q", "Cohen's d", "+.2f"),
    ]
    axis = quiet_axis(grid=True, format="+.2f", tickCount=5)
    zero = chart([{"x": 0}], len(data) * 24).mark_rule(color="var(--muted)", aria=False).encode(x="x:Q")
    bars = base.mark_rule(strokeWidth=3, strokeCap="round", color="var(--ramp-3)", aria=False).encode(
        y=y, x=alt.X("low:Q", axis=axis), x2="high:Q", tooltip=tips
    )
    dots = base.mark_point(filled=True, size=70, opacity=1, color="var(--ramp-5)", aria=False).encode(y=y, x="d:Q", tooltip=tips)
    return spec(alt.LayerChart(layer=[zero, bars, dots], width="container", height=len(data) * 24))
