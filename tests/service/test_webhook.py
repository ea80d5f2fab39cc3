"""The webhook, by a real server on loopback: told once, again only after it was well, in the shapes of three services."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from polling.places import AccountPlace
from polling.state import AccountState, Gap, Refusal, save_state
from polling.tokens import Token, TokenStore
from service import needs as needs_module
from service import webhook
from service.disks import Disk
from service.needs import Need
from service.notify import FILE, notify
from service.webhook import WebhookError, send
from service.webhook_settings import WebhookSettings

NOW = dt.datetime(2026, 11, 30, 12, tzinfo=dt.timezone.utc)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
HOOK_PATH = "/hook/planted-secret-0011223344"


@dataclass
class Hook:
    """A server that takes messages."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    taken: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[Hook]:
    state = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.taken.append((self.path, dict(self.headers), body))
            time.sleep(state.delay)
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - a redirect that is followed would become a GET

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}{HOOK_PATH}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def settings(folder: Path, hook: Hook, **changes: Any) -> WebhookSettings:
    places = {"dir": folder / "lakehouse", "landing": folder / "landing", "state_dir": folder / "state"}
    chosen: dict[str, Any] = {"webhook_url": hook.url, **places, **changes}
    return WebhookSettings(_env_file=None, **chosen)


def account(folder: Path, **changes: Any) -> None:
    """The state of an account as a poll leaves it."""
    state = AccountState("spotify_api", "acc1", "anna", polled_at=NOW, cursor=NOW, consent=NOW - DAY)
    save_state(AccountPlace(folder / "landing" / "_api", "spotify_api", "acc1"), replace(state, **changes))


def consent(folder: Path, consented_at: dt.datetime) -> None:
    token = Token("spotify_api", "acc1", "anna", "Vega", "app", "scope", "secret-refresh", "secret-access", NOW, consented_at)
    TokenStore(folder / "state", "spotify_api").write(token)


REFUSED = Refusal(NOW, NOW, 1, "invalid_grant", "`lakehouse connect spotify --user anna`")


def test_nothing_is_told_while_all_is_well(tmp_path: Path, hook: Hook) -> None:
    account(tmp_path)
    consent(tmp_path, NOW)
    assert notify(settings(tmp_path, hook), NOW, 0) == []
    assert hook.taken == []


def test_each_thing_is_told_once_and_again_after_it_was_well(tmp_path: Path, hook: Hook) -> None:
    chosen = settings(tmp_path, hook)
    account(tmp_path, refusal=REFUSED)
    for _ in range(3):
        notify(chosen, NOW)
    assert len(hook.taken) == 1
    account(tmp_path)
    assert notify(chosen, NOW) == []
    account(tmp_path, refusal=REFUSED)
    assert [need.kind for need in notify(chosen, NOW)] == ["account_refused"]
    assert len(hook.taken) == 2


