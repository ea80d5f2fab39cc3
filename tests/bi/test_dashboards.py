"""Every dashboard in a real browser: complete, without an error; its numbers are those of Trino and of the raw files."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bi.dashboards.bundle import build
from bi.dashboards.command import declared
from bi.dashboards.declaration import FOLDER, read, read_all
from lakehouse.plan import graph
from tests.bi.conftest import Stack
from tests.bi.pages import Dashboards, Rows
from tests.bi.small_lakehouse import HOSTILE, LISTENER, SYNTHETIC

Raw = duckdb.DuckDBPyConnection

# The listener's plays from the files themselves: identical rows once, rows without a time not at all.
RAW = """
CREATE TABLE plays AS
SELECT ts::TIMESTAMP - to_milliseconds(ms_played) AS played_at, ms_played, master_metadata_track_name AS track,
    master_metadata_album_artist_name AS artist, coalesce(skipped, false) OR coalesce(reason_end = 'fwdbtn', false) AS is_skip
FROM (SELECT DISTINCT * FROM read_json('{file}')) WHERE try_cast(ts AS TIMESTAMP) IS NOT NULL
"""
# Names of tracks that are markup, in every kind of chart that writes names; and a chart without rows.
NAMES = """
title: Names
description: Names that are markup.
datasets:
  heard:
    table: silver.listening_with_features
    metrics: {heard_count: {sql: COUNT(*), label: Plays}}
rows:
  - charts:
      - {kind: table, title: Table, data: heard, by: [track_name], metrics: [heard_count], where: "track_name LIKE '%<b>%'"}
      - {kind: bar, title: Bar, data: heard, x: track_name, metrics: [heard_count], where: "track_name LIKE '%<b>%'"}
      - {kind: table, title: Nothing, data: heard, by: [track_name], metrics: [heard_count], where: "track_name IS NULL",
         empty: "Every track has a name.", note: "A note that is longer than a line of its narrow box", width: 2}
