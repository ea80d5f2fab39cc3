"""Attacks on the service over real sockets, each beside the same request as it should be."""

from __future__ import annotations

import datetime as dt
import secrets
import socket
import time
from pathlib import Path

import pytest

from bi.passwords import hashed
from service import security
from service.links import Links
from service.pages.login import ATTEMPTS
from service.protocol import TimedProtocol
from service.sessions import VALID
from service.submissions import now_playing
from tests.service.serving import Serving

UTC = dt.timezone.utc


@pytest.mark.parametrize(
    ("host", "status"),
    [("{host}", 200), ("localhost:{port}", 200), ("[::1]:{port}", 200), ("music.example.org", 200), ("MUSIC.example.org:80", 200)]
    + [(name, 400) for name in ("evil.example", "evil.example:{port}", "music.example.org.evil.example", "127.0.0.1.nip.io", "")],
)
def test_only_allowed_host_names_are_answered(serving: Serving, host: str, status: int) -> None:
    named = host.format(host=serving.host, port=serving.port)
    answer = serving.ask("GET", "/login", headers={"Host": named})
    assert answer.status == status
    if status == 400:
        assert "LAKEHOUSE_SERVE_NAMES" in answer.text


def test_a_rebound_name_gets_nothing_even_with_a_session(serving: Serving) -> None:
    secret = serving.session(serving.anna)
    assert serving.ask("GET", "/report", secret=secret).status != 400
    answer = serving.ask("GET", "/report", secret=secret, headers={"Host": "evil.example"})
    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": None, "Sec-Fetch-Site": None},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://[broken"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_of_another_site_changes_nothing(serving: Serving, headers: dict[str, str | None]) -> None:
    secret = serving.session(serving.anna)
    form = {"form_token": serving.form_token(secret)}
    answer = serving.ask("POST", "/logout", secret=secret, form=form, headers=headers)
    assert answer.status == 403
    assert serving.ask("GET", "/login", secret=secret).status == 303
    assert serving.ask("POST", "/logout", secret=secret, form=form).status == 303
    assert serving.ask("GET", "/login", secret=secret).status == 200


def test_a_form_needs_the_token_of_its_own_session(serving: Serving) -> None:
    secret, other = serving.session(serving.anna), serving.session(serving.ben)
    for token in ("", "0" * 64, serving.form_token(other)):
        assert serving.ask("POST", "/logout", secret=secret, form={"form_token": token}).status == 403
    assert serving.ask("POST", "/logout", secret=secret, form={}).status == 403
    assert serving.ask("GET", "/login", secret=secret).status == 303
    assert serving.ask("POST", "/logout", secret=secret, form={"form_token": serving.form_token(secret)}).status == 303


# A page takes one of both, and may refuse the other before it looks for a token.
KINDS = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x")


def test_every_form_of_a_page_is_refused_without_a_token(serving: Serving) -> None:
    secret = serving.session(serving.owner)
    paths = {
        (m, route.path) for route in serving.app.routes for m in getattr(route, "methods", None) or () if m not in security.SAFE
    }
    of_pages = {one for one in paths if not security.is_below(one[1], (*security.BY_TOKEN, *security.OPEN))}
    assert ("POST", "/logout") in of_pages
    refused = set[int]()
    for method, path in of_pages:
        place = path.replace("{", "").replace("}", "")
        forms = [serving.ask(method, place, secret=secret, form={}, headers={"Content-Type": kind}).status for kind in KINDS]
        assert min(forms) >= 400, (path, forms)
        refused.update(forms)
    assert 403 in refused
    assert serving.ask("GET", "/login", secret=secret).status == 303


def test_a_page_of_another_listener_is_refused_and_the_admin_sees_it(serving: Serving) -> None:
    anna, owner = serving.session(serving.anna), serving.session(serving.owner)
    assert serving.ask("GET", "/report?listener=ben", secret=anna).status == 403
    assert serving.ask("GET", "/report?listener=ben", secret=owner).status == 404
    own = serving.ask("GET", "/report?listener=anna", secret=anna)
    assert own.status == 404
    assert "There are no plays of anna yet" in own.text


def test_nobody_sees_a_page_without_a_session(serving: Serving) -> None:
    for path in ("/", "/live", "/report", "/nothing"):
        answer = serving.ask("GET", path)
        assert (answer.status, answer.headers["location"]) == (303, "/login")
        assert serving.ask("GET", path, headers={"Accept": "*/*"}).status == 401
    assert serving.ask("GET", "/static/style.css").status == 200
    assert serving.ask("GET", "/", secret=serving.session(serving.anna)).status == 200


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/%2e%2e/app.py", "/static//etc/passwd", "/static/..%2fhome.py"]
)
def test_static_files_are_those_of_their_folder(serving: Serving, path: str) -> None:
    assert serving.ask("GET", path).status == 404


