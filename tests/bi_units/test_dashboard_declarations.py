"""Declarations of dashboards: what is refused, and what is made of them, without a server."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from bi.dashboards.bundle import OURS, build
from bi.dashboards.chart import with_axes
from bi.dashboards.command import declared, write
from bi.dashboards.declaration import DashboardError, read
from bi.dashboards.layout import css
from lakehouse.plan import graph

SMALL = """
title: Small
description: A small one.
filters: [listener, period]
datasets:
  daily:
    table: gold.daily_listening
    time: date
    metrics:
      plays_sum: {sql: SUM(plays), label: Plays}
  whole:
    sql: SELECT r.source, SUM(r.kept) AS kept FROM ops.reconciliation AS r GROUP BY r.source
    columns: {source: string, kept: bigint}
    metrics:
      kept_sum: {sql: SUM(kept), label: Kept}
rows:
  - charts:
      - {kind: line, title: Plays, data: daily, x: date, grain: day, metrics: [plays_sum], note: 'a "note" \\ </style>', width: 4}
      - {kind: bar, title: Kept, data: whole, x: source, metrics: [kept_sum]}
"""


def folder_with(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "dashboards"
    folder.mkdir()
    (folder / "small.yaml").write_text(text)
    return folder


def test_every_dashboard_names_what_there_is() -> None:
    tables = graph.load()
    dashboards = declared(tables)
    assert {"overview", "health"} <= {dashboard.name for dashboard in dashboards}
    build(dashboards, tables, "me")


@pytest.mark.parametrize(
    ("wrong", "instead", "told"),
    [
        ("SUM(plays)", "SUM(playz)", "no column playz"),
        ("gold.daily_listening", "gold.daily", "no table gold.daily"),
        ("gold.daily_listening", "bronze.listening_history", "no table bronze"),
        ("ops.reconciliation AS", "bronze.kaggle_tracks AS", "no table bronze.kaggle_tracks"),
        ("SUM(r.kept)", "SUM(r.kepd)", "'kepd' is not a column"),
        ("time: date", "time: plays", "not a column of dates"),
        ("metrics: [kept_sum]", "metrics: [plays_sum]", "whole has no metric plays_sum"),
        ("x: source", "x: sauce", "whole has no column sauce"),
        ("data: whole", "data: hole", "no dataset is called 'hole'"),
        ("width: 4", "width: 13", "less than or equal to 12"),
        ("title: Kept,", "title: Plays,", "two charts have the key"),
        ("kind: bar", "kind: barr", "does not match any of the expected tags"),
        ("description: A small one.", "descripton: A small one.", "descripton"),
    ],
)
def test_a_mistake_is_told_with_its_file(tmp_path: Path, wrong: str, instead: str, told: str) -> None:
    assert wrong in SMALL
    with pytest.raises(DashboardError, match=r"small\.yaml") as refused:
        declared(graph.load(), folder_with(tmp_path, SMALL.replace(wrong, instead)))
    assert told in str(refused.value)


def test_the_same_declarations_make_the_same_bundle(tmp_path: Path) -> None:
    tables = graph.load()
    dashboards = declared(tables, folder_with(tmp_path, SMALL))
    one, other = build(dashboards, tables, "me"), build(dashboards, tables, "me")
    assert one.archive() == other.archive()
    assert all(str(uuid.UUID(each)) == each and each.startswith(OURS) for each in {*one.charts, *one.datasets, *one.dashboards})


def test_filters_act_where_their_column_is(tmp_path: Path) -> None:
    tables = graph.load()
    files = build(declared(tables, folder_with(tmp_path, SMALL)), tables, "o'me").files
    listener, period = files["dashboards/small.yaml"]["metadata"]["native_filter_configuration"]
    assert listener["defaultDataMask"]["extraFormData"]["filters"] == [{"col": "user_id", "op": "IN", "val": ["o'me"]}]
    assert listener["scope"]["excluded"] == period["scope"]["excluded"] == [2]
    parts = [part for part in files["dashboards/small.yaml"]["position"].values() if isinstance(part, dict)]
    widths = [part["meta"]["width"] for part in parts if part["type"] == "CHART"]
    assert widths == [4, 8]


def test_a_note_cannot_end_its_style(tmp_path: Path) -> None:
    charts = read(folder_with(tmp_path, SMALL) / "small.yaml").charts
    line = next(line for line in css(charts).splitlines() if "note" in line)
    assert line.endswith(r"content: " r'"a \22 note\22  \5c  \3c /style\3e "; }')


@pytest.mark.parametrize(
    ("note", "across", "told"),
    [
        ("Shares", "next mood", "Shares. Across: next mood; down: from."),
        ("Shares.", "", "Shares. Down: from."),
        ("", "next mood", "Across: next mood; down: from."),
    ],
)
def test_axes_are_told_after_the_note(note: str, across: str, told: str) -> None:
    assert with_axes(note, across, "from") == told
    assert with_axes(note, "", "") == note


def test_files_are_written_into_a_folder_of_their_own(tmp_path: Path) -> None:
    tables = graph.load()
    bundle = build(declared(tables, folder_with(tmp_path, SMALL)), tables, None)
    write(bundle, tmp_path / "out")
    write(bundle, tmp_path / "out")
    assert (tmp_path / "out" / "charts" / "small_plays.yaml").is_file()
    with pytest.raises(DashboardError, match="holds other files"):
        write(bundle, tmp_path)
