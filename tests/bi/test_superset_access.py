"""What the read-only listener, the analyst and nobody may do in Superset."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import APIResponse, Page

from bi.browser import log_in
from bi.dashboards.client import Superset
from bi.secrets import read_env
from tests.bi.conftest import Stack
from tests.bi.pages import Dashboards

FORBIDDEN = (403, 404)
PAGES = (
    *["chart/add", "explore/", "sqllab/", "sqllab/history/", "savedqueryview/list/"],
    *["databaseview/list/", "users/", "roles/", "list_users/", "actionlog/list", "dashboard/new/", "csstemplatemodelview/list/"],
    *["superset/explore_json/", "rowlevelsecurity/list/", "annotationlayer/list/"],
)
# method, path below /api/v1, body
CALLS = (
    ("POST", "chart/", {"slice_name": "x", "viz_type": "table", "datasource_id": 1, "datasource_type": "table"}),
    ("PUT", "chart/1", {"slice_name": "x"}),
    ("DELETE", "chart/1", None),
    ("POST", "dashboard/", {"dashboard_title": "x"}),
    ("PUT", "dashboard/overview", {"dashboard_title": "x"}),
    ("DELETE", "dashboard/1", None),
    ("POST", "dataset/", {"database": 1, "schema": "gold", "table_name": "x"}),
    ("PUT", "dataset/1", {"description": "x"}),
    ("DELETE", "dataset/1", None),
    ("POST", "database/", {"database_name": "x", "sqlalchemy_uri": "sqlite://"}),
    ("GET", "database/", None),
    ("POST", "sqllab/execute/", {"database_id": 1, "sql": "SELECT 1"}),
    ("GET", "chart/export/?q=!(1)", None),
    ("GET", "dashboard/export/?q=!(1)", None),
    ("GET", "assets/export/", None),
    ("POST", "assets/import/", None),
    ("GET", "log/", None),
    ("GET", "query/", None),
    ("GET", "security/users/", None),
    ("GET", "security/roles/", None),
)


def ask(page: Page, method: str, path: str, body: dict[str, Any] | None = None) -> APIResponse:
    """A request of the logged-in browser, with the token that Superset wants for changes: what is refused is not forgery."""
    address = urlsplit(page.url)
    token = page.locator("#csrf_token").first.get_attribute("value")
    headers = {"X-CSRFToken": token or "", "Referer": page.url}
    return page.request.fetch(f"{address.scheme}://{address.netloc}/{path}", method=method, headers=headers, data=body)


@pytest.fixture(scope="module")
def page(dashboards: Dashboards) -> Page:
    dashboards.page.goto(f"{dashboards.url}/superset/welcome/")
    return dashboards.page


@pytest.fixture(scope="module")
def analyst(dashboards: Dashboards, stack: Stack) -> Page:
    browser = dashboards.page.context.browser
    assert browser is not None
    known = read_env(stack.settings.credentials)
    return log_in(browser, dashboards.url, "analyst", known["SUPERSET_ANALYST_PASSWORD"])


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_the_listener_is_refused(page: Page, method: str, path: str, body: dict[str, Any] | None) -> None:
    answer = ask(page, method, f"api/v1/{path}", body)
    assert answer.status in FORBIDDEN, (answer.status, answer.text()[:300])
    assert "csrf" not in answer.text().lower()


@pytest.mark.parametrize("address", PAGES)
def test_the_listener_opens_no_page_of_administrators(page: Page, address: str) -> None:
    answer = ask(page, "GET", address)
    # Superset sends who may not see a page to its start.
    is_shown = answer.ok and answer.url.rstrip("/").endswith(address.rstrip("/"))
    assert not is_shown, answer.url


def test_the_listener_sees_dashboards_and_nothing_else(page: Page) -> None:
    seen = {kind: ask(page, "GET", f"api/v1/{kind}/").json()["result"] for kind in ("dashboard", "chart", "dataset")}
    assert {found["slug"] for found in seen["dashboard"]} >= {"overview", "health"}
    assert seen["chart"] == seen["dataset"] == []


def test_nobody_gets_anything_without_logging_in(stack: Stack) -> None:
    url = read_env(stack.settings.credentials)["SUPERSET_URL"]
    with requests.Session() as session:
        session.trust_env = False
        for path in ("", "superset/dashboard/overview/", "superset/welcome/", "sqllab/", "users/"):
            assert "/login/" in session.get(f"{url}/{path}", timeout=60).url
        for path in ("dashboard/", "chart/", "dataset/1", "database/", "dashboard/overview/charts", "log/"):
            answer = session.get(f"{url}/api/v1/{path}", timeout=60)
            assert answer.status_code == requests.codes.unauthorized or answer.json().get("result", []) == []
        assert session.post(f"{url}/api/v1/chart/data", json={}, timeout=60).status_code != requests.codes.ok
        assert session.get(f"{url}/register/form", timeout=60).status_code == requests.codes.not_found


def test_the_analyst_asks_through_the_analysts_connection_only(analyst: Page, admin: Superset) -> None:
    ids = {found["database_name"]: found["id"] for found in admin.all("database", "id", "database_name")}

    def run(database: str, sql: str) -> APIResponse:
        return ask(analyst, "POST", "api/v1/sqllab/execute/", {"database_id": ids[database], "sql": sql, "runAsync": False})

    answer = run("Lakehouse for analysts", "SELECT COUNT(*) AS n FROM silver.users")
    assert answer.ok, answer.text()
    assert answer.json()["data"][0]["n"] > 0
    other = run("Lakehouse", "SELECT COUNT(*) AS n FROM silver.users")
    assert not other.ok
    # To them it does not even exist.
    assert "not found" in other.text(), other.text()
    closed = run("Lakehouse for analysts", "SELECT * FROM bronze.listening_history")
    assert not closed.ok
    assert "Access Denied" in closed.text()


def test_tokens_and_answers_hold_no_password(admin: Superset, stack: Stack) -> None:
    passwords = {value for key, value in read_env(stack.settings.credentials).items() if key.endswith("PASSWORD")}
    for found in admin.all("database", "id"):
        for path in (f"database/{found['id']}", f"database/{found['id']}/connection"):
            text = admin.session.get(f"{admin.url}/api/v1/{path}", timeout=60).text
            assert not [password for password in passwords if password in text]
