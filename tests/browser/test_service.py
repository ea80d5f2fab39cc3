"""The pages in a real browser, on a phone and on a desk: usable by keyboard, nothing fetched elsewhere, nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import DRAWN, Opened
from tests.end_to_end.pipeline import Pipeline
from tests.live.served import LINK, Served
from tests.report.histories import HOSTILE_ARTIST, HOSTILE_LISTENER

PHONE, DESK = 390, 1440
# The report is drawn while the browser waits.
SECONDS = 120
HOSTILE_FILE = "<img src=x onerror=alert(9)>.txt"
PICTURES = Path(__file__).parent.parent.parent / "build" / "screenshots"

Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def served(several: Pipeline) -> Iterator[Served]:
    """A service over the lakehouse of three listeners, whose admin is `me`."""
    (several.landing / HOSTILE_FILE).write_text("neither one nor the other")
    assert several.process("run", "--only", "silver.users", "--landing", str(several.landing)).code in (0, 1)
    with Served(several.landing.parent) as started:
        yield started


@pytest.fixture
def browse(running: Browser, served: Served) -> Iterator[Open]:
    """A function that opens a page in a browser of its own, logged in unless told otherwise."""
    contexts = []

    def opening(path: str, *, width: int = DESK, scheme: str = "light", is_logged_in: bool = True) -> Opened:
        context = running.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        context.set_default_timeout(1000 * SECONDS)
        found = Opened(context.new_page())
        if is_logged_in:
            found.page.goto(link(served))
            with found.page.expect_navigation(url=f"{served.base}/"):
                found.page.get_by_role("button", name="Log in").click()
            found.requests.clear()
        found.page.goto(served.base + path)
        return found

    yield opening
    for context in contexts:
        context.close()


def link(served: Served) -> str:
    """A link for the admin."""
    found = LINK.search(served.say("link"))
    assert found is not None
    return found[0]


def check(opened: Opened, served: Served, width: int, name: str) -> None:
    """What holds for every page: it fits, axe finds nothing, nothing was fetched elsewhere, nothing was complained about."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    opened.page.screenshot(path=PICTURES / f"service-{name}-{width}.png", full_page=True)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()
    assert [url for url in opened.requests if not url.startswith(served.base)] == []
    assert opened.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_home_is_complete_and_clean(browse: Open, served: Served, width: int, scheme: str) -> None:
    opened = browse("/", width=width, scheme=scheme)
    check(opened, served, width, f"home-{scheme}")
    text = opened.page.inner_text("main")
    assert HOSTILE_LISTENER in text
    assert f"{HOSTILE_FILE} is no file that can be used here" in text
    assert "No account is connected." in text
    assert opened.page.locator("main img").count() == 0


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_log_in_is_clean(browse: Open, served: Served, width: int) -> None:
    opened = browse("/login", width=width, is_logged_in=False)
    check(opened, served, width, "login")
    opened.page.goto(link(served))
    check(opened, served, width, "enter")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_errors_are_pages_that_lead_on(browse: Open, served: Served, width: int) -> None:
    opened = browse("/nothing", width=width)
    assert opened.page.get_by_role("heading", level=1).inner_text() == "There is no such page"
    # The browser itself writes the status of the page to its console.
    opened.complaints[:] = [one for one in opened.complaints if "status of 404" not in one]
    check(opened, served, width, "error")
    with opened.page.expect_navigation(url=f"{served.base}/"):
        opened.page.get_by_role("link", name="To the start page").click()


def test_the_keyboard_is_enough(browse: Open, served: Served) -> None:
    opened = browse("/login", is_logged_in=False)
    page = opened.page
    page.goto(link(served))
    press_until(opened, "document.activeElement.textContent.trim() === 'Log in'")
    with page.expect_navigation(url=f"{served.base}/"):
        page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    press_until(opened, "document.activeElement.textContent.trim() === 'Report' && document.activeElement.className === 'button'")
    page.reload()
    press_until(opened, "document.activeElement.textContent.trim() === 'Log out'")
    with page.expect_navigation(url=f"{served.base}/login"):
        page.keyboard.press("Enter")
    assert opened.complaints == []


def press_until(opened: Opened, condition: str) -> None:
    """Press the tabulator until what has the focus is right."""
    for _ in range(60):
        opened.page.keyboard.press("Tab")
        if opened.page.evaluate(condition):
            return
    pytest.fail(f"the keyboard does not reach it: {condition}")


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_report_draws_in_a_sandbox_of_its_own(browse: Open, served: Served, width: int) -> None:
    opened = browse("/report", width=width)
    opened.until(DRAWN)
    assert HOSTILE_ARTIST in opened.page.inner_text("body")
    check(opened, served, width, "report")
    # Were it to run somebody's script, that could neither read the service's pages nor send anything.
    assert opened.page.evaluate("window.origin") == "null"
    opened.page.evaluate("fetch('/').catch(() => { document.body.dataset.refused = 'yes'; })")
    opened.until("document.body.dataset.refused === 'yes'")
    with pytest.raises(Exception, match="sandboxed"):
        opened.page.evaluate("document.cookie")


def test_the_admin_opens_the_report_of_a_listener_with_a_hostile_name(browse: Open) -> None:
    opened = browse("/")
    with opened.page.expect_navigation():
        opened.page.get_by_role("link", name=f"Report of {HOSTILE_LISTENER}").click()
    opened.until(DRAWN)
    assert opened.page.title() == f"Listening history: {HOSTILE_LISTENER}"
    assert opened.complaints == []


def test_a_run_is_seen_as_it_goes_without_loading_the_page_again(browse: Open) -> None:
    opened = browse("/")
    with opened.page.expect_navigation():
        opened.page.get_by_role("button", name="Read new files and build now").click()
    opened.until("document.body.innerText.includes('A run is going on')")
    opened.page.evaluate("window.same = true")
    opened.until("/[1-9]\\d* of \\d+ tables built/.test(document.body.innerText)")
    assert opened.page.evaluate("window.same") is True
    assert opened.page.locator("progress").count() == 1
    assert opened.complaints == []
