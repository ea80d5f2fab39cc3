"""The service as a process: from the link that a command prints to the report, over restarts, and what it costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from lakehouse.settings import PROJECT_ROOT
from tests.end_to_end.pipeline import days
from tests.live.served import LINK, Browser, Served

MOST_MEMORY = 90 * 2**20
PATIENCE = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    with Served(folder) as started:
        yield started


def text_of(page: requests.Response) -> str:
    return " ".join(re.sub("<[^>]*>", " ", page.text).split())


def wait_for(browser: Browser, pattern: str) -> str:
    """The text of the start page once it says so; the page says in the meantime that a run is going on."""
    end = time.monotonic() + PATIENCE
    seen = []
    while time.monotonic() < end:
        seen.append(text_of(browser.get("/live")))
        if re.search(pattern, seen[-1]):
            return "\n".join(seen)
        time.sleep(0.2)
    raise AssertionError(f"not within {PATIENCE} s: {pattern}\n{seen[-1]}")


def test_a_history_is_read_and_shown_while_the_run_is_seen(served: Served) -> None:
    browser = served.enter()
    home = text_of(browser.get("/"))
    assert "There is nothing here yet" in home
    assert browser.get("/report").status_code == 404
    (served.landing / "history.json").write_text(json.dumps(days(20)))
    answer = browser.post("/run")
    assert answer.status_code == 200
    seen = wait_for(browser, r"me 40 2024-01-01 .* Last run: .*, succeeded")
    assert re.search(r"[1-9]\d* of \d+ tables built", seen)
    report = browser.get("/report")
    assert report.status_code == 200
    assert "sandbox allow-scripts" in report.headers["content-security-policy"]
    assert "Listening history: me" in report.text
    assert list(served.state.glob(".report-*")) == []
    served.say("listener", "add", "anna")
    anna = served.enter("anna")
    assert "2024-01-01" in browser.get("/").text
    assert "2024-01-01" not in anna.get("/").text
    assert anna.get("/report?listener=me").status_code == 403
    process = psutil.Process(served.process.pid)
    assert process.memory_info().rss < MOST_MEMORY


def test_a_log_in_survives_a_restart_and_ends_with_its_person(folder: Path) -> None:
    with Served(folder) as first:
        first.say("listener", "add", "anna")
        browser, owner = first.enter("anna"), first.enter()
        assert "anna" in browser.get("/").text
        port = first.port
    again = Served(folder, {"LAKEHOUSE_SERVE_PORT": str(port)})
    again.port = port
    with again as second:
        assert "anna" in browser.get("/", allow_redirects=False).text
        second.say("listener", "remove", "anna")
        answer = browser.get("/", allow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert owner.get("/", allow_redirects=False).status_code == 200


def test_no_key_password_or_cookie_is_in_the_log(served: Served) -> None:
    served.say("listener", "add", "ben")
    [line] = [
        line for line in (served.folder / "bi" / "listeners" / "listener_ben.env").read_text().split() if "PASSWORD" in line
    ]
    password = line.partition("=")[2]
    found = LINK.search(served.say("link"))
    assert found is not None
    key, browser = found[0].partition("key=")[2], Browser(served.base)
    assert browser.get(f"/enter?key={key}").status_code == 200
    entered = browser.session.post(f"{served.base}/enter", data={"key": key}, headers={"Origin": served.base}, timeout=30)
    assert entered.status_code == 200
    other = Browser(served.base)
    logged_in = other.session.post(
        f"{served.base}/login", data={"name": "ben", "password": password}, headers={"Origin": served.base}, timeout=30
    )
    assert logged_in.status_code == 200
    cookies = [value for one in (browser, other) for value in one.session.cookies.values()]
    assert len(cookies) == 2
    log = (served.folder / "log").read_text()
    assert '"path": "/enter"' in log
    for secret in (key, password, *cookies):
        assert secret not in log
        for path in served.state.rglob("*"):
            assert not path.is_file() or secret not in path.read_text()
    words = " ".join(" ".join(one.cmdline()) for one in psutil.Process(served.process.pid).children(recursive=True))
    assert key not in words


def test_a_second_service_on_the_port_says_what_to_do(served: Served) -> None:
    words = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "serve"]
    second = subprocess.run(words, env=served.environment, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "choose another with --port" in second.stderr
    assert "Traceback" not in second.stderr
