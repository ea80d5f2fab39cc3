"""Answers from the tables of gold, and of silver where gold has no figure of that grain: one listener's rows, no engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pydantic import BaseModel

from service.api import answers
from service.api.periods import ALL_TIME, end_of, start_of
from service.api.queries import NowQuery, Page, PeriodType, RecommendationsQuery, StatsQuery, TopQuery, YearQuery
from service.api.snapshots import Row, Snapshots

PLAYS = "silver.listening_with_features"
DAYS = "gold.daily_listening"
ARTISTS, TRACKS, GENRES = "gold.top_artists", "gold.top_tracks", "gold.top_genres"
RECOMMENDED = "gold.user_recommendations"
YEARS = "gold.year_in_music"
ADDED = ("plays", "listens", "minutes", "skips", "new_tracks", "new_artists")
"""figures of dates that may be summed; distinct counts may not"""


class NotThereError(Exception):
    """What was asked for does not exist; the message says what does."""


def now(snapshots: Snapshots, listener: str, query: NowQuery, playing: Mapping[str, Any] | None) -> answers.Now:
    """`playing` is what the listener's player says it plays."""
    newest = pc.max(snapshots.read(PLAYS, listener, ["play_number"])["play_number"]).as_py()
    last = []
    if newest is not None:
        columns = [*answers.Play.model_fields, "play_number"]
        last = snapshots.rows(PLAYS, listener, columns, ds.field("play_number") > newest - query.limit)
    last.sort(key=lambda row: -row["play_number"])
    return answers.Now(
        **_head(snapshots, listener),
        playing_now=None if playing is None else answers.PlayingNow(**{name: _text(value) for name, value in playing.items()}),
        last_plays=[answers.Play(**_less(row, "play_number")) for row in last],
    )


def stats(snapshots: Snapshots, listener: str, query: StatsQuery) -> answers.Stats:
    """Zeros where nothing was played."""
    period, where = _asked_dates(snapshots, listener, query)
    days = snapshots.rows(DAYS, listener, ["date", *ADDED], where)
    tracks, artists = _distinct(snapshots, listener, where)
    busiest = min(days, key=lambda day: (-day["minutes"], day["date"]), default=None)
    return answers.Stats(
        **_head(snapshots, listener),
        period=period,
        **{name: sum(day[name] for day in days) for name in ADDED},
        active_days=len(days),
        busiest_date=None if busiest is None else busiest["date"],
        unique_tracks=tracks,
        unique_artists=artists,
    )


def top_artists(snapshots: Snapshots, listener: str, query: TopQuery) -> answers.TopArtists:
    """A part of gold.top_artists."""
    period, rows = _chart(snapshots, listener, query, ARTISTS, answers.RankedArtist)
    items = [answers.RankedArtist(**row) for row in _page(rows, query)]
    return answers.TopArtists(**_listed(snapshots, listener, query, len(rows)), period=period, items=items)


def top_tracks(snapshots: Snapshots, listener: str, query: TopQuery) -> answers.TopTracks:
    """A part of gold.top_tracks."""
    period, rows = _chart(snapshots, listener, query, TRACKS, answers.RankedTrack)
    items = [answers.RankedTrack(**row) for row in _page(rows, query)]
    return answers.TopTracks(**_listed(snapshots, listener, query, len(rows)), period=period, items=items)


def top_genres(snapshots: Snapshots, listener: str, query: TopQuery) -> answers.TopGenres:
    """A part of gold.top_genres."""
    period, rows = _chart(snapshots, listener, query, GENRES, answers.RankedGenre)
    items = [answers.RankedGenre(**row) for row in _page(rows, query)]
    return answers.TopGenres(**_listed(snapshots, listener, query, len(rows)), period=period, items=items)


