"""Hours on the listener's own clock, and what is said where nobody knows that clock (your_spotify#169, audiobookshelf#4176)."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cases import LANDINGS
from tests.end_to_end.pipeline import Pipeline, assert_same_content, export_row, kaggle_csv

LANDING = LANDINGS / "34-time-zones" / "landing"
# Zone and hours of the plays in their order, by the rules of the IANA database: clock changes, zones of half and quarter
# hours, a day that Samoa left out, countries that gave summer time up.
EXPECTED: dict[str, tuple[str, list[int]]] = {
    "berlin": ("Europe/Berlin", [2, 2, 1, 3]),
    "newyork": ("America/New_York", [1, 1, 1, 3]),
    "kolkata": ("Asia/Kolkata", [23, 0]),
    "kathmandu": ("Asia/Kathmandu", [23, 0]),
    "dublin": ("Europe/Dublin", [12, 13]),
    "casablanca": ("Africa/Casablanca", [12, 13]),
    "saopaulo": ("America/Sao_Paulo", [23, 1, 0]),
    "apia": ("Pacific/Apia", [23, 0]),
    "moscow": ("Europe/Moscow", [16, 16, 15]),
    "istanbul": ("Europe/Istanbul", [14, 15]),
    "kyiv": ("Europe/Kyiv", [15]),
    "lordhowe": ("Australia/Lord_Howe", [22, 23]),
    "caracas": ("America/Caracas", [7, 8]),
    "pyongyang": ("Asia/Pyongyang", [20, 21]),
    "mexico": ("America/Mexico_City", [7, 6]),
}
ZONES = {listener: zone for listener, (zone, _) in EXPECTED.items()}
PLAYS = "silver.listening_with_features"
ONLY_PLAYS = ("--only", PLAYS, "--only", "silver.users")
# Words that mean a listener's own clock. Names of columns have them; what a row says has not.
OWN_CLOCK = re.compile(r"\b(local|nights?|evenings?|mornings?|afternoons?|good hours?|bedtime)\b", re.IGNORECASE)
# Names of columns of other tables, as rows of gold hold them.
NOT_CLOCKS = {"night_share"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Every listener of the case, with their zone by option."""
    pipeline = Pipeline(tmp_path_factory.mktemp("told"))
    shutil.copytree(LANDING, pipeline.landing, dirs_exist_ok=True)
    options = [word for listener, zone in ZONES.items() for word in ("--timezone-of", f"{listener}={zone}")]
    pipeline.build(*ONLY_PLAYS, *options)
    return pipeline


@pytest.mark.parametrize("listener", EXPECTED)
def test_hours_are_those_of_the_listener_s_clock(told: Pipeline, listener: str) -> None:
    zone, hours = EXPECTED[listener]
    rows = told.rows(PLAYS, "track_name", "hour_of_day", "lacks_timezone", user_id=listener)
    assert [row["hour_of_day"] for row in sorted(rows, key=lambda row: row["track_name"])] == hours
    assert {row["lacks_timezone"] for row in rows} == {False}
    [user] = told.rows("silver.users", user_id=listener)
    guessed = [user[name] for name in ("timezone_guess", "timezone_guess_from", "timezone_guess_n")]
    assert [user["timezone"], user["timezone_source"], *guessed] == [zone, "set", None, None, None]


def evenings(listener: str, country: str, count: int = 60) -> list[dict[str, Any]]:
    """Two plays on each of so many days, at 8:07 and 23:37 UTC."""
    days = [f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in range(count)]
    hours = ("08:10:00", "23:40:00")
    return [
        export_row(f"{d}T{h}Z", 1 + n % 4, conn_country=country, platform=listener) for n, d in enumerate(days) for h in hours
    ]


def land(pipeline: Pipeline, countries: Mapping[str, str]) -> None:
    features = ({"valence": 0.9, "energy": 0.8}, {"valence": 0.1, "energy": 0.2}, {"valence": 0.5}, {"valence": 0.3})
    songs = [
        {"track_id": f"{n:022d}", "track_name": f"Track {n}", "artists": f"Artist {n % 3}", **feature}
        for n, feature in enumerate(features, start=1)
    ]
    pipeline.write("dataset.csv", kaggle_csv(*songs))
    for listener, country in countries.items():
        pipeline.write(f"listeners/{listener}/history.json", evenings(listener, country))


