"""Answers from the tables of gold, and of silver where gold has no figure of that grain: one listener's rows, no engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from service.api import answers
from service.api.periods import ALL_TIME, end_of, start_of
from service.api.queries import NowQuery, Page, PeriodType, RecommendationsQuery, StatsQuery, TopQuery, YearQuery
from service.api.tables import Row, Tables

PLAYS = "silver.listening_with_features"
DAYS = "gold.daily_listening"
ARTISTS, TRACKS, GENRES = "gold.top_artists", "gold.top_tracks", "gold.top_genres"
RECOMMENDED = "gold.user_recommendations"
YEARS = "gold.year_in_music"
ADDED = ("plays", "listens", "minutes", "skips", "new_tracks", "new_artists")
"""figures of dates that may be summed; distinct counts may not"""


class NotThereError(Exception):
    """What was asked for does not exist; the message says what does."""


def now(tables: Tables, listener: str, query: NowQuery, playing: Mapping[str, Any] | None) -> answers.Now:
    """`playing` is what the listener's player says it plays."""
    last = []
    for (newest,) in tables.query(PLAYS, listener, "max(play_number)"):
        columns = [*answers.Play.model_fields, "play_number"]
        last = tables.rows(PLAYS, listener, columns, "play_number > ?", (newest or 0) - query.limit)
    last.sort(key=lambda row: -int(row["play_number"]))
    return answers.Now(
        **_head(tables, listener),
        playing_now=None if playing is None else answers.PlayingNow(**{name: _text(value) for name, value in playing.items()}),
        last_plays=[answers.Play(**_less(row, "play_number")) for row in last],
    )


def stats(tables: Tables, listener: str, query: StatsQuery) -> answers.Stats:
    """Zeros where nothing was played."""
    period, where, values = _asked_dates(tables, listener, query)
    days = tables.rows(DAYS, listener, ["date", *ADDED], where, *values)
    busiest = min(days, key=lambda day: (-day["minutes"], day["date"]), default=None)
    tracks, artists = _distinct(tables, listener, where, values)
    return answers.Stats(
        **_head(tables, listener),
        period=period,
        **{name: sum(day[name] for day in days) for name in ADDED},
        active_days=len(days),
        busiest_date=None if busiest is None else busiest["date"],
        unique_tracks=tracks,
        unique_artists=artists,
    )


def top_artists(tables: Tables, listener: str, query: TopQuery) -> answers.TopArtists:
    """A part of gold.top_artists."""
    period, rows = _chart(tables, listener, query, ARTISTS, answers.RankedArtist)
    items = [answers.RankedArtist(**row) for row in _page(rows, query)]
    return answers.TopArtists(**_listed(tables, listener, query, len(rows)), period=period, items=items)


def top_tracks(tables: Tables, listener: str, query: TopQuery) -> answers.TopTracks:
    """A part of gold.top_tracks."""
    period, rows = _chart(tables, listener, query, TRACKS, answers.RankedTrack)
    items = [answers.RankedTrack(**row) for row in _page(rows, query)]
    return answers.TopTracks(**_listed(tables, listener, query, len(rows)), period=period, items=items)


def top_genres(tables: Tables, listener: str, query: TopQuery) -> answers.TopGenres:
    """A part of gold.top_genres."""
    period, rows = _chart(tables, listener, query, GENRES, answers.RankedGenre)
    items = [answers.RankedGenre(**row) for row in _page(rows, query)]
    return answers.TopGenres(**_listed(tables, listener, query, len(rows)), period=period, items=items)


def recommendations(tables: Tables, listener: str, query: RecommendationsQuery) -> answers.Recommendations:
    """A part of one list of gold.user_recommendations."""
    rows = tables.rows(RECOMMENDED, listener, list(answers.Recommendation.model_fields), "list = ?", query.list)
    rows.sort(key=lambda row: row["rank"])
    items = [answers.Recommendation(**row) for row in _page(rows, query)]
    return answers.Recommendations(**_listed(tables, listener, query, len(rows)), list=query.list, items=items)


def year_in_music(tables: Tables, listener: str, query: YearQuery) -> answers.YearInMusic:
    """A row of gold.year_in_music. Raises NotThereError for a year without plays."""
    rows = {row["year"]: row for row in tables.rows(YEARS, listener, list(answers.Year.model_fields))}
    year = max(rows, default=None) if query.year is None else query.year
    if year not in rows:
        raise NotThereError("there are no plays yet" if query.year is None else f"there are no plays in {query.year}")
    return answers.YearInMusic(**_head(tables, listener), years=sorted(rows), year=answers.Year(**rows[year]))


def _head(tables: Tables, listener: str) -> dict[str, Any]:
    return {"listener": listener, "snapshot": tables.versions}


def _listed(tables: Tables, listener: str, query: Page, total: int) -> dict[str, Any]:
    return {**_head(tables, listener), "total": total, "limit": query.limit, "offset": query.offset}


def _page(rows: Sequence[Row], query: Page) -> Sequence[Row]:
    return rows[query.offset : query.offset + query.limit]


def _chart(tables: Tables, listener: str, query: TopQuery, table: str, item: type[BaseModel]) -> tuple[answers.Period, list[Row]]:
    """The chart of the period that was asked for, by rank."""
    if query.date is None or query.period == ALL_TIME:
        found = tables.query(table, listener, "max(period_start)", "period_type = ?", query.period)
        start = found[0][0] if found else None
    else:
        start = start_of(query.period, query.date)
    if start is None:
        return _period(query.period, None), []
    columns = list(item.model_fields)
    rows = tables.rows(table, listener, columns, "period_type = ? AND period_start = ?", query.period, start)
    return _period(query.period, start), sorted(rows, key=lambda row: int(row["rank"]))


def _period(kind: PeriodType, start: dt.date | None) -> answers.Period:
    return answers.Period(type=kind, start=start, end=None if start is None else end_of(kind, start))


def _asked_dates(tables: Tables, listener: str, query: StatsQuery) -> tuple[answers.Period, str, list[dt.date]]:
    """The period that was asked for, and the condition on dates in it with its values."""
    if query.period != ALL_TIME and query.date is not None:
        start = start_of(query.period, query.date)
    else:
        found = tables.query(DAYS, listener, "min(date), max(date)")
        first, last = found[0] if found else (None, None)
        if first is None:
            return _period(query.period, None), "FALSE", []
        start = first if query.period == ALL_TIME else start_of(query.period, last)
    period = _period(query.period, start)
    return (period, "TRUE", []) if period.end is None else (period, "date >= ? AND date < ?", [start, period.end])


def _distinct(tables: Tables, listener: str, where: str, values: Sequence[dt.date]) -> tuple[int, int]:
    """Number of tracks and artists with a listen; a play counts for every artist that a correction splits its credit into."""
    artists = "list_prepend(artist_key, further_artist_keys)"
    counts = f"count(DISTINCT track_id), len(list_distinct(flatten(list({artists}))))"
    found = tables.query(PLAYS, listener, counts, f"is_listen AND ({where})", *values)
    tracks, artists_heard = found[0] if found else (0, 0)
    return tracks, artists_heard or 0


def _text(value: str | None) -> str | None:
    """A player may send half a surrogate pair, which no UTF-8 can hold."""
    return None if value is None else value.encode("utf-8", "replace").decode()


def _less(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}
