"""How does the mood of the music move over the years and through the day, and how much of that is measured?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import altair as alt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from music.audio_features import STAND_IN
from report.charts import chart, quiet_axis, spec, tip
from report.formats import MOODS
from report.reader import Reader, Row
from report.section import NO_FEATURES, Chart, Section, not_built

TITLE = "Which moods, and how sure is that?"
TABLE = "silver.listening_with_features"
COLUMNS = ["date", "hour_of_day", "mood_category", "feature_source", "is_measured"]
MEASURED, ESTIMATED, UNKNOWN = "measured", "estimated", "not known"
MANY_MONTHS = 36
# A share of fewer listens than this could be anything.
FEW = 30
EXPLANATION = (
    "A mood is a quadrant of valence (positiveness) and energy, both 0 to 1; what lies between the corners is neutral. "
    "Shares are of the listens whose mood is known; made-up features never count."
)


def section(reader: Reader) -> Section:
    """Shares of moods by month (or quarter) and by hour, from counts of listens: no gold table has moods by both."""
    if missing := not_built(reader, [TABLE]):
        return Section("moods", TITLE, missing=missing)
    counts = _counts(reader)
    total = sum(counts.values())
    known = sum(n for (_, _, mood, _), n in counts.items() if mood)
    if not known:
        return Section("moods", TITLE, missing=NO_FEATURES if total else "There is no listen (a play of 30 s or more) yet.")
    measured = sum(n for (_, _, _, source), n in counts.items() if source == MEASURED)
    months = {month for month, *_ in counts}
    unit = "quarter" if len(months) > MANY_MONTHS else "month"
    over_time = _shares({(_period(m, unit), mood, s): 0 for m, _, mood, s in counts}, counts, unit)
    by_hour = _shares({(hour, mood, s): 0 for _, hour, mood, s in counts}, counts, "hour")
    overall = Counter[str]()
    for (_, _, mood, _), n in counts.items():
        if mood:
            overall[mood] += n
    values = {
        "total": total,
        "known": known,
        "measured": measured,
        "unit": unit,
        "few": FEW,
        "overall": [(MOODS[mood], overall[mood], overall[mood] / known) for mood in MOODS if overall[mood]],
        "years": _by_year(counts),
        "clock": "by hour (UTC)" if reader.listener.utc else "by local hour",
    }
    return Section("moods", TITLE, EXPLANATION, values, _charts(over_time, by_hour, unit, measured / total, reader.listener.utc))


def _counts(reader: Reader) -> Counter[tuple[str, int, str | None, str]]:
    """Listens by month (YYYY-MM), hour, mood (None where unknown) and how the mood is known."""
    found: Counter[tuple[str, int, str | None, str]] = Counter()
    keys = ["month", "hour_of_day", "mood", "source"]
    for batch in reader.scan(TABLE, COLUMNS, ds.field("is_listen")).to_batches():
        is_known = pc.and_(
            pc.is_valid(batch["mood_category"]), pc.fill_null(pc.not_equal(batch["feature_source"], STAND_IN), False)
        )
        certainty = pc.if_else(batch["is_measured"], pa.scalar(MEASURED), pa.scalar(ESTIMATED))
        small = pa.table(
            {
                "month": pc.strftime(batch["date"], "%Y-%m"),
                "hour_of_day": batch["hour_of_day"],
                "mood": pc.if_else(is_known, batch["mood_category"], pa.scalar(None, pa.string())),
                "source": pc.if_else(is_known, certainty, pa.scalar(UNKNOWN)),
            }
        )
        for row in small.group_by(keys).aggregate([([], "count_all")]).to_pylist():
            found[row["month"], row["hour_of_day"], row["mood"], row["source"]] += row["count_all"]
    return found


def _period(month: str, unit: str) -> str:
    """The first day of the month, or of its quarter."""
    year, number = month.split("-")
    return f"{month}-01" if unit == "month" else f"{year}-{(int(number) - 1) // 3 * 3 + 1:02d}-01"


def _shares(cells: dict[Any, int], counts: Counter[tuple[str, int, str | None, str]], unit: str) -> dict[str, list[Row]]:
    """Per period or hour: `moods`, shares of the known listens, and `certainty`, shares of all listens."""
    for (month, hour, mood, source), n in counts.items():
        cells[hour if unit == "hour" else _period(month, unit), mood, source] += n
    total, known = Counter[Any](), Counter[Any]()
    moods, sources = Counter[Any](), Counter[Any]()
    for (at, mood, source), n in cells.items():
        total[at] += n
        sources[at, source] += n
        if mood:
            known[at] += n
            moods[at, mood] += n
    order = list(MOODS)
    return {
        "moods": [
            {"at": at, "mood": MOODS[mood], "o": order.index(mood), "share": round(n / known[at], 4), "n": n, "known": known[at]}
            for (at, mood), n in sorted(moods.items())
        ],
        "certainty": [
            {"at": at, "source": source, "share": round(n / total[at], 4), "n": n, "total": total[at]}
            for (at, source), n in sorted(sources.items())
        ],
    }


def _by_year(counts: Counter[tuple[str, int, str | None, str]]) -> list[Row]:
    """The table beside the chart: per year, shares of the moods, n, and the share of measured listens."""
    years: dict[str, Counter[str]] = {}
    for (month, _, mood, source), n in counts.items():
        year = years.setdefault(month[:4], Counter())
        year.update({"total": n, "known": n if mood else 0, MEASURED: n if source == MEASURED else 0})
        if mood:
            year[mood] += n
    return [
        {
            "year": year,
            "known": found["known"],
            "measured": found[MEASURED] / found["total"],
            "moods": [found[mood] / found["known"] if found["known"] else None for mood in MOODS],
        }
        for year, found in sorted(years.items(), reverse=True)
    ]


def _charts(
    over_time: dict[str, list[Row]], by_hour: dict[str, list[Row]], unit: str, measured: float, utc: str
) -> dict[str, Chart]:
    share = f"{measured:.0%} of the listens have measured features."
    return {
        "moods_time": Chart(f"Stacked shares of five moods by {unit}. {share}", _moods(over_time["moods"], unit)),
        "certainty_time": Chart(
            f"Shares of measured, estimated and unknown listens by {unit}.", _certainty(over_time["certainty"], unit)
        ),
        "moods_hour": Chart(
            f"Stacked shares of five moods by hour of the day{utc}. {share}", _moods(by_hour["moods"], "hour", utc)
        ),
        "certainty_hour": Chart(
            f"Shares of measured, estimated and unknown listens by hour{utc}.", _certainty(by_hour["certainty"], "hour", utc)
        ),
    }


def _x(unit: str, utc: str) -> alt.X:
    if unit == "hour":
        scale = alt.Scale(domain=list(range(24)), paddingInner=0.12)
        return alt.X("at:O", scale=scale, axis=quiet_axis(labelOverlap=True, title=f"hour of the day{utc}"))
    time = "yearquarter" if unit == "quarter" else "yearmonth"
    axis = quiet_axis(
        format="%Y" if unit == "quarter" else "%b %Y", tickCount="year" if unit == "quarter" else 6, labelOverlap=True
    )
    return alt.X(f"{time}(at):T", bandPosition=0, axis=axis)


def _when(unit: str, utc: str) -> alt.Tooltip:
    return tip("at:O", f"hour from{utc}") if unit == "hour" else tip("at:T", f"{unit} from", "%B %Y")


def _moods(rows: Sequence[Row], unit: str, utc: str = "") -> dict[str, Any]:
    names = list(MOODS.values())
    colours = alt.Scale(domain=names, range=[f"var(--mood-{n})" for n in range(1, len(names) + 1)])
    drawn = (
        chart(rows, 240)
        .mark_bar(aria=False)
        .encode(
            x=_x(unit, utc),
            y=alt.Y(
                "share:Q",
                stack="zero",
                scale=alt.Scale(domain=[0, 1]),
                axis=quiet_axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
            ),
            color=alt.Color("mood:N", scale=colours, legend=alt.Legend(title=None, orient="top", columns=0, symbolType="square")),
            order=alt.Order("o:O"),
            opacity=alt.condition(f"datum.known < {FEW}", alt.value(0.35), alt.value(1)),
            tooltip=[
                _when(unit, utc),
                tip("mood:N", "mood"),
                tip("share:Q", "share", ".1%"),
                tip("n:Q", "listens", ","),
                tip("known:Q", "n =", ","),
            ],
        )
    )
    return spec(drawn)


def _certainty(rows: Sequence[Row], unit: str, utc: str = "") -> dict[str, Any]:
    colours = alt.Scale(domain=[MEASURED, ESTIMATED, UNKNOWN], range=["var(--ramp-4)", "var(--ramp-2)", "var(--empty)"])
    drawn = (
        chart(rows, 70)
        .mark_bar(aria=False)
        .encode(
            x=_x(unit, utc),
            y=alt.Y("share:Q", stack="zero", scale=alt.Scale(domain=[0, 1]), axis=quiet_axis(format="%", values=[0, 0.5, 1])),
            color=alt.Color("source:N", scale=colours, legend=alt.Legend(title=None, orient="top", symbolType="square")),
            tooltip=[
                _when(unit, utc),
                tip("source:N", "mood is"),
                tip("share:Q", "share", ".1%"),
                tip("n:Q", "listens", ","),
                tip("total:Q", "n =", ","),
            ],
        )
    )
    return spec(drawn)
