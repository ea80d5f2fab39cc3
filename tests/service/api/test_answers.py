"""What the API promises agrees with what the tables declare, so that no null and no other type can surprise it."""

from __future__ import annotations

import datetime as dt
import types
import typing

import pytest
from pydantic import BaseModel

from lakehouse.plan import graph
from service.api import answers, reading
from service.api.endpoints import ENDPOINTS, PREFIX
from service.api.openapi import document
from service.api.periods import end_of, start_of

TYPES = {"string": str, "int": int, "bigint": int, "double": float, "boolean": bool, "date": dt.date, "timestamp": dt.datetime}
ROWS = [
    (answers.Play, reading.PLAYS),
    (answers.RankedArtist, reading.ARTISTS),
    (answers.RankedTrack, reading.TRACKS),
    (answers.RankedGenre, reading.GENRES),
    (answers.Recommendation, reading.RECOMMENDED),
    (answers.Year, reading.YEARS),
]


@pytest.mark.parametrize(("answer", "table"), ROWS, ids=[table for _, table in ROWS])
def test_a_row_has_the_types_and_the_nulls_of_its_table(answer: type[BaseModel], table: str) -> None:
    declared = graph.load()[table]
    columns = {column.name: column for column in declared.columns}
    hints = typing.get_type_hints(answer)
    for name in answer.model_fields:
        members = typing.get_args(hints[name]) if isinstance(hints[name], types.UnionType) else (hints[name],)
        may_be_null = columns[name].nullable and name not in declared.key
        assert (types.NoneType in members) == may_be_null, name
        assert TYPES[columns[name].type] in members, name


def test_what_is_added_up_and_filtered_by_exists() -> None:
    tables = graph.load()
    wanted = {
        reading.DAYS: {"date", *reading.ADDED},
        reading.PLAYS: {"play_number", "is_listen", "date", "track_id", "artist_key", "further_artist_keys"},
        **{chart: {"period_type", "period_start"} for chart in (reading.ARTISTS, reading.TRACKS, reading.GENRES)},
        reading.RECOMMENDED: {"list"},
    }
    lacking = {table: names - {column.name for column in tables[table].columns} for table, names in wanted.items()}
    assert {table: names for table, names in lacking.items() if names} == {}


def test_the_description_has_every_endpoint_and_every_parameter() -> None:
    described = document()
    assert described["openapi"] == "3.1.0"
    assert described["servers"] == [{"url": PREFIX}]
    assert set(described["paths"]) == {endpoint.path for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS:
        operation = described["paths"][endpoint.path]["get"]
        assert [one["name"] for one in operation["parameters"]] == list(endpoint.query.model_fields)
        assert all(one["description"] and "null" not in str(one["schema"]) for one in operation["parameters"])
        assert operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith(
            f"/{endpoint.answer.__name__}"
        )


PERIODS = [
    ("week", "2026-11-30", "2026-11-30", "2026-12-07"),
    ("week", "2027-01-03", "2026-12-28", "2027-01-04"),
    ("month", "2024-02-29", "2024-02-01", "2024-03-01"),
    ("month", "2026-12-31", "2026-12-01", "2027-01-01"),
    ("quarter", "2026-12-31", "2026-10-01", "2027-01-01"),
    ("quarter", "2026-05-15", "2026-04-01", "2026-07-01"),
    ("year", "2024-02-29", "2024-01-01", "2025-01-01"),
    ("year", "2199-12-31", "2199-01-01", "2200-01-01"),
]


@pytest.mark.parametrize(("kind", "date", "start", "end"), PERIODS)
def test_periods_are_those_of_the_calendar(kind: typing.Any, date: str, start: str, end: str) -> None:
    assert start_of(kind, dt.date.fromisoformat(date)).isoformat() == start
    assert str(end_of(kind, dt.date.fromisoformat(start))) == end
