"""One person for the service, Trino and Superset: whatever they ask in a dashboard, they see their own rows, an admin all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bi import listeners
from bi.dashboards.client import Superset
from bi.dashboards.declaration import DashboardError
from bi.secrets import read_env
from lakehouse.settings import PROJECT_ROOT
from tests.bi.conftest import Stack
from tests.bi.small_lakehouse import HOSTILE, LISTENER
from tests.bi.test_listeners import wait_until

DASHBOARD = "overview"


def say(stack: Stack, *words: str) -> str:
    """What `lakehouse listener` says; it has to go well."""
    places = {"LAKEHOUSE_STATE_DIR": str(stack.landing.parent / "state"), "LAKEHOUSE_USER": LISTENER}
    command = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "listener", *words]
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 300}
    said = subprocess.run(command, check=False, env=stack.environment | places, cwd=stack.landing.parent, **options)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def superset_of(stack: Stack, login: str) -> Superset:
    """Superset's interface for a person, with the password that Trino takes too."""
    password = read_env(listeners.credentials(stack.settings, login))["TRINO_PASSWORD"]
    return Superset(read_env(stack.settings.credentials)["SUPERSET_URL"], login, password)


def listeners_seen(superset: Superset, form: dict[str, Any], dataset: int, **query: Any) -> set[str]:
    """Whose rows a query of one's own on a chart's or a filter's dataset shows; an answer may come from the cache."""
    asked = {"columns": ["user_id"], "metrics": [], "filters": [], "row_limit": 10_000, **query}
    body = {"datasource": {"id": dataset, "type": "table"}, "queries": [asked], "form_data": form, "result_type": "full"}
    answer = superset.call("POST", "chart/data", json=body)["result"][0]
    assert not answer.get("error"), answer["error"]
    return {row["user_id"] for row in answer["data"]}


@pytest.fixture(scope="module")
def people(stack: Stack) -> Iterator[dict[str, str]]:
    """user_id to log-in name of the owner, who is the admin, and of a listener."""
    found = {}
    for user_id in (LISTENER, HOSTILE):
        said = say(stack, "add", user_id)
        assert "Superset  has the log-in" in said
        found[user_id] = said.splitlines()[0]
        wait_until(stack, found[user_id], can_log_in=True)
    yield found
    for user_id in (HOSTILE, LISTENER):
        say(stack, "remove", user_id)


@pytest.fixture(scope="module")
def charts(admin: Superset) -> list[tuple[dict[str, Any], int]]:
    """Charts of a dashboard whose dataset names listeners, each as the form that a viewer sends, and its dataset."""
    dashboard = admin.call("GET", f"dashboard/{DASHBOARD}")["result"]
    found = []
    for chart in admin.call("GET", f"dashboard/{DASHBOARD}/charts")["result"]:
        dataset = int(str(chart["form_data"]["datasource"]).partition("__")[0])
        columns = admin.call("GET", f"dataset/{dataset}")["result"]["columns"]
        if any(column["column_name"] == "user_id" for column in columns):
            found.append(({"dashboardId": dashboard["id"], "slice_id": chart["id"]}, dataset))
    assert len(found) > 5
    return found


@pytest.fixture(scope="module")
def owner(stack: Stack, people: dict[str, str]) -> Iterator[Superset]:
    """One log-in each for all tests, as there are ten a minute."""
    with superset_of(stack, people[LISTENER]) as superset:
        yield superset


@pytest.fixture(scope="module")
def listener(stack: Stack, people: dict[str, str]) -> Iterator[Superset]:
    with superset_of(stack, people[HOSTILE]) as superset:
        yield superset


def test_a_dashboard_shows_own_rows_and_the_admin_those_of_everybody(
    owner: Superset, listener: Superset, charts: list[tuple[dict[str, Any], int]]
) -> None:
    for form, dataset in charts:
        # The admin first: what is cached for them is for nobody else.
        everybody = listeners_seen(owner, form, dataset)
        assert {LISTENER, HOSTILE} <= everybody
        assert listeners_seen(listener, form, dataset) == {HOSTILE}
        assert listeners_seen(owner, form, dataset) == everybody


@pytest.mark.parametrize(
    "query",
    [
        {"filters": [{"col": "user_id", "op": "==", "val": LISTENER}]},
        {"filters": [{"col": "user_id", "op": "!=", "val": HOSTILE}]},
        {"extras": {"where": "user_id IS NOT NULL OR 1 = 1"}},
        {"metrics": [{"expressionType": "SQL", "sqlExpression": "count(*)", "label": "n"}]},
    ],
)
def test_a_query_of_ones_own_shows_no_row_of_somebody_else(
    listener: Superset, charts: list[tuple[dict[str, Any], int]], query: dict[str, Any]
) -> None:
    form, dataset = charts[0]
    assert listeners_seen(listener, form, dataset, **query) <= {HOSTILE}


def test_who_is_removed_cannot_log_in_any_more(stack: Stack, people: dict[str, str]) -> None:
    login = people[HOSTILE]
    password = read_env(listeners.credentials(stack.settings, login))["TRINO_PASSWORD"]
    say(stack, "remove", HOSTILE)
    url = read_env(stack.settings.credentials)["SUPERSET_URL"]
    with pytest.raises(DashboardError, match="401"):
        Superset(url, login, password)
    assert "Superset  has the log-in" in say(stack, "add", HOSTILE)
    with superset_of(stack, login) as listener:
        assert listener.call("GET", "me/")["result"]["username"] == login
