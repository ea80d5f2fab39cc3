"""One person for the service, Trino and Superset: whatever they ask in a dashboard, they see their own rows, an admin all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from bi import listeners
from bi.dashboards.client import SECONDS, Superset
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


@dataclass
class Viewer:
    """A person's log-in at Superset, by the password that Trino takes too; a role of viewers may ask for little else."""

    url: str
    login: str
    password: str

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        asked = {"username": self.login, "password": self.password, "provider": "db", "refresh": False}
        answer = self.session.post(f"{self.url}/api/v1/security/login", json=asked, timeout=SECONDS)
        answer.raise_for_status()
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def listeners_seen(self, form: dict[str, Any], dataset: int, **query: Any) -> set[str]:
        """Whose rows a query of one's own on a chart's dataset shows; an answer may come from the cache."""
        asked = {"columns": ["user_id"], "metrics": [], "filters": [], "row_limit": 10_000, **query}
        body = {"datasource": {"id": dataset, "type": "table"}, "queries": [asked], "form_data": form, "result_type": "full"}
        answer = self.session.post(f"{self.url}/api/v1/chart/data", json=body, timeout=SECONDS)
        assert answer.ok, answer.text[:500]
        [result] = answer.json()["result"]
        assert not result.get("error"), result["error"]
        return {row["user_id"] for row in result["data"]}


def viewer(stack: Stack, login: str) -> Viewer:
    """Somebody who has logged in."""
    password = read_env(listeners.credentials(stack.settings, login))["TRINO_PASSWORD"]
    return Viewer(read_env(stack.settings.credentials)["SUPERSET_URL"], login, password)


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
def owner(stack: Stack, people: dict[str, str]) -> Viewer:
    """One log-in each for all tests, as there are ten a minute."""
    return viewer(stack, people[LISTENER])


@pytest.fixture(scope="module")
def listener(stack: Stack, people: dict[str, str]) -> Viewer:
    return viewer(stack, people[HOSTILE])


def test_a_dashboard_shows_own_rows_and_the_admin_those_of_everybody(
    owner: Viewer, listener: Viewer, charts: list[tuple[dict[str, Any], int]]
) -> None:
    for form, dataset in charts:
        # The admin first: what is cached for them is for nobody else.
        everybody = owner.listeners_seen(form, dataset)
        assert {LISTENER, HOSTILE} <= everybody
        assert listener.listeners_seen(form, dataset) == {HOSTILE}
        assert owner.listeners_seen(form, dataset) == everybody


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
    listener: Viewer, charts: list[tuple[dict[str, Any], int]], query: dict[str, Any]
) -> None:
    form, dataset = charts[0]
    assert listener.listeners_seen(form, dataset, **query) <= {HOSTILE}


def test_who_is_removed_cannot_log_in_any_more(stack: Stack, people: dict[str, str]) -> None:
    before = viewer(stack, people[HOSTILE])
    say(stack, "remove", HOSTILE)
    with pytest.raises(requests.HTTPError, match="401"):
        Viewer(before.url, before.login, before.password)
    assert "Superset  has the log-in" in say(stack, "add", HOSTILE)
    assert viewer(stack, people[HOSTILE]).password != before.password