"""
WORDS = """(title) => {
  const chart = document.querySelector(`[data-test-chart-name="${title}"]`), line = chart.querySelector('.slice_container p');
  const header = chart.querySelector('.header-title'), told = getComputedStyle(line, '::after').content;
  return {hidden: getComputedStyle(line).fontSize, told, cut: header.scrollHeight - header.clientHeight};
}"""
DAYS = "SELECT played_at::DATE AS day, sum(ms_played) / 3.6e6 AS hours FROM plays GROUP BY 1"
OWN = f"user_id = '{LISTENER}'"


@pytest.fixture(scope="module")
def raw(stack: Stack) -> Raw:
    connection = duckdb.connect()
    connection.sql(RAW.format(file=stack.landing / "history*.json"))
    return connection


def one(name: str) -> Callable[[Rows], Any]:
    """The single figure of a chart."""
    return lambda rows: rows[0][name]


def pairs(key: str, value: str) -> Callable[[Rows], Any]:
    """What a chart shows for each of its positions."""
    return lambda rows: {row[key]: row[value] for row in rows if row.get(value) is not None}


def total(name: str) -> Callable[[Rows], Any]:
    return lambda rows: sum(row[name] or 0 for row in rows if name in row)


def cells(rows: Rows) -> Any:
    return {(row["weekday"][0], int(row["hour_label"][:2])): row["listen_count"] for row in rows}


LISTENS = "silver.listening_with_features"
# chart of the Overview: what of its rows, the same asked in Trino, the same of the raw file
SHOWN: dict[str, tuple[Callable[[Rows], Any], str, str]] = {
    "How many plays?": (one("plays_sum"), f"SELECT COUNT(*) FROM {LISTENS} WHERE {OWN}", "SELECT count(*) FROM plays"),
    "How many hours?": (
        one("hours_sum"),
        f"SELECT SUM(ms_played) / 3.6E6 FROM {LISTENS} WHERE {OWN}",
        "SELECT sum(ms_played) / 3.6e6 FROM plays",
    ),
    "How many artists?": (
        one("artists"),
        f"SELECT COUNT(*) FROM gold.artist_stats WHERE {OWN}",
        "SELECT count(DISTINCT lower(trim(artist))) FROM plays",
    ),
    "How often do you skip?": (
        one("skip_share"),
        f"SELECT AVG(IF(is_skip, 1E0, 0E0)) FROM {LISTENS} WHERE {OWN} AND tells_skip",
        "SELECT avg(is_skip::INT) FROM plays",
    ),
    "How many listeners?": (one("listeners"), "SELECT COUNT(*) FROM silver.users", f"SELECT {SYNTHETIC + 2}"),
    "How much do you listen a day?": (
        pairs("date", "hours_day"),
        f"SELECT TO_UNIXTIME(CAST(date AS TIMESTAMP)) * 1000, minutes / 60 FROM gold.daily_listening WHERE {OWN}",
        f"SELECT epoch_ms(day), hours FROM ({DAYS})",
    ),
    "When do you listen?": (
        cells,
        f"SELECT CAST(day_of_week AS VARCHAR), hour_of_day, listen_count FROM gold.listening_patterns_by_time WHERE {OWN}",
        "SELECT isodow(played_at)::TEXT, hour(played_at), count(*) FILTER (ms_played >= 30000) FROM plays GROUP BY 1, 2",
    ),
    "Do you find new artists?": (
        total("artists_new"),
        f"SELECT COUNT(*) FROM gold.artist_stats WHERE {OWN}",
        "SELECT count(DISTINCT lower(trim(artist))) FROM plays",
    ),
    "Whom do you hear most?": (
        lambda rows: sorted((row["listen_count"] for row in rows), reverse=True),
        f"SELECT listens FROM gold.artist_stats WHERE {OWN} ORDER BY 1 DESC LIMIT 15",
        "SELECT count(*) FROM plays WHERE ms_played >= 30000 GROUP BY artist ORDER BY 1 DESC LIMIT 15",
    ),
    "Which tracks do you hear most?": (
        lambda rows: sorted((row["listen_count"] for row in rows), reverse=True),
        f"SELECT COUNT_IF(is_listen) FROM {LISTENS} WHERE {OWN} GROUP BY track_name, artist_name ORDER BY 1 DESC LIMIT 10",
        "SELECT count(*) FROM plays WHERE ms_played >= 30000 GROUP BY track, artist ORDER BY 1 DESC LIMIT 10",
    ),
    "Do you skip more than you used to?": (
        pairs("date", "skip_share_told"),
        "SELECT TO_UNIXTIME(CAST(DATE_TRUNC('month', date) AS TIMESTAMP)) * 1000, AVG(IF(is_skip, 1E0, 0E0))"
        f" FROM {LISTENS} WHERE {OWN} GROUP BY 1 HAVING COUNT_IF(tells_skip) >= 30",
        "SELECT epoch_ms(date_trunc('month', played_at)), avg(is_skip::INT) FROM plays GROUP BY 1 HAVING count(*) >= 30",
    ),
}


def simple(rows: list[Any], shown: Any) -> Any:
    """Rows of a query in the shape of what a chart shows: a figure, a list, or values by position."""
    if isinstance(shown, dict):
        found = {tuple(row[:-1]) if len(row) > 2 else row[0]: row[-1] for row in rows}
        # A day without music shows 0, or nothing.
        return {key: value for key, value in found.items() if key in shown or value}
    return [row[0] for row in rows] if isinstance(shown, list) else rows[0][0]


@pytest.mark.parametrize("name", [dashboard.name for dashboard in read_all()])
def test_every_dashboard_is_complete(dashboards: Dashboards, name: str, record_property: Callable[[str, object], None]) -> None:
    seen = dashboards.open(name)
    assert Counter(seen.charts) == Counter(chart.title for chart in dashboards.declared[name].charts)
    assert not seen.problems
    assert not seen.console
    # What its first visit computed is kept for some minutes.
    warm = dashboards.open(name).seconds
    record_property("seconds", warm)
    print(f"{name}: complete in {seen.seconds:.1f} s, again in {warm:.1f} s")  # noqa: T201


@pytest.fixture(scope="module")
def overview(dashboards: Dashboards) -> Dashboards:
    assert not dashboards.open("overview").problems
    return dashboards


def test_the_tiles_show_their_figures(overview: Dashboards, raw: Raw) -> None:
    plays, hours = raw.sql("SELECT count(*), sum(ms_played) / 3.6e6 FROM plays").fetchall()[0]
    assert overview.number("How many plays?") == f"{plays:,}"
    assert overview.number("How many hours?") == f"{hours:,.1f}"


@pytest.mark.parametrize("title", SHOWN)
def test_a_chart_shows_what_trino_and_the_raw_files_say(overview: Dashboards, stack: Stack, raw: Raw, title: str) -> None:
    read, in_trino, in_files = SHOWN[title]
    shown = read(overview.rows[title])
    by_trino, by_files = simple(stack.ask("bi", in_trino), shown), simple(raw.sql(in_files).fetchall(), shown)
    if isinstance(shown, dict):
        shown = {key: value for key, value in shown.items() if key in by_trino or value}
    assert shown
    assert shown == pytest.approx(by_trino)
    assert shown == pytest.approx(by_files)


def test_the_mean_of_seven_days_counts_silent_days(overview: Dashboards, raw: Raw) -> None:
    shown = pairs("date", "hours_week")(overview.rows["How much do you listen a day?"])
    days = raw.sql(
        "SELECT epoch_ms(d), (SELECT coalesce(sum(hours), 0) / least(7, d - first_day + 1)"
        f" FROM ({DAYS}) WHERE day > d - 7 AND day <= d)"
        " FROM (SELECT min(played_at)::DATE AS first_day, max(played_at)::DATE AS last_day FROM plays),"
        " LATERAL (SELECT unnest(generate_series(first_day, last_day, INTERVAL 1 DAY))::DATE AS d)"
    )
    assert shown == pytest.approx(dict(days.fetchall()))


def test_names_are_shown_as_text(dashboards: Dashboards, tmp_path: Path) -> None:
    folder = tmp_path / "dashboards"
    shutil.copytree(FOLDER, folder)
    (folder / "names.yaml").write_text(NAMES)
    tables = graph.load()
    dashboards.admin.load(build(declared(tables, folder), tables, LISTENER))
    dashboards.declared["names"] = read(folder / "names.yaml")
    assert dashboards.open("names").problems == ["Nothing: empty"]
    assert dashboards.page.evaluate(WORDS, "Nothing") == {"hidden": "0px", "told": '"Every track has a name."', "cut": 0}
    shown = dashboards.page.locator('[data-test-chart-name="Table"] .slice_container')
    names = [row["track_name"] for row in dashboards.rows["Table"]]
    assert len(names) > 3
    assert [name for name in names if name not in shown.inner_text()] == []
    assert shown.locator("td b").count() == 0
    real = build(declared(tables), tables, LISTENER)
    dashboards.admin.load(real)
    dashboards.admin.clean(real)


def test_health_accounts_for_every_row(dashboards: Dashboards, stack: Stack) -> None:
    dashboards.open("health")
    rows = dashboards.rows["What became of each row?"]
    shown = sum(value for row in rows for key, value in row.items() if key != "source" and value)
    files = [*stack.landing.glob("history*.json"), stack.landing / "listeners" / HOSTILE / "history.json"]
    of_files = sum(duckdb.sql("SELECT count(*) FROM read_json(?)", params=[str(Path(file))]).fetchall()[0][0] for file in files)
    synthetic = stack.ask("bi", "SELECT SUM(bronze) FROM ops.reconciliation WHERE source = 'synthetic'")[0][0]
    assert shown == of_files + synthetic


def test_a_filter_changes_the_numbers(dashboards: Dashboards, stack: Stack) -> None:
    dashboards.open("overview")
    mine = dashboards.number("How many plays?")
    seen = dashboards.choose("overview", "Listener", HOSTILE)
    assert not seen.problems
    others = stack.ask("bi", "SELECT COUNT(*) FROM silver.listening_with_features WHERE user_id = 'x'' OR ''1''=''1'")[0][0]
    assert dashboards.number("How many plays?") == f"{others:,}" != mine
