"""`lakehouse notify` as the scheduler calls it: a process of its own, a real webhook, and an address that stays secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live.conftest import Live

HOOK_PATH = "/hook/planted-secret-4455667788"
taken: list[bytes] = []


@pytest.fixture
def hook(live: Live) -> Iterator[Live]:
    """The settings lead to a webhook that takes everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    taken.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    live.settings["LAKEHOUSE_WEBHOOK_URL"] = f"http://127.0.0.1:{server.server_port}{HOOK_PATH}"
    yield live
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_refused_account_and_a_failed_build_are_told_once(hook: Live) -> None:
    hook.spotify("acc1", is_expired=True)
    hook.server.withdraw("acc1", consent=True)
    assert hook.poll().code == 1
    folders = ("--landing", str(hook.landing), "--lakehouse", str(hook.root))
    first = hook.say("notify", *folders, "--build-exit-code", "1", is_loud=True)
    again = hook.say("notify", *folders, "--build-exit-code", "1")
    assert (first.code, again.code) == (0, 0), first.err
    (message,) = taken
    events = {event["kind"]: event for event in json.loads(message)["events"]}
    assert set(events) == {"account_refused", "run_failed"}
    assert "lakehouse connect spotify" in events["account_refused"]["remedy"]
    assert "POST" in first.err, "the libraries log"
    assert "planted-secret" not in first.out + first.err
    assert not [path for path in Path(hook.state).rglob("*") if path.is_file() and b"planted-secret" in path.read_bytes()]


def test_the_address_is_not_in_the_list_of_processes(hook: Live) -> None:
    process = hook.start("notify", "--test", "--lakehouse", str(hook.root))
    seen = " ".join(psutil.Process(process.pid).cmdline())
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "notify" in seen
    assert "planted-secret" not in seen + out + err
    assert len(taken) == 1


def test_without_an_address_the_setting_is_named(live: Live) -> None:
    said = live.say("notify")
    assert said.code == 2
    assert "LAKEHOUSE_WEBHOOK_URL" in said.err


def test_an_address_without_tls_is_refused_and_not_repeated(live: Live) -> None:
    live.settings["LAKEHOUSE_WEBHOOK_URL"] = f"http://hook.example.org{HOOK_PATH}"
    said = live.say("notify", "--test")
    assert said.code == 2
    assert "https://" in said.err
    assert "planted-secret" not in said.out + said.err