def test_a_failed_run_lasts_until_a_build_goes_well(tmp_path: Path, hook: Hook) -> None:
    chosen = settings(tmp_path, hook)
    told = [len(notify(chosen, NOW, code)) for code in (1, None, 1, 3, -9, 0, None, 3, 2)]
    assert told == [1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_every_kind_is_told_with_what_to_do(tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    gap = Gap(NOW - 3 * HOUR, NOW - HOUR, NOW)
    account(tmp_path, refusal=REFUSED, gaps=(gap,))
    consent(tmp_path, NOW - 160 * DAY)
    monkeypatch.setattr(needs_module, "disks", lambda _: {"state": Disk(tmp_path, 2**28, 2**40)})
    assert len(notify(settings(tmp_path, hook), NOW, 1)) == 5
    ((path, headers, body),) = hook.taken
    events = {event["kind"]: event for event in json.loads(body)["events"]}
    assert set(events) == {"account_refused", "run_failed", "consent_ending", "disk_nearly_full", "gap"}
    assert (path, headers["Content-Type"]) == (HOOK_PATH, "application/json")
    assert events["account_refused"]["remedy"] == "`lakehouse connect spotify --user anna`"
    assert "renew it with `lakehouse connect spotify --user anna`" in events["consent_ending"]["remedy"]
    assert "from 2026-11-30 09:00 to 2026-11-30 11:00 UTC" in events["gap"]["message"]
    assert "0.2 GiB left" in events["disk_nearly_full"]["message"]


def test_a_disk_is_well_again_with_some_room_more(tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, told = settings(tmp_path, hook), []
    for free in (3.0, 1.9, 2.1, 1.9, 2.6, 1.9):
        size = Disk(tmp_path, int(free * 2**30), 2**40)
        monkeypatch.setattr(needs_module, "disks", lambda _, size=size: {"state": size, "inbox": size})
        told.append(len(notify(chosen, NOW)))
    assert told == [0, 1, 0, 0, 0, 1]


@pytest.mark.parametrize("status", [301, 302, 400, 404, 429, 500, 503])
def test_what_was_not_taken_is_told_by_the_next_call(tmp_path: Path, hook: Hook, status: int) -> None:
    account(tmp_path, refusal=REFUSED)
    hook.status, hook.headers = status, {"Location": hook.url}
    with pytest.raises(WebhookError, match=str(status)):
        notify(settings(tmp_path, hook), NOW)
    assert len(hook.taken) == 1, "a redirect is not followed"
    hook.status = 204
    assert len(notify(settings(tmp_path, hook), NOW)) == 1
    assert notify(settings(tmp_path, hook), NOW) == []


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.3)
    hook.delay = 1.0
    began = time.monotonic()
    with pytest.raises(WebhookError, match="cannot be reached"):
        send(settings(tmp_path, hook), [Need("gap", "g", "m", "r")])
    assert time.monotonic() - began < 0.9


def test_the_address_is_in_no_message_and_no_log(tmp_path: Path, hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    chosen = settings(tmp_path, hook)
    send(chosen, [Need("gap", "g", "m", "r")])
    hook.status = 500
    with pytest.raises(WebhookError) as refused:
        send(chosen, [Need("gap", "g", "m", "r")])
    gone = settings(tmp_path, hook, webhook_url=f"http://127.0.0.1:1{HOOK_PATH}")
    with pytest.raises(WebhookError) as unreachable:
        send(gone, [Need("gap", "g", "m", "r")])
    assert len(hook.taken) == 2
    assert "POST" in caplog.text, "libraries log here"
    for text in (caplog.text, repr(chosen), f"{refused.value!r}{unreachable.value!r}{unreachable.value.__cause__}"):
        assert "planted-secret" not in text


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/x",
        "ftp://example.org/x",
        "example.org",
        "https://",
        "https://[",
        "http://127.0.0.1.example.org/",
        "file:///etc/passwd",
    ],
)
def test_only_https_or_this_machine_is_told(tmp_path: Path, hook: Hook, address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(tmp_path, hook, webhook_url=address)
    assert "input_value" not in str(refused.value)
    assert settings(tmp_path, hook, webhook_url="https://example.org/x").webhook_url is not None
    assert settings(tmp_path, hook, webhook_url="").webhook_url is None


HOSTILE = Need("account_refused", "k", "spotify_api a (@everyone 👩‍👩‍👧 " + "ä" * 200 + ")", "do it")


def test_ntfy_gets_a_text_and_headers_of_ours(tmp_path: Path, hook: Hook) -> None:
    send(settings(tmp_path, hook, webhook_kind="ntfy"), [HOSTILE] * 30)
    ((_, headers, body),) = hook.taken
    assert headers["Title"] == "Listening lakehouse"
    assert len(body) <= 4096
    assert body.decode().startswith("An account is refused: spotify_api a (@everyone 👩‍👩‍👧")
    assert body.decode().endswith("more: `lakehouse status` lists them.")


def test_discord_gets_a_message_that_mentions_nobody(tmp_path: Path, hook: Hook) -> None:
    send(settings(tmp_path, hook, webhook_kind="discord"), [HOSTILE] * 30)
    ((_, _, body),) = hook.taken
    document = json.loads(body)
    assert document["allowed_mentions"] == {"parse": []}
    assert 0 < len(document["content"]) <= 2000
    assert "@everyone" in document["content"]


def test_names_from_outside_are_one_line(tmp_path: Path, hook: Hook) -> None:
    account(tmp_path, refusal=replace(REFUSED, reason="bad\r\nX-Injected: 1\x1b[2J" + "x" * 10_000))
    notify(settings(tmp_path, hook), NOW)
    (event,) = json.loads(hook.taken[0][2])["events"]
    assert event["message"].isprintable()
    assert len(event["message"]) <= 300


def test_a_damaged_memory_is_named(tmp_path: Path, hook: Hook) -> None:
    chosen = settings(tmp_path, hook)
    chosen.state_dir.mkdir()
    (chosen.state_dir / FILE).write_text("{")
    with pytest.raises(OSError, match="remove it"):
        notify(chosen, NOW)
