"""What was heard most, over all time and in each year?"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow.dataset as ds

from report.reader import Reader, Row
from report.section import Section, not_built

SHOWN = 10
FIGURES = ["period_type", "period_start", "rank", "listen_count", "minutes", "share_of_listens"]
LISTS = {
    "Artists": ("gold.top_artists", ["artist_name"]),
    "Tracks": ("gold.top_tracks", ["track_name", "artist_name"]),
    "Genres": ("gold.top_genres", ["genre"]),
}
NO_GENRES = "No genre is known: they come from the catalogue, which is missing or covers none of these plays."


def section(reader: Reader) -> Section:
    """The ten first of each chart; every period is a table of its own, and a selector shows one."""
    title = "What was heard most?"
    wanted = (ds.field("rank") <= SHOWN) & ds.field("period_type").isin(["all_time", "year"])
    found: dict[str, dict[str, list[Row]]] = defaultdict(dict)
    for name, (table, names) in LISTS.items():
        for period, rows in _by_period(reader.rows(table, FIGURES + names, wanted)).items():
            found[period][name] = [_entry(row, names) for row in rows]
    if missing := not_built(reader, [table for table, _ in LISTS.values()]):
        return Section("top", title, missing=missing)
    if not found:
        return Section("top", title, missing="There is no listen (a play of 30 s or more) yet.")
    periods = sorted(found, key=lambda p: (p != "All time", -int(p) if p.isdigit() else 0))
    empty = {"Genres": NO_GENRES, "Artists": "No play names an artist.", "Tracks": "There is no listen in this period."}
    values: dict[str, Any] = {"periods": periods, "lists": dict(found), "names": list(LISTS), "empty": empty}
    text = "Counted in listens: plays of 30 s or more. A listen counts for each genre of its track."
    return Section("top", title, text, values)


def _by_period(rows: list[Row]) -> dict[str, list[Row]]:
    periods: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: r["rank"]):
        periods["All time" if row["period_type"] == "all_time" else str(row["period_start"].year)].append(row)
    return periods


def _entry(row: Row, names: list[str]) -> Row:
    return row | {"name": row[names[0]], "by": row[names[1]] if len(names) > 1 else None}
