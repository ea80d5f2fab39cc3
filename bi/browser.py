"""A headless Chromium that opens dashboards, and sees what a person would: charts, errors, empty boxes, seconds."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bi.process import StackError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# High enough that no chart waits to be scrolled to.
SIZE = {"width": 1440, "height": 3600}
LOAD_MS = 90_000
LOGIN_MS, LOGIN_ATTEMPTS = 30_000, 3
HOLDER = ".dashboard-component-chart-holder"
# Superset 6.1 lets every viewer's browser save the colours that it chose for new labels; who may only read is refused that, the
# browser complains twice, and nothing is missing on the page.
COLORS = re.compile(r"refused: 403 \S+/api/v1/dashboard/\d+/colors\b")
# Superset's telemetry, which our policy keeps from being sent.
TELEMETRY = re.compile(r"error: Loading the image 'https://apachesuperset\.gateway\.scarf\.sh/.* violates")
COMPLAINTS = ("error: Failed to load resource: the server responded with a status of 403 (FORBIDDEN)", "error: Response")


@dataclass
class Seen:
    """A dashboard as it came up: each chart's title with what is wrong of it, messages on the console, answers with data."""

    seconds: float
    charts: list[str]
    problems: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)


def program() -> str | None:
    """A Chromium or Chrome on the PATH, or None."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Raises StackError where none is installed."""
    from playwright.sync_api import sync_playwright

    path = program()
    if path is None:
        raise StackError("no Chromium or Chrome was found; `python3 scripts/setup.py --browser` installs one or says how")
    # Its sandbox refuses root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*options, "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def log_in(browser: Browser, url: str, user: str, password: str) -> Page:
    """A page of a new context, logged in. Raises StackError where Superset does not let in."""
    from playwright.sync_api import TimeoutError as TooLongError

    page = browser.new_context(viewport=SIZE, locale="en-GB", timezone_id="UTC").new_page()  # type: ignore[arg-type]
    page.set_default_timeout(LOAD_MS)
    # The answer to what the page logs while the form is sent may bring an older session's cookie, and end the new one.
    for _ in range(LOGIN_ATTEMPTS):
        # The form is drawn again once all scripts are there, and forgets what was typed before.
        page.goto(f"{url}/login/", wait_until="networkidle")
        page.fill("#username", user)
        page.fill("#password", password)
        page.press("#password", "Enter")
        with suppress(TooLongError):
            page.wait_for_url(lambda address: "/login" not in address, wait_until="commit", timeout=LOGIN_MS)
            return page
    raise StackError(f"the log-in of {user} to Superset at {url} failed: {page.locator('body').inner_text()[:300]}")


def open_dashboard(page: Page, url: str, name: str, *, charts: int, bare: bool = False) -> Seen:
    """Open a dashboard and wait until each of its charts is drawn, or says why not. `bare`: without Superset's own bar."""
    messages: list[str] = []
    page.on("console", lambda m: messages.append(f"{m.type}: {m.text}") if m.type == "error" else None)
    page.on("response", lambda r: messages.append(f"refused: {r.status} {r.url}") if r.status >= 400 else None)
    page.on("pageerror", lambda e: messages.append(f"error: {e}"))
    began = time.monotonic()
    page.goto(f"{url}/superset/dashboard/{name}/{'?standalone=1' if bare else ''}")
    wait_for_charts(page, charts)
    seen = look(page, time.monotonic() - began)
    page.wait_for_timeout(300)
    seen.console = without_noise(messages)
    return seen


def without_noise(messages: list[str]) -> list[str]:
    """The messages, less those that every viewer's browser writes (see COLORS and TELEMETRY)."""
    messages = [message for message in messages if not TELEMETRY.match(message)]
    left = [message for message in messages if not COLORS.match(message)]
    for complaint in COMPLAINTS * (len(messages) - len(left)):
        if complaint in left:
            left.remove(complaint)
    return left


def wait_for_charts(page: Page, charts: int) -> None:
    """Until so many charts are on the page and none is loading, LOAD_MS at most; `look` tells what is missing then."""
    from playwright.sync_api import TimeoutError as TooLongError

    with suppress(TooLongError):
        page.wait_for_function(
            """([holder, count]) => {
                const charts = [...document.querySelectorAll(holder)].filter(c => c.querySelector('.chart-slice'));
                const busy = c => c.querySelector('.loading, [data-test="loading-indicator"], .ant-spin-spinning');
                const done = c => c.querySelector('.slice_container, [role=alert]') && !busy(c);
                return charts.length >= count && charts.every(done);
            }""",
            arg=[HOLDER, charts],
            polling=200,
        )


def look(page: Page, seconds: float) -> Seen:
    """What the charts on the page show."""
    found: list[dict[str, Any]] = page.evaluate(
        """(holder) => [...document.querySelectorAll(holder)].filter(c => c.querySelector('.chart-slice')).map(c => ({
            title: c.querySelector('[data-test="editable-title"], .header-title')?.innerText ?? '?',
            alert: [...c.querySelectorAll('[role=alert], .ant-alert, .error')].map(a => a.innerText).join(' '),
            empty: [...c.querySelectorAll('.ant-empty, [data-test="empty-state"]')].map(a => a.innerText).join(' '),
            text: c.querySelector('.slice_container')?.innerText ?? '',
            figure: c.querySelector('.header-line')?.innerText ?? '',
            busy: !!c.querySelector('.loading, [data-test="loading-indicator"], .ant-spin-spinning'),
            drawn: !!c.querySelector('canvas, svg, table, .header-line'),
        }))""",
        HOLDER,
    )
    problems = []
    for chart in found:
        if chart["busy"]:
            problems.append(f"{chart['title']}: still loading")
        elif chart["alert"]:
            problems.append(f"{chart['title']}: error: {chart['alert'][:300]}")
        elif chart["empty"] or re.search(r"No data|No results", chart["text"]) or chart["figure"] == "N/A":
            problems.append(f"{chart['title']}: empty")
        elif not chart["drawn"]:
            problems.append(f"{chart['title']}: nothing drawn ({chart['text'][:80]})")
    return Seen(seconds, [chart["title"] for chart in found], problems)