def recommendations(snapshots: Snapshots, listener: str, query: RecommendationsQuery) -> answers.Recommendations:
    """A part of one list of gold.user_recommendations."""
    rows = snapshots.rows(RECOMMENDED, listener, list(answers.Recommendation.model_fields), ds.field("list") == query.list)
    rows.sort(key=lambda row: row["rank"])
    items = [answers.Recommendation(**row) for row in _page(rows, query)]
    return answers.Recommendations(**_listed(snapshots, listener, query, len(rows)), list=query.list, items=items)


def year_in_music(snapshots: Snapshots, listener: str, query: YearQuery) -> answers.YearInMusic:
    """A row of gold.year_in_music. Raises NotThereError for a year without plays."""
    rows = {row["year"]: row for row in snapshots.rows(YEARS, listener, list(answers.Year.model_fields))}
    year = max(rows, default=None) if query.year is None else query.year
    if year not in rows:
        raise NotThereError("there are no plays yet" if query.year is None else f"there are no plays in {query.year}")
    return answers.YearInMusic(**_head(snapshots, listener), years=sorted(rows), year=answers.Year(**rows[year]))


def _head(snapshots: Snapshots, listener: str) -> dict[str, Any]:
    return {"listener": listener, "snapshot": snapshots.versions}


def _listed(snapshots: Snapshots, listener: str, query: Page, total: int) -> dict[str, Any]:
    return {**_head(snapshots, listener), "total": total, "limit": query.limit, "offset": query.offset}


def _page(rows: Sequence[Row], query: Page) -> Sequence[Row]:
    return rows[query.offset : query.offset + query.limit]


def _chart(
    snapshots: Snapshots, listener: str, query: TopQuery, table: str, item: type[BaseModel]
) -> tuple[answers.Period, list[Row]]:
    """The chart of the period that was asked for, by rank."""
    of_type = ds.field("period_type") == query.period
    if query.date is None or query.period == ALL_TIME:
        start = pc.max(snapshots.read(table, listener, ["period_start"], of_type)["period_start"]).as_py()
    else:
        start = start_of(query.period, query.date)
    if start is None:
        return _period(query.period, None), []
    rows = snapshots.rows(table, listener, list(item.model_fields), of_type & (ds.field("period_start") == start))
    return _period(query.period, start), sorted(rows, key=lambda row: int(row["rank"]))


def _period(kind: PeriodType, start: dt.date | None) -> answers.Period:
    return answers.Period(type=kind, start=start, end=None if start is None else end_of(kind, start))


def _asked_dates(snapshots: Snapshots, listener: str, query: StatsQuery) -> tuple[answers.Period, ds.Expression | None]:
    """The period that was asked for, and the condition on dates in it; None for all of them."""
    if query.period != ALL_TIME and query.date is not None:
        start = start_of(query.period, query.date)
    else:
        ends = pc.min_max(snapshots.read(DAYS, listener, ["date"])["date"]).as_py()
        if ends["min"] is None:
            return _period(query.period, None), ds.scalar(False)
        start = ends["min"] if query.period == ALL_TIME else start_of(query.period, ends["max"])
    period = _period(query.period, start)
    return period, None if period.end is None else (ds.field("date") >= start) & (ds.field("date") < period.end)


def _distinct(snapshots: Snapshots, listener: str, where: ds.Expression | None) -> tuple[int, int]:
    """Number of tracks and artists with a listen; a play counts for every artist that a correction splits its credit into."""
    listened = ds.field("is_listen") if where is None else ds.field("is_listen") & where
    plays = snapshots.read(PLAYS, listener, ["track_id", "artist_key", "further_artist_keys"], listened)
    if not plays.num_rows:
        return 0, 0
    further = pc.list_flatten(plays["further_artist_keys"])
    artists = pa.chunked_array([*plays["artist_key"].chunks, *further.chunks], pa.string())
    return pc.count_distinct(plays["track_id"]).as_py(), pc.count_distinct(artists).as_py()


def _text(value: str | None) -> str | None:
    """A player may send half a surrogate pair, which no UTF-8 can hold."""
    return None if value is None else value.encode("utf-8", "replace").decode()


def _less(row: Row, name: str) -> Row:
    return {key: value for key, value in row.items() if key != name}
