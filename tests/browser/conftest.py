"""A Chromium without network, and pages written by the command. Without Chromium a skip, or a failure where CI=true."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.setup import browser as chromium
from tests.end_to_end.pipeline import Pipeline
from tests.report.conftest import hostile, several

__all__ = ["hostile", "several"]

# No request of the browser's own, no sandbox (it needs rights that containers do not give), no graphics card.
ARGUMENTS = [
    *["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync"],
    *["--disable-component-update", "--no-first-run"],
]
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
        page.on("dialog", lambda dialog: self.dialog(dialog))

    def dialog(self, dialog: object) -> None:
        self.complaints.append(f"dialog: {dialog}")
        dialog.dismiss()  # type: ignore[attr-defined]

    def wait(self) -> None:
        self.page.wait_for_function(DRAWN, timeout=30_000)


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
def opened(running: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """A function that writes a report and opens it, without network."""
    contexts = []

    def opening(pipeline: Pipeline, *options: str, width: int = 1280, scheme: str = "light") -> Opened:
        out = tmp_path / "report.html"
        answer = pipeline.process("report", "--out", str(out), *options)
        assert answer.code == 0, answer.text
        context = running.new_context(offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.goto(out.as_uri())
        found.wait()
        return found

    yield opening
    for context in contexts:
        context.close()