def test_sessions_cannot_be_guessed_or_made_up(serving: Serving) -> None:
    secret = serving.session(serving.anna)
    assert serving.ask("GET", "/", secret=secret).status == 200
    stored = (serving.settings.state_dir / "sessions.json").read_text()
    assert secret not in stored
    guesses = [secret[:-1], secret + "A", secret.swapcase(), "", "anna", "ä".encode().decode("latin1"), secrets.token_urlsafe(32)]
    guesses += ["0" * 64, *stored.split('"')[1::2]]
    for guess in guesses:
        assert serving.ask("GET", "/", secret=guess).status == 303, guess


def test_a_session_ends_when_it_is_old_and_when_its_person_is_removed(serving: Serving) -> None:
    sessions, now = serving.app.state.sessions, dt.datetime.now(UTC)
    old, new = sessions.begin(serving.anna, now - VALID - dt.timedelta(seconds=1)), sessions.begin(serving.anna, now)
    assert serving.ask("GET", "/", secret=new).status == 200
    assert serving.ask("GET", "/", secret=old).status == 303
    carl = serving.people.add("carl")
    secret = serving.session(carl)
    assert serving.ask("GET", "/", secret=secret).status == 200
    serving.people.remove("carl")
    assert serving.ask("GET", "/", secret=secret).status == 303
    serving.people.add("carl")
    assert serving.ask("GET", "/", secret=secret).status == 303


def test_a_link_logs_in_once_within_ten_minutes(serving: Serving) -> None:
    links, now = Links(serving.settings.state_dir), dt.datetime.now(UTC)
    key, old = links.issue(serving.anna, now), links.issue(serving.anna, now - dt.timedelta(minutes=10, seconds=1))
    # What previews a link uses nothing up.
    for _ in range(2):
        assert "anna" in serving.ask("GET", f"/enter?key={key}").text
    entered = serving.ask("POST", "/enter", form={"key": key})
    assert entered.status == 303
    assert {"HttpOnly", "SameSite=strict"} <= set(entered.headers["set-cookie"].split("; "))
    assert "anna" in serving.ask("GET", "/", secret=entered.cookie).text
    for used in (key, old, "", "x" * 43):
        assert serving.ask("POST", "/enter", form={"key": used}).status == 403
        assert serving.ask("GET", f"/enter?key={used}").status == 403


def test_a_link_does_not_outlive_its_person(serving: Serving) -> None:
    links, now = Links(serving.settings.state_dir), dt.datetime.now(UTC)
    key = links.issue(serving.people.add("dora"), now)
    serving.people.remove("dora")
    serving.people.add("dora")
    assert serving.ask("POST", "/enter", form={"key": key}).status == 403
    assert serving.ask("POST", "/enter", form={"key": links.issue(serving.people.find("dora").person, now)}).status == 303


def test_a_body_that_is_too_large_is_refused_however_its_length_is_told(serving: Serving) -> None:
    secret = serving.session(serving.anna)
    form = {"form_token": serving.form_token(secret)}
    large = {"Content-Length": str(security.LARGEST_BODY + 1)}
    assert serving.ask("POST", "/logout", secret=secret, form=form, headers=large).status == 413
    assert serving.ask("POST", "/logout", secret=secret, form=form, headers={"Content-Length": "-1"}).status in (400, 413)
    head = f"POST /login HTTP/1.1\r\nHost: {serving.host}\r\nOrigin: http://{serving.host}\r\nTransfer-Encoding: chunked\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    with socket.create_connection(("127.0.0.1", serving.port)) as client:
        client.sendall(head.encode())
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        answer = b""
        client.settimeout(5)
        try:
            for _ in range(40):
                client.sendall(chunk)
            answer = client.recv(4096)
        except (BrokenPipeError, ConnectionResetError):
            answer = b"HTTP/1.1 413"
    assert answer.startswith(b"HTTP/1.1 413")
    assert serving.ask("POST", "/logout", secret=secret, form=form).status == 303


def test_a_head_without_end_is_cut_off(serving: Serving) -> None:
    assert serving.ask("GET", "/login", headers={"X-Long": "x" * 10_000}).status == 200
    with socket.create_connection(("127.0.0.1", serving.port)) as client:
        client.settimeout(5)
        client.sendall(f"GET /login HTTP/1.1\r\nHost: {serving.host}\r\n".encode())
        try:
            for number in range(2000):
                client.sendall(f"X-{number}: {'x' * 1000}\r\n".encode())
            answer = client.recv(100)
        except (BrokenPipeError, ConnectionResetError):
            return
        assert answer.startswith(b"HTTP/1.1 400")


