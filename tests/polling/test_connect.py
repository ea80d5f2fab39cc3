"""The walk to a token: through a browser, over SSH, and each way in which it ends without one."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from lakehouse.cli.errors import UsageError
from lakehouse.settings import PROJECT_ROOT
from polling.answers import AccountRefused, PollError
from polling.connect import can_open_browser
from polling.redirect import ConsentDeniedError, Receiver, RedirectError, code_of
from polling.settings import SpotifySettings
from polling.spotify_consent import connect
from polling.tokens import Token
from tests.polling import spotify_faults as faults
from tests.polling.spotify_accounts import CLIENT_ID, Spotify
from tests.polling.spotify_faults import Fault
from tests.polling.spotify_server import play

# Follows redirects, as a browser does in which somebody has agreed before.
BROWSER = """import os, sys, urllib.request
page = urllib.request.urlopen(sys.argv[1], timeout=10).read().decode()
open(os.environ["PAGE"], "w").write(page)
"""
LINK = re.compile(r"http://127\.0\.0\.1:\d+/authorize\?\S+")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def address_after(link: str) -> str:
    """The address that a browser ends at, on a machine where nothing answers there."""
    try:
        urllib.request.build_opener(_NoRedirect).open(link, timeout=10)
    except urllib.error.HTTPError as error:
        return str(error.headers["Location"])
    raise AssertionError("no redirect")


class Person(io.StringIO):
    """A terminal with a person who opens the link that it shows, and pastes what `paste` makes of the address, line by line."""

    def __init__(self, *paste: Callable[[str], str]) -> None:
        super().__init__()
        self.output, self.left = io.StringIO(), list(paste)

    def readline(self, size: int | None = -1, /) -> str:
        (link,) = LINK.findall(self.output.getvalue())
        return f"{self.left.pop(0)(address_after(link))}\n" if self.left else ""


def whole(address: str) -> str:
    return address


def walk(spotify: Spotify, monkeypatch: pytest.MonkeyPatch, *paste: Callable[[str], str], **options: Any) -> tuple[Token, str]:
    """The token and the output of a walk by pasting."""
    person = Person(*(paste or [whole]))
    monkeypatch.setattr(sys, "stdin", person)
    settings = spotify.settings.model_copy(update={"user": options.pop("user", "anna")})
    console = Console(file=person.output, soft_wrap=True, highlight=False)
    return connect(settings, console, is_pasted=True, is_named=options.pop("is_named", True)), person.output.getvalue()


@pytest.fixture
def anna(spotify: Spotify) -> Spotify:
    spotify.server.add("A1", play(1, "2026-11-30T11:00:00.000Z"))
    spotify.server.consents_to = "A1"
    return spotify


def environment(spotify: Spotify, **changes: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "SSH_", "DISPLAY", "WAYLAND"))}
    settings = {
        "CLIENT_ID": CLIENT_ID,
        "REDIRECT_URI": "http://127.0.0.1/callback",
        "LAKEHOUSE_STATE_DIR": str(spotify.settings.state_dir),
        "LAKEHOUSE_SPOTIFY_API_URL": spotify.settings.spotify_api_url,
        "LAKEHOUSE_SPOTIFY_ACCOUNTS_URL": spotify.settings.spotify_accounts_url,
    }
    return {**own, **settings, "PYTHONPATH": str(PROJECT_ROOT), "TERM": "dumb", **changes}


class Terminal:
    """The command in a terminal of its own."""

    def __init__(self, folder: Path, env: dict[str, str], *options: str) -> None:
        self.side, other = pty.openpty()
        command = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "connect", "spotify", *options]
        self.process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, cwd=folder, env=env)
        os.close(other)
        self.text = ""

    def until(self, pattern: str) -> str:
        """The output up to a match of the pattern; the match."""
        ends = time.monotonic() + 30
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < ends, self.text
            self._read()
        return found[0]

    def _read(self) -> bool:
        if not select.select([self.side], [], [], 0.2)[0]:
            return True
        try:
            part = os.read(self.side, 65536)
        except OSError:  # the process has ended
            return False
        self.text += part.decode()
        return bool(part)

    def type(self, text: str) -> None:
        os.write(self.side, f"{text}\n".encode())

    def end(self) -> int:
        """The exit code."""
        ends = time.monotonic() + 30
        while self._read() and self.process.poll() is None:
            assert time.monotonic() < ends, self.text
        code = self.process.wait(30)
        while self._read() and select.select([self.side], [], [], 0)[0]:
            pass
        os.close(self.side)
        return code


@pytest.fixture
def browser(tmp_path: Path) -> str:
    """A browser in which the person agrees at once."""
    script = tmp_path / "browser.py"
    script.write_text(BROWSER)
    return f"{sys.executable} {script} %s"


def test_the_command_connects_through_a_browser(anna: Spotify, tmp_path: Path, browser: str) -> None:
    page = tmp_path / "page.html"
    terminal = Terminal(tmp_path, environment(anna, BROWSER=browser, PAGE=str(page)), "--user", "anna")
    assert terminal.end() == 0, terminal.text
    assert "connected: Spotify account Vega's friend is listener anna" in terminal.text
    assert "Spotify has answered. You can close this window" in page.read_text()
    token = anna.store.read("A1")
    assert token is not None
    assert (token.listener, token.client_id, token.consented_at) == ("anna", CLIENT_ID, anna.clock.now())
    assert "secret-" not in terminal.text
    (exchange,) = anna.server.asked("/api/token")
    assert exchange.form["redirect_uri"].startswith("http://127.0.0.1:")
    assert "client_secret" not in exchange.form
    (answer,) = anna.client("A1").recent()
    assert len(answer.items) == 1


def test_the_command_connects_over_ssh(anna: Spotify, tmp_path: Path, browser: str) -> None:
    env = environment(anna, SSH_CONNECTION="192.0.2.1 1 192.0.2.2 22", BROWSER=browser, PAGE=str(tmp_path / "page.html"))
    terminal = Terminal(tmp_path, env)
    link = terminal.until(LINK.pattern)
    terminal.until("Paste the address: ")
    terminal.type(address_after(link))
    assert terminal.end() == 0, terminal.text
    assert "is listener me" in terminal.text
    assert not (tmp_path / "page.html").exists()
    assert [token.listener for token in anna.store.accounts()] == ["me"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "connecting an account needs a person at a terminal"),
        ({"CLIENT_ID": ""}, "CLIENT_ID is not set: create an app at https://developer.spotify.com/dashboard"),
        ({"REDIRECT_URI": "http://localhost:8888/callback"}, "is not a loopback address"),
        ({"LAKEHOUSE_SPOTIFY_ACCOUNTS_URL": "http://accounts.example.org"}, "must be https"),
    ],
    ids=["no terminal", "no client id", "localhost", "plain http"],
)
def test_the_command_ends_with_2_where_nobody_can_connect(
    anna: Spotify, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    command = [sys.executable, str(PROJECT_ROOT / "run_pipeline.py"), "connect", "spotify"]
    done = subprocess.run(
        command,
        check=False,
        cwd=tmp_path,
        env=environment(anna, **changes),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert anna.server.requests == []


def test_ctrl_c_ends_the_walk(anna: Spotify, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, environment(anna), "--no-browser")
    terminal.until("Paste the address: ")
    # One that comes between the prompt and the read of the line is seen by the interpreter only after that line.
    for _ in range(10):
        terminal.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            terminal.process.wait(2)
            break
    assert terminal.end() == 1
    assert "Traceback" not in terminal.text
    assert anna.store.accounts() == []


def test_the_output_names_account_listener_and_end_of_consent(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    token, output = walk(anna, monkeypatch)
    assert "connected: Spotify account Vega's friend is listener anna" in output
    assert f"The consent lasts until 2027-05-30. Token: {anna.store.path('A1')}" in output
    assert anna.store.read("A1") == token
    assert "secret-" not in output


def test_an_account_is_known_by_its_immutable_id(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    anna.server.profile_fields = {"account_id": None}
    assert walk(anna, monkeypatch)[0].account_id == "user-A1"
    # Spotify names another id later: the account stays the one it was.
    anna.server.profile_fields = {"display_name": "New\x1b[31m name"}
    token, output = walk(anna, monkeypatch)
    assert (token.account_id, token.name) == ("user-A1", "New [31m name")
    assert "\x1b" not in output
    assert len(anna.store.accounts()) == 1


def test_a_renewal_keeps_the_listener_and_clears_a_refusal(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = walk(anna, monkeypatch)
    anna.store.write(first.refused(anna.clock.now()))
    anna.clock.sleep(86_400 * 170)
    token, _ = walk(anna, monkeypatch, user="me", is_named=False)
    assert (token.listener, token.refused_at, token.consented_at) == ("anna", None, anna.clock.now())


def test_an_account_has_one_listener(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    walk(anna, monkeypatch)
    before = anna.store.accounts()
    with pytest.raises(UsageError, match="already belongs to listener anna"):
        walk(anna, monkeypatch, user="ben")
    assert anna.store.accounts() == before


def test_a_listener_can_have_several_accounts_and_is_told(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    walk(anna, monkeypatch)
    anna.server.add("A2").name = "Lyra"
    anna.server.consents_to = "A2"
    _, output = walk(anna, monkeypatch)
    assert "note: listener anna also has the account Vega's friend; the plays of both count" in output
    assert [token.account_id for token in anna.store.accounts()] == ["A1", "A2"]


def test_an_address_that_is_no_answer_can_be_pasted_again(
    anna: Spotify, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_another_request(address: str) -> str:
        return re.sub(r"state=[^&]+", "state=other", address)

    def code_only(address: str) -> str:
        return address.partition("code=")[2].partition("&")[0]

    walk(anna, monkeypatch, of_another_request, code_only, lambda address: f"  {address}  ")
    errors = capsys.readouterr().err
    assert errors.count("does not belong to this request") == 2
    assert "secret-" not in errors


@pytest.mark.parametrize("paste", [[], [lambda _: "x"] * 5], ids=["end of input", "nonsense"])
def test_without_an_address_nothing_is_stored(
    anna: Spotify, monkeypatch: pytest.MonkeyPatch, paste: list[Callable[[str], str]]
) -> None:
    person = Person(*paste)
    monkeypatch.setattr(sys, "stdin", person)
    with pytest.raises(PollError, match="no address that could be used; nothing is stored"):
        connect(anna.settings, Console(file=person.output, soft_wrap=True), is_pasted=True, is_named=False)
    assert anna.server.asked("/api/token") == []


def test_a_person_can_say_no(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    anna.server.consents_to = None
    with pytest.raises(ConsentDeniedError, match="access_denied"):
        walk(anna, monkeypatch)
    assert anna.store.accounts() == []


# Answers to the code that bring no token, or none that lasts.
NO_TOKEN: dict[str, Fault] = {
    "mode 6: 503": faults.reply(503, b"busy", "text/plain"),
    "mode 38: HTML with 200": faults.html(),
    "mode 36: cut": faults.cut(b'{"access_token": "secret-'),
    "mode 41: redirect": faults.redirect("http://127.0.0.1:9/"),
    "invalid_grant": faults.oauth_error(400, "invalid_grant"),
    "no refresh token": faults.reply(200, {"access_token": "secret-x", "expires_in": 3600}),
    "no time": faults.reply(200, {"access_token": "secret-x", "refresh_token": "secret-y"}),
    "time as text": faults.reply(200, {"access_token": "secret-x", "refresh_token": "secret-y", "expires_in": "3600"}),
    "another scope": faults.reply(
        200, {"access_token": "secret-x", "refresh_token": "secret-y", "expires_in": 3600, "scope": "streaming"}
    ),
}


@pytest.mark.parametrize("name", NO_TOKEN)
def test_without_a_token_that_lasts_nothing_is_stored(anna: Spotify, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    anna.server.fail("/api/token", NO_TOKEN[name])
    with pytest.raises(PollError, match="nothing is stored") as caught:
        walk(anna, monkeypatch)
    assert "secret-" not in str(caught.value)
    assert anna.server.asked("/v1/me/") == []
    assert anna.store.accounts() == []


@pytest.mark.parametrize(
    "fault",
    [faults.reply(204), faults.html(), faults.api_error(500, "oh"), faults.reply(200, {"display_name": "Vega"})],
    ids=["204", "HTML", "500", "no id"],
)
def test_an_account_that_is_not_named_is_not_stored(anna: Spotify, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    anna.server.fail("/v1/me/", fault)
    with pytest.raises(PollError, match="nothing is stored"):
        walk(anna, monkeypatch)
    assert anna.store.accounts() == []


def test_mode_8_a_person_who_is_no_user_of_the_app_is_told_so_at_once(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    anna.server.fail("/v1/me/", faults.reply(403, b"User not registered", "text/plain"))
    with pytest.raises(AccountRefused) as caught:
        walk(anna, monkeypatch)
    assert "User Management" in caught.value.remedy


def test_a_scope_that_is_left_out_is_the_one_asked_for(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    anna.server.token_fields = {"scope": None}
    assert walk(anna, monkeypatch)[0].scope == "user-read-recently-played"


def test_a_port_in_use_is_named(anna: Spotify, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        anna.settings = anna.settings.model_copy(update={"redirect_uri": f"http://127.0.0.1:{taken.getsockname()[1]}/callback"})
        with pytest.raises(UsageError, match=r"port of REDIRECT_URI http://127.0.0.1:\d+/callback is in use"):
            walk(anna, monkeypatch)


def opened(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver("http://127.0.0.1/callback", "state") as one:
        yield one


def test_the_state_is_compared_and_a_wrong_one_does_not_end_the_wait(receiver: Receiver) -> None:
    assert opened(f"{receiver.redirect_uri}?code=x&state=other")[0] == 400
    assert opened(f"{receiver.redirect_uri}?code=x")[0] == 400
    assert opened(f"{receiver.redirect_uri}?error=access_denied&state=other")[0] == 400
    assert opened(f"{receiver.redirect_uri}?state=state")[0] == 400
    assert opened(f"{receiver.redirect_uri.removesuffix('callback')}favicon.ico?code=x&state=state")[0] == 404
    with pytest.raises(PollError, match="no answer from the browser"):
        receiver.wait(0.05)
    status, page = opened(f"{receiver.redirect_uri}?code=%3Cscript%3E&state=state")
    assert (status, "script" in page) == (200, False)
    assert receiver.wait(5) == "<script>"


def test_ipv6_is_loopback_too() -> None:
    try:
        receiver = Receiver("http://[::1]/callback", "state")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with receiver:
        assert opened(f"{receiver.redirect_uri}?code=x&state=state")[0] == 200
        assert receiver.wait(5) == "x"


def test_a_refusal_in_the_browser_ends_the_wait(receiver: Receiver) -> None:
    threading.Thread(target=opened, args=(f"{receiver.redirect_uri}?error=access_denied&state=state",)).start()
    with pytest.raises(ConsentDeniedError):
        receiver.wait(5)


def test_the_receiver_listens_on_this_machine_only(receiver: Receiver) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d{4,5}/callback", receiver.redirect_uri)
    assert receiver._server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize("address", ["", "x", "http://127.0.0.1/callback?code=x&state=", "http://[", "?state=state&code="])
def test_an_address_without_a_code_is_no_answer(address: str) -> None:
    with pytest.raises(RedirectError):
        code_of(address, "state")


@pytest.mark.parametrize(
    ("uri", "is_usable"),
    [
        ("http://127.0.0.1/callback", True),
        ("http://127.0.0.1:8888/callback", True),
        ("http://[::1]:8888/callback", True),
        ("http://127.0.0.1:x/callback", False),
        ("http://localhost:8888/callback", False),
        ("https://example.org/callback", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://127.0.0.1/callback?x=1", False),
    ],
)
def test_a_redirect_leads_to_this_machine(uri: str, is_usable: bool) -> None:
    try:
        SpotifySettings(_env_file=None, redirect_uri=uri)
    except ValidationError:
        assert not is_usable
    else:
        assert is_usable


@pytest.mark.parametrize(
    ("environment", "opens"),
    [
        ({"BROWSER": "true"}, True),
        ({"BROWSER": "true", "SSH_TTY": "/dev/pts/1"}, False),
        ({"BROWSER": "true", "SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, False),
        ({}, sys.platform in ("darwin", "win32")),
    ],
)
def test_a_browser_is_opened_only_on_the_person_s_screen(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], opens: bool
) -> None:
    for name in ("SSH_CONNECTION", "SSH_TTY", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("webbrowser._tryorder", None)
    assert can_open_browser() is opens