def texts(pipeline: Pipeline, tables: Iterable[Path], listener: str) -> dict[str, set[str]]:
    """Every text that the tables' rows of the listener hold, but names that come from the history."""
    found: dict[str, set[str]] = {}
    for path in tables:
        name = f"{path.parent.name}.{path.name}"
        rows = pipeline.rows(name)
        if not rows or "user_id" not in rows[0]:
            continue
        values = {value for row in rows if row["user_id"] == listener for value in row.values() if isinstance(value, str)}
        found[name] = values
    return found


def test_no_table_and_no_report_calls_a_clock_the_listener_s_that_nobody_knows(pipeline: Pipeline) -> None:
    land(pipeline, {"known": "JP", "unknown": "JP"})
    ran = pipeline.call("run", "--timezone-of", "known=Asia/Tokyo")
    assert ran.code == 0, ran.text
    tables = sorted(pipeline.root.glob("[sg]*/*"))
    said = texts(pipeline, tables, "unknown")
    own = {name: sorted(t for t in values if OWN_CLOCK.search(t) and t not in NOT_CLOCKS) for name, values in said.items()}
    assert {name: values for name, values in own.items() if values} == {}
    assert said[PLAYS] >= {"6-11 UTC", "23-5 UTC"}
    # The other listener has the same history and a zone: 8:07 and 23:37 are 17:07 and 8:37 in Tokyo.
    assert texts(pipeline, tables, "known")[PLAYS] >= {"afternoon", "morning"}
    segments = {row["user_id"]: row for row in pipeline.rows("gold.behavioral_segments")}
    assert [segments["unknown"][n] for n in ("night_share", "night_share_segment")] == [None, "not comparable"]
    assert [segments["known"][n] for n in ("night_share", "night_share_segment")] == [0.0, "day listener"]
    assert {row["measure"] for row in pipeline.rows("gold.listening_anomalies", user_id="unknown")}.isdisjoint({"night_share"})
    assert not OWN_CLOCK.search(ran.out)
    page = pipeline.home / "report.html"
    for listener, is_known in (("unknown", False), ("known", True)):
        assert pipeline.call("report", "--user", listener, "--out", str(page)).code == 0
        content = page.read_text(encoding="utf-8")
        text = content[content.index("<body>") : content.index('<script type="application/json" id="charts">')]
        assert ("by local hour" in text, "08:00 UTC" in text or "8:00 UTC" in text) == (is_known, not is_known)
        if not is_known:
            assert not OWN_CLOCK.search(text)
    shown = pipeline.call("show", "gold.optimal_listening_times", "--user", "unknown", "--columns", "hour_of_day,wellbeing_tip")
    assert "are in UTC: the time zone is unknown" in shown.out
    assert "UTC" not in pipeline.call("show", "gold.optimal_listening_times", "--user", "known").out


def test_the_command_that_a_run_shows_sets_the_zone_of_that_listener_and_of_nobody_else(pipeline: Pipeline) -> None:
    land(pipeline, {"anna": "JP", "o'neil": "IN", "zoe": "US"})
    ran = pipeline.call("run", *ONLY_PLAYS)
    lines = [line for line in ran.out.splitlines() if line.startswith("time zone of ")]
    assert [line.split(". To set it: ")[0] for line in lines] == [
        "time zone of anna: unknown, so hours are in UTC; perhaps Asia/Tokyo, from the country of 120 plays",
        "time zone of o'neil: unknown, so hours are in UTC; perhaps Asia/Kolkata, from the country of 120 plays",
        "time zone of zoe: unknown, so hours are in UTC; nothing suggests one",
    ]
    _, *words = shlex.split(lines[1].split(". To set it: ")[1])
    before = pipeline.rows(PLAYS, "_run_id", user_id="anna")
    assert pipeline.say(*words, "--engine", "embedded", *ONLY_PLAYS).code == 0
    zones = {r["user_id"]: (r["timezone"], r["timezone_source"]) for r in pipeline.rows("silver.users")}
    assert zones == {"anna": ("UTC", "unknown"), "o'neil": ("Asia/Kolkata", "set"), "zoe": ("UTC", "unknown")}
    assert pipeline.rows(PLAYS, "_run_id", user_id="anna") == before
    assert {row["hour_of_day"] for row in pipeline.rows(PLAYS, user_id="o'neil")} == {13, 5}