class Impatient(TimedProtocol):
    head_seconds = 0.4


def test_slow_heads_and_bodies_are_cut_off_while_others_are_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "BODY_SECONDS", 0.4)
    with Serving(tmp_path, protocol=Impatient) as serving:
        place, start = (
            ("127.0.0.1", serving.port),
            f"POST /login HTTP/1.1\r\nHost: {serving.host}\r\nOrigin: http://{serving.host}\r\n",
        )
        slow = [socket.create_connection(place) for _ in range(50)]
        for client in slow[1:]:
            client.sendall(start.encode())
        body = socket.create_connection(place)
        body.sendall(start.encode() + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\n")
        assert serving.ask("GET", "/login").status == 200
        end = time.monotonic() + 5
        for number in range(12):
            time.sleep(0.1)
            for client in slow[1:]:
                try:
                    client.sendall(f"X-{number}: a\r\n".encode())
                except OSError:
                    continue
            try:
                body.sendall(b"a")
            except OSError:
                continue
        for client in slow:
            client.settimeout(max(end - time.monotonic(), 0.1))
            try:
                assert client.recv(1) == b""
            except ConnectionResetError:
                continue
        body.settimeout(5)
        assert body.recv(4096).startswith(b"HTTP/1.1 408")
        # One that is only a little slow is served.
        with socket.create_connection(place) as client:
            client.sendall(b"GET /login HTTP/1.1\r\n")
            time.sleep(0.2)
            client.sendall(f"Host: {serving.host}\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_wrong_passwords_are_refused_and_soon_not_even_tried(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ATTEMPTS, "most", 3)
    serving.people.add("eve", login="listener_eve", password_hash=hashed("right & long"))
    assert serving.ask("POST", "/login", form={"name": "eve", "password": "right & long"}).status == 303
    assert serving.ask("POST", "/login", form={"name": "listener_eve", "password": "right & long"}).status == 303
    for name, password in (("eve", ""), ("eve", "right & lon"), ("anna", ""), ("nobody", "x"), ("me", "None")):
        assert serving.ask("POST", "/login", form={"name": name, "password": password}).status == 403
    tried = [serving.ask("POST", "/login", form={"name": "fay", "password": "x"}).status for _ in range(4)]
    assert tried == [403] * 3 + [429]
    assert serving.ask("POST", "/login", form={"name": "eve", "password": "right & long"}).status == 303


def test_answers_forbid_what_pages_do_not_need(serving: Serving) -> None:
    for path, secret in (("/login", None), ("/", serving.session(serving.anna)), ("/nothing", None), ("/static/style.css", None)):
        headers = serving.ask("GET", path, secret=secret).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers
        assert not [name for name in headers if name.startswith("access-control-")]


def test_errors_are_pages_for_people_and_json_for_programs(serving: Serving) -> None:
    secret = serving.session(serving.anna)
    page = serving.ask("GET", "/nothing", secret=secret)
    assert (page.status, "There is no such page" in page.text) == (404, True)
    document = serving.ask("GET", "/1/nothing", headers={"Accept": "*/*"})
    assert (document.status, document.headers["content-type"]) == (404, "application/json")
    assert document.text.startswith('{"code":404,"error":')
    wrong = serving.ask("GET", "/logout", secret=secret)
    assert wrong.status == 405


def test_a_page_that_fails_says_so_and_shows_nothing_of_why(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("planted secret 4711")

    monkeypatch.setattr(serving.app.state.snapshots, "current", broken)
    answer = serving.ask("GET", "/", secret=serving.session(serving.anna))
    assert answer.status == 500
    assert "4711" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_what_plays_now_is_shown_to_its_listener_and_the_admin_and_is_text(serving: Serving) -> None:
    track = {
        "track_name": "<script>alert(1)</script>",
        "artist_name": "\u202egnp.<b>",
        "additional_info": {"media_player": "<i>"},
    }
    now_playing.put("anna", track)
    try:
        for person in (serving.anna, serving.owner):
            page = serving.ask("GET", "/", secret=serving.session(person)).text
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
            assert "<script>alert" not in page
            assert "\u202e" not in page
        assert "alert(1)" not in serving.ask("GET", "/", secret=serving.session(serving.ben)).text
    finally:
        now_playing.forget("anna")
