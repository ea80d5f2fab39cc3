"""History, accounts, tokens and corrections in a real browser, on a phone and on a desk, with scripts and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from service.uploads.store import brought
from tests.browser.conftest import Opened
from tests.browser.test_service import DESK, PHONE, SECONDS, check, link, press_until
from tests.live.served import Served
from tests.live.services import Services
from tests.live.test_service_pages import EVIL, export

Open = Callable[..., Opened]
HOSTILE_NAME = "<img src=x onerror=alert(1)>.zip"
WIDTHS = pytest.mark.parametrize("width", [PHONE, DESK])
# What a person does who drops a file.
DROP = """
() => {
  const data = new DataTransfer();
  data.items.add(document.getElementById('file').files[0]);
  document.getElementById('file').value = '';
  document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service over a few plays of the admin `me`, some with hostile names; its runs wait."""
    with Services() as services:
        prepared = Served(tmp_path_factory.mktemp("pages"), services.settings() | {"CLIENT_ID": "app"})
        names = [*["Radiohead"] * 5, "Radiohaed", *[f"{EVIL} Radiohead"] * 4, *[f"{EVIL} Radiohaed"] * 2]
        (prepared.landing / "export.zip").write_bytes(export(*names))
        places = ("--landing", str(prepared.landing), "--lakehouse", str(prepared.root))
        prepared.say("run", *places, "--only", "silver.listening_with_features")
        with prepared:
            prepared.hold_lock()
            yield prepared


@pytest.fixture
def browse(running: Browser, served: Served) -> Iterator[Open]:
    """A function that opens a page in a browser of its own, in which the admin is logged in."""
    contexts = []

    def opening(path: str, *, width: int = DESK, scheme: str = "light", scripts: bool = True) -> Opened:
        context = running.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts)
        contexts.append(context)
        context.set_default_timeout(1000 * SECONDS)
        found = Opened(context.new_page())
        found.page.goto(link(served))
        found.page.get_by_role("button", name="Log in").click()
        found.page.goto(served.base + path)
        return found

    yield opening
    for context in contexts:
        context.close()


def file(folder: Path, content: bytes, name: str = HOSTILE_NAME) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@WIDTHS
@pytest.mark.parametrize("way", ["choose", "drop"])
def test_a_history_is_brought(browse: Open, served: Served, tmp_path: Path, width: int, way: str) -> None:
    opened = browse("/history", width=width)
    check(opened, served, width, "history")
    before = len(brought(served.inbox, "me"))
    opened.page.set_input_files("#file", file(tmp_path, export(f"{way} {width}", EVIL)))
    with opened.page.expect_navigation(url="**/history?result=*"):
        if way == "drop":
            opened.page.evaluate(DROP)
        else:
            opened.page.get_by_role("button", name="Bring it").click()
    assert "2 rows" in opened.page.inner_text("main")
    opened.page.get_by_text("File by file").click()
    check(opened, served, width, "history-found")
    assert len(brought(served.inbox, "me")) == before + 1


def test_a_history_is_brought_without_scripts(browse: Open, served: Served, tmp_path: Path) -> None:
    opened = browse("/history", scripts=False)
    before = len(brought(served.inbox, "me"))
    opened.page.set_input_files("#file", file(tmp_path, export("Without scripts")))
    opened.page.get_by_role("button", name="Bring it").click()
    opened.page.wait_for_url("**/history?result=*")
    assert "1 row" in opened.page.inner_text("main")
    assert len(brought(served.inbox, "me")) == before + 1


@WIDTHS
def test_a_wrong_file_is_refused_before_it_is_sent(browse: Open, served: Served, tmp_path: Path, width: int) -> None:
    opened = browse("/history", width=width)
    opened.page.set_input_files("#file", file(tmp_path, b"%PDF-1.7" * 10**6, "<b>a.pdf"))
    opened.page.get_by_role("button", name="Bring it").click()
    opened.until("!document.getElementById('problem').hidden")
    said = opened.page.inner_text("#problem")
    assert "a PDF document is not read" in said
    assert "Bring the zip file of your Spotify export" in said
    assert not any(url.startswith(f"{served.base}/history?") for url in opened.requests)
    # The browser itself writes the status of the answer to its console.
    opened.complaints[:] = [one for one in opened.complaints if "status of 415" not in one]
    check(opened, served, width, "history-refused")


@WIDTHS
def test_accounts_are_connected(browse: Open, served: Served, width: int) -> None:
    opened = browse("/connect", width=width)
    check(opened, served, width, "connect")
    name = f"vega{width}"
    opened.page.get_by_label("Your name at ListenBrainz").fill(name)
    opened.page.get_by_role("button", name="Connect ListenBrainz").click()
    opened.until(f"document.body.innerText.includes('ListenBrainz: {name}')")
    check(opened, served, width, "connect-account")
    opened.page.get_by_role("button", name=f"Disconnect ListenBrainz {name}").click()
    opened.until("document.body.innerText.includes('The account is disconnected')")
    opened.page.get_by_role("button", name="Connect Spotify").click()
    opened.until("document.body.innerText.includes('Paste the address')")
    check(opened, served, width, "connect-spotify")


@WIDTHS
def test_a_token_is_made(browse: Open, served: Served, width: int) -> None:
    opened = browse("/players", width=width)
    opened.page.get_by_label("Name, such as").fill(EVIL)
    opened.page.get_by_role("button", name="Make a token").click()
    opened.until("document.getElementById('token') !== null")
    check(opened, served, width, "players")
    assert len(opened.page.inner_text("#token")) == 43
    opened.page.get_by_role("button", name=f"Revoke {EVIL}").first.click()
    opened.until("document.body.innerText.includes('None yet')")


def test_corrections_are_decided_by_keyboard(browse: Open, served: Served) -> None:
    for width in (PHONE, DESK):
        check(browse("/corrections", width=width), served, width, "corrections")
    opened = browse("/corrections")
    main = "document.querySelector('main').innerText"
    for word in ("Accept", "Reject"):
        press_until(opened, f"document.activeElement.innerText.startsWith('{word}')")
        with opened.page.expect_navigation():
            opened.page.keyboard.press("Enter")
    opened.until(f"{main}.includes('Nothing to decide')")
    check(opened, served, DESK, "corrections-decided")
    press_until(opened, "document.activeElement.innerText.startsWith('Take back')")
    with opened.page.expect_navigation():
        opened.page.keyboard.press("Enter")
    opened.until(f"!{main}.includes('Nothing to decide')")


def test_a_history_is_brought_by_keyboard(browse: Open, served: Served, tmp_path: Path) -> None:
    opened = browse("/history")
    press_until(opened, "document.activeElement.id === 'file'")
    opened.page.set_input_files("#file", file(tmp_path, export("By keyboard")))
    press_until(opened, "document.activeElement.innerText === 'Bring it'")
    with opened.page.expect_navigation(url="**/history?result=*"):
        opened.page.keyboard.press("Enter")
    assert opened.complaints == []
