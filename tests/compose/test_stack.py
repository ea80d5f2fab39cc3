"""`docker compose up -d` on a real engine, then what a household does with it: open a page, ask, add a file, restart, stop.

The tests follow one life of the stack, in this order.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import requests

from tests.compose.conftest import Stack
from tests.landing_files import extended

SERVERS = {"serve", "scheduler", "postgres", "trino", "superset"}
ONCE = {"first-run", "prepare", "superset-init", "dashboards"}
PLAYS = "SELECT disposition, count(*) FROM silver.plays GROUP BY 1 ORDER BY 1"
DASHBOARDS = 7


def test_every_service_is_up_and_healthy(stack: Stack) -> None:
    found = stack.settled()
    assert {name: one["Health"] for name, one in found.items() if name in SERVERS} == dict.fromkeys(SERVERS, "healthy")
    assert {name: (one["State"], one["ExitCode"]) for name, one in found.items() if name in ONCE} == dict.fromkeys(
        ONCE, ("exited", 0)
    )


def test_containers_are_closed_as_declared(stack: Stack) -> None:
    for name in SERVERS:
        found = stack.inspected(name)
        host = found["HostConfig"]
        assert (found["Config"]["User"], host["ReadonlyRootfs"], host["CapDrop"]) == ("1000:1000", True, ["ALL"]), name
        assert host["NanoCpus"] == 0 and host["Memory"] > 0
        published = [one["HostIp"] for ports in (host["PortBindings"] or {}).values() for one in ports]
        assert set(published) <= {"127.0.0.1"}


def test_a_page_can_be_opened_with_the_link_that_is_printed(stack: Stack) -> None:
    address = stack.address("LAKEHOUSE_SERVE_PORT")
    with logged_in(stack) as person:
        home = person.get(f"{address}/", timeout=60)
        assert home.status_code == 200
        # The dashboards under the name that a browser knows, not a container.
        assert f'href="http://localhost:{stack.environment["LAKEHOUSE_BI_SUPERSET_PORT"]}' in home.text
    assert requests.get(f"{address}/", timeout=20, allow_redirects=False).status_code != 200
    assert requests.get(f"{address}/", headers={"Host": "rebound.example"}, timeout=20).status_code == 400


def test_trino_shows_the_demo(stack: Stack) -> None:
    [[plays, listeners]] = stack.ask("SELECT count(*), count(DISTINCT user_id) FROM silver.listening_with_features")
    assert plays > 10_000 and listeners == 200


def test_superset_has_the_dashboards_and_answers_every_chart(stack: Stack) -> None:
    address = stack.address("LAKEHOUSE_BI_SUPERSET_PORT")
    assert requests.get(f"{address}/health", timeout=20).text == "OK"
    # It ends with 1 where a chart has no row, as of the demo's listener some have none.
    told = stack.run("sh", "-c", "python scripts/build_dashboards.py --data || true")
    assert len(re.findall(r"/superset/dashboard/\w+/$", told, re.MULTILINE)) == DASHBOARDS
    charts = re.findall(r"^ *[\d.]+ s  \w+: .*$", told, re.MULTILINE)
    rows = [int(found.group(1)) for chart in charts if (found := re.search(r" (\d+) rows ", chart))]
    assert len(rows) == len(charts), told
    assert sum(number > 0 for number in rows) > 0.9 * len(charts)


def test_own_plays_take_the_place_of_the_demo(stack: Stack, own_plays: int) -> None:
    told = stack.run()
    assert "next:\n  docker compose run --rm pipeline lakehouse link\n" in told
    assert ".venv/bin" not in told and "run_pipeline" not in told
    assert "the dashboards show your own plays from now on" in told
    assert _kept_and_not(stack) == own_plays
    assert stack.ask("SELECT count(*) FROM silver.users WHERE is_synthetic") == [[0]]
    with logged_in(stack) as person:
        address = stack.address("LAKEHOUSE_SERVE_PORT")
        pages = set(re.findall(r'href="(/[a-z]*)"', person.get(f"{address}/", timeout=60).text))
        assert {"/", "/report"} <= pages
        assert {page: person.get(f"{address}{page}", timeout=300).status_code for page in pages} == dict.fromkeys(pages, 200)


def test_a_file_added_later_brings_its_plays_and_no_others(stack: Stack, own_plays: int) -> None:
    more = stack.landing / "listeners" / "anna" / "more.json"
    more.parent.mkdir(parents=True)
    more.write_text(history(7))
    stack.run()
    assert _kept_and_not(stack) == own_plays + 7
    assert stack.ask("SELECT count(*) FROM silver.plays WHERE user_id = 'anna'") == [[7]]


def test_one_stage_runs(stack: Stack) -> None:
    told = stack.run("python", "scripts/build_silver.py")
    assert "next:\n  docker compose run --rm pipeline lakehouse link\n" in told


def test_a_file_that_its_container_may_not_read_is_named_with_what_helps(stack: Stack) -> None:
    closed = stack.landing / "closed.json"
    closed.write_text(history(3, year=2020))
    closed.chmod(0o600)
    told = stack.compose("run", "--rm", "-T", "pipeline", "sh", "-c", "lakehouse run --only bronze || true")
    assert "closed.json" in told and "chmod" in told
    closed.unlink()


def test_a_restart_keeps_everything(stack: Stack) -> None:
    before = stack.ask(PLAYS)
    stack.compose("restart")
    stack.up("up after a restart")
    test_every_service_is_up_and_healthy(stack)
    assert stack.ask(PLAYS) == before
    stack.compose("down")
    assert stack.services() == {}
    stack.up("up again after down")
    test_every_service_is_up_and_healthy(stack)
    assert stack.ask(PLAYS) == before


def logged_in(stack: Stack) -> requests.Session:
    """Somebody who opened the link that `lakehouse link` prints, and pressed its button."""
    printed = stack.compose("exec", "-T", "serve", "lakehouse", "link")
    [link] = re.findall(r"^http://127\.0\.0\.1:\S+", printed, re.MULTILINE)
    address = stack.address("LAKEHOUSE_SERVE_PORT")
    assert link.startswith(f"{address}/")
    person = requests.Session()
    form = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', person.get(link, timeout=20).text))
    entered = person.post(link.split("?")[0], data=form, headers={"Origin": address}, timeout=20)
    assert (entered.status_code, entered.url) == (200, f"{address}/")
    return person


def history(plays: int, year: int = 2024) -> str:
    """An export of that many plays, one an hour."""
    begin = dt.datetime(year, 3, 1, tzinfo=dt.timezone.utc)
    moments = [begin + dt.timedelta(hours=number) for number in range(plays)]
    return json.dumps([extended(ts=f"{at:%Y-%m-%dT%H:%M:%SZ}") for at in moments])


def _rows_of(export: Path) -> int:
    """The records of an export's audio history."""
    with zipfile.ZipFile(export) as packed:
        return sum(len(json.loads(packed.read(name))) for name in packed.namelist() if "Streaming_History" in name)


def _kept_and_not(stack: Stack) -> int:
    """All plays that Trino shows, whatever became of them."""
    return sum(int(row[1]) for row in stack.ask(PLAYS))


@pytest.fixture(scope="session")
def own_plays(stack: Stack) -> int:
    """Put a history into the landing folder, the real export where it is here, as root's files; its rows."""
    real = Path(os.environ.get("LISTENING_TEST_DATA", "/nowhere"))
    export = real / "spotify_history" / "my_spotify_data.zip"
    if export.is_file():
        shutil.copyfile(export, stack.landing / export.name)
        return _rows_of(export)
    (stack.landing / "history.json").write_text(history(500))
    return 500