def test_the_only_listener_s_command_is_short_and_many_share_one_line(pipeline: Pipeline) -> None:
    land(pipeline, {"anna": "JP"})
    ran = pipeline.run(*ONLY_PLAYS)
    zones = ran.document["time_zones"]
    assert (zones["unknown"], zones["listeners"][0]["guess"]) == (1, "Asia/Tokyo")
    _, *words = shlex.split(zones["listeners"][0]["command"])
    assert words[-2:] == ["--timezone", "Asia/Tokyo"]
    assert pipeline.say(*words, "--engine", "embedded", *ONLY_PLAYS, "--json").document["time_zones"]["unknown"] == 0
    land(pipeline, {f"listener{number}": "JP" for number in range(6)})
    lines = [line for line in pipeline.call("run", *ONLY_PLAYS).out.splitlines() if "time zone" in line]
    assert len(lines) == 1
    assert "unknown for 7 listeners, so their hours are in UTC; 7 guesses" in lines[0]


def test_a_guess_changes_no_table_but_the_listeners(pipeline: Pipeline, tmp_path: Path) -> None:
    """The same plays from a country of one zone, of many and of none: everything but silver.users is the same."""
    contents = {}
    for country in ("JP", "US", "ZZ"):
        each = Pipeline(tmp_path / country)
        land(each, {"anna": country})
        each.build(
            *ONLY_PLAYS, "--only", "gold.descriptive", "--only", "gold.diagnostic", "--only", "gold.optimal_listening_times"
        )
        guess = each.rows("silver.users")[0]["timezone_guess"]
        assert guess == ("Asia/Tokyo" if country == "JP" else None)
        content = each.content()
        del content["silver.users"]
        contents[country] = json.loads(json.dumps(content, default=str).replace(f'"{country}"', '"country"'))
    # Hashes of a row's source fields tell the country; figures do not.
    gold = {country: {n: rows for n, rows in tables.items() if n.startswith("gold.")} for country, tables in contents.items()}
    assert_same_content(gold["JP"], gold["US"])
    assert_same_content(gold["JP"], gold["ZZ"])


def test_a_zone_that_is_set_gives_the_same_as_before_whether_it_was_unknown_first(pipeline: Pipeline, tmp_path: Path) -> None:
    """UTC that is set is a zone: words come back, and the tables are those of a lakehouse that never knew otherwise."""
    only = ("--only", "gold.part_of_day_drivers", "--only", "gold.optimal_listening_times", "--only", "silver.users")
    land(pipeline, {"anna": "JP", "ben": "JP"})
    pipeline.build(*only)
    pipeline.build(*only, "--timezone", "UTC")
    fresh = Pipeline(tmp_path / "fresh")
    land(fresh, {"anna": "JP", "ben": "JP"})
    fresh.build(*only, "--timezone", "UTC")
    assert {row["part_of_day"] for row in pipeline.rows("gold.part_of_day_drivers")} == {"morning", "night"}
    assert_same_content(pipeline.content(), fresh.content())


@pytest.mark.parametrize("value", ["Europe/Berlin", "=Europe/Berlin", "anna=Mars/Olympus"])
def test_a_zone_without_a_listener_and_a_place_that_is_no_zone_are_refused(pipeline: Pipeline, value: str) -> None:
    refused = pipeline.call("run", "--timezone-of", value)
    assert refused.code == 2
    assert ("write NAME=ZONE" if "Mars" not in value else "is not a time zone") in refused.err
