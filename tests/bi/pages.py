"""Dashboards in a browser: what they show, and the rows that Superset sent for each chart."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Browser, Response

from bi.browser import Seen, log_in, look, open_dashboard, wait_for_charts
from bi.dashboards.client import Superset
from bi.dashboards.declaration import Dashboard, read_all

Rows = list[dict[str, Any]]


class Dashboards:
    """The declared dashboards, as the listener's browser sees them."""

    def __init__(self, browser: Browser, url: str, password: str, admin: Superset) -> None:
        self.url, self.admin = url, admin
        self.page = log_in(browser, url, "listener", password)
        self.declared: dict[str, Dashboard] = {dashboard.name: dashboard for dashboard in read_all()}
        self.rows: dict[str, Rows] = {}
        self.titles: dict[int, str] = {}
        self.page.on("response", self._keep)

    def open(self, name: str) -> Seen:
        """Open a dashboard whole; `rows` then holds what each of its charts was sent, by title."""
        self.titles = {c["id"]: c["slice_name"] for c in self.admin.call("GET", f"dashboard/{name}/charts")["result"]}
        self.rows = {}
        return open_dashboard(self.page, self.url, name, charts=len(self.declared[name].charts))

    def again(self, name: str) -> Seen:
        """What the open dashboard shows once its charts are drawn anew."""
        self.page.wait_for_timeout(1000)
        wait_for_charts(self.page, len(self.declared[name].charts))
        return look(self.page, 0)

    def refresh(self, name: str) -> Seen:
        """Press the button that asks for everything anew."""
        self.page.locator('[data-test="refresh-button"]').first.click()
        return self.again(name)

    def choose(self, name: str, title: str, value: str) -> Seen:
        """Choose a value in a filter, and apply it."""
        box = self.page.locator(f'[data-test="filter-bar"] .ant-select:near(:text("{title}"))').first
        box.click()
        box.locator("input").fill(value)
        self.page.locator(".ant-select-item-option", has_text=value).first.click()
        self.page.keyboard.press("Escape")
        self.page.get_by_role("button", name="Apply", exact=False).first.click()
        return self.again(name)

    def number(self, title: str) -> str:
        """The figure that a tile shows."""
        return self.page.locator(f'[data-test-chart-name="{title}"] .header-line').inner_text()

    def _keep(self, response: Response) -> None:
        if "/api/v1/chart/data" not in response.url or not response.ok:
            return
        asked = json.loads(response.request.post_data or "{}")
        title = self.titles.get(asked.get("form_data", {}).get("slice_id"))
        if title:
            # A chart of two kinds of series asks two questions.
            self.rows[title] = [row for result in response.json()["result"] for row in result["data"]]
