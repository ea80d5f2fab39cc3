"""A Chromium without network, and pages written by the command. Without Chromium a skip, or a failure where CI=true."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Dialog, Error, Page, sync_playwright

from scripts.setup import browser as chromium
from tests.end_to_end.pipeline import Pipeline
from tests.report.conftest import hostile, several

__all__ = ["hostile", "several"]

# No request of the browser's own, no sandbox (it needs rights that containers do not give), no graphics card.
ARGUMENTS = [
    *["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync"],
    *["--disable-component-update", "--no-first-run"],
]
PATIENCE = 30
DRAWN = "document.documentElement.dataset.ready === 'true'"


class Opened:
    """A page that was opened, with all it said and asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", self.dialog)

    def dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def until(self, expression: str) -> None:
        """Wait until it holds. Playwright's own waiting evaluates text inside the page, which the page's policy forbids."""
        end = time.monotonic() + PATIENCE
        while not self._holds(expression):
            assert time.monotonic() < end, f"not within {PATIENCE} s: {expression}"
            self.page.wait_for_timeout(50)

    def _holds(self, expression: str) -> bool:
        try:
            return bool(self.page.evaluate(f"document.body !== null && ({expression})"))
        except Error as error:
            # The page left while it was asked; the next one is not there yet.
            if "context was destroyed" not in str(error):
                raise
            return False


@pytest.fixture(scope="session")
def running() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        problem = "no Chromium or Chrome: `make test-browser` installs it as root; else e.g. apt install chromium"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(problem)
        pytest.skip(problem)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def opened(running: Browser) -> Iterator[Callable[..., Opened]]:
    """A function that opens a pipeline's report (written by the command once for the same options), without network."""
    contexts = []

    def opening(pipeline: Pipeline, *options: str, width: int = 1280, scheme: str = "light") -> Opened:
        out = pipeline.landing.parent / f"report{''.join(options)}.html"
        if not out.exists():
            answer = pipeline.process("report", "--out", str(out), *options)
            assert answer.code == 0, answer.text
        context = running.new_context(offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.goto(out.as_uri())
        found.until(DRAWN)
        return found

    yield opening
    for context in contexts:
        context.close()
