"""The pages over a real service: a history is brought, an account connected, names corrected; and who may not do what."""

from __future__ import annotations

import html
import io
import json
import re
import signal
import socket
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from polling.tokens import TokenStore
from service.people import People
from service.uploads.store import brought
from tests.landing_files import as_json, extended
from tests.live.served import Browser, Served
from tests.live.services import Services
from tests.polling.spotify_server import play

BUTTON = re.compile(r'class="button" href="([^"]+)"')
REFRESH = re.compile(r'http-equiv="refresh" content="0; url=([^"]+)"')
EVIL = "<script>alert(1)</script>"


def export(*names: str) -> bytes:
    """A zip with an extended export: a play of each of these artists, a day apart."""
    plays = [
        extended(
            ts=f"2024-{1 + n // 28:02}-{1 + n % 28:02}T10:03:00Z",
            master_metadata_album_artist_name=name,
            master_metadata_track_name=f"Song of {name}",
            spotify_track_uri=f"spotify:track:{zlib.crc32(name.encode()):022}",
        )
        for n, name in enumerate(names)
    ]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{EVIL[:8]}/Streaming_History_Audio.json", as_json(plays))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with Services() as server:
        server.add("A1", play(1, "2026-11-30T11:00:00.000Z"))
        server.consents_to = "A1"
        yield server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, services: Services) -> Iterator[Served]:
    """A service over a lakehouse with plays of anna and ben, whose runs wait, as another one holds the lock."""
    folder = tmp_path_factory.mktemp("served")
    prepared = Served(folder, services.settings() | {"CLIENT_ID": "app", "LAKEHOUSE_MAX_FILE_MB": "3"})
    hostile = [*[f"{EVIL} Radiohead"] * 4, *[f"{EVIL} Radiohaed"] * 2]
    for listener, names in (("anna", hostile), ("ben", [])):
        place = prepared.landing / "listeners" / listener
        place.mkdir(parents=True)
        (place / "export.zip").write_bytes(export(*["Radiohead"] * 5, "Radiohaed", *names))
    places = ("--landing", str(prepared.landing), "--lakehouse", str(prepared.root))
    prepared.say("run", *places, "--only", "silver.listening_with_features")
    with prepared as started:
        people = People(started.state)
        people.add("me", is_admin=True)
        people.add("anna")
        people.add("ben")
        started.hold_lock()
        yield started


@pytest.fixture(scope="module")
def anna(served: Served) -> Browser:
    return served.enter("anna")


@pytest.fixture(scope="module")
def ben(served: Served) -> Browser:
    return served.enter("ben")


@pytest.fixture(scope="module")
def me(served: Served) -> Browser:
    return served.enter()


def shown(answer: requests.Response) -> str:
    """The text of a page."""
    return re.sub(r"\s+", " ", html.unescape(re.sub("<[^>]*>", " ", answer.text)))


def test_a_history_is_brought_by_form_and_by_script_and_is_one_file(served: Served, anna: Browser) -> None:
    content = export("Vega", "Lyra")
    by_form = anna.post("/history", files={"file": (f"../../{EVIL}.zip", content)})
    assert (by_form.status_code, by_form.history[0].status_code) == (200, 303)
    assert "a run reads it now" in shown(by_form)
    assert "2 rows" in shown(by_form)
    assert "2024-01-01 to 2024-01-02" in shown(by_form)
    assert "<script>" not in by_form.text.replace('<script src="/static', "")
    by_script = anna.put("/history?name=my_spotify_data.zip", content)
    assert by_script.status_code == 201
    assert "was here already" in shown(anna.get(by_script.json()["location"]))
    (one,) = brought(served.inbox, "anna")
    assert served.brought() == [f"listeners/anna/{one.sha256}.zip"]
    assert (served.inbox / served.brought()[0]).stat().st_mode & 0o777 == 0o600
    assert served.parts() == []


def test_what_was_brought_is_seen_by_its_listener_and_the_admin_alone(
    served: Served, anna: Browser, ben: Browser, me: Browser
) -> None:
    location = anna.put("/history", export("Only anna")).json()["location"]
    hashes = [one.sha256[:12] for one in brought(served.inbox, "anna")]
    for browser, is_seen in ((anna, True), (me, True), (ben, False)):
        assert all((one in browser.get("/history").text) is is_seen for one in hashes)
    assert "What was in the file" in anna.get(location).text
    assert "What was in the file" not in ben.get(location).text


def test_only_the_admin_brings_for_others_and_what_names_others(served: Served, anna: Browser, me: Browser) -> None:
    names_ben = json.dumps(
        {"track_metadata": {"track_name": "Tide", "artist_name": "Vega"}, "listened_at": 1_795_986_245, "user_name": "ben"}
    ).encode()
    before = served.brought()
    for listener in ("ben", "_house", "../ben", "nobody"):
        assert anna.put(f"/history?listener={listener}", export("For ben")).status_code == 403
    assert anna.post("/history", {"listener": "ben"}, files={"file": ("a.zip", export("For ben"))}).status_code == 403
    refused = anna.put("/history", names_ben)
    assert (refused.status_code, "Only the admin" in refused.json()["error"]) == (403, True)
    assert (
        anna.session.post(
            f"{anna.base}/history/check", data=names_ben, headers={"Origin": anna.base, "X-Form-Token": anna.token()}, timeout=60
        ).status_code
        == 403
    )
    assert served.brought() == before
    assert me.put("/history?listener=nobody", export("x")).status_code == 400
    assert me.put("/history?listener=ben", export("For ben")).status_code == 201
    assert me.put("/history?listener=_house", names_ben).status_code == 201
    added = {name.rpartition("/")[0] for name in set(served.brought()) - set(before)}
    assert added == {"listeners/ben", "house"}


def test_what_is_no_history_or_too_large_is_refused_and_leaves_nothing(served: Served, anna: Browser) -> None:
    before = served.brought()
    for content, status in ((b"%PDF-1.7" * 20_000, 415), (b"", 415), (b"[1]" + b" " * 4 * 2**20, 413)):
        assert anna.put("/history?name=a.json", content).status_code == status
    # Without a length, the bytes are counted.
    assert anna.put("/history", iter([export("x")[:10], b" " * 4 * 2**20])).status_code in (413, 415)
    by_form = anna.post("/history", files={"file": ("a.pdf", b"%PDF-1.7" * 20_000)})
    assert (by_form.status_code, "Bring the zip file of your Spotify export" in shown(by_form)) == (415, True)
    assert "Choose one" in shown(anna.post("/history", files={"file": ("", b"")}))
    assert (served.brought(), served.parts()) == (before, [])
    assert anna.put("/history", export("After the refusals")).status_code == 201


def begin_upload(browser: Browser, content: bytes, length: int) -> socket.socket:
    """A PUT of which not all comes."""
    cookie = "; ".join(f"{one.name}={one.value}" for one in browser.session.cookies)
    host = browser.base.removeprefix("http://")
    head = f"PUT /history?name=a.zip HTTP/1.1\r\nHost: {host}\r\nOrigin: {browser.base}\r\nCookie: {cookie}\r\n"
    connection = socket.create_connection(host.split(":"))
    connection.sendall(f"{head}X-Form-Token: {browser.token()}\r\nContent-Length: {length}\r\n\r\n".encode() + content)
    return connection


def until(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_upload_that_breaks_off_leaves_nothing(served: Served, anna: Browser) -> None:
    before = served.brought()
    connection = begin_upload(anna, export(*["Vega"] * 50)[:1500], 2_000_000)
    until(lambda: len(served.parts()) == 1)
    connection.close()
    until(lambda: served.parts() == [])
    assert served.brought() == before


def test_a_server_that_is_killed_leaves_no_file_that_a_run_reads(tmp_path: Path) -> None:
    with Served(tmp_path) as served:
        browser = served.enter()
        with begin_upload(browser, export(*["Vega"] * 50)[:1500], 2_000_000):
            until(lambda: len(served.parts()) == 1)
            for child in psutil.Process(served.process.pid).children(recursive=True):
                child.kill()
            served.process.send_signal(signal.SIGKILL)
            served.process.wait(10)
        assert (served.brought(), len(served.parts())) == ([], 1)


FORMS = (
    ("/connect/spotify", {}),
    ("/connect/named", {"source": "listenbrainz_api", "name": "stolen"}),
    ("/connect/disconnect", {"source": "listenbrainz_api", "account_id": "anna"}),
    ("/connect/paste", {"state": "x", "address": "y"}),
    ("/players", {"scope": "submit", "label": "stolen"}),
    ("/players/revoke", {"token_id": "x"}),
    ("/corrections/accept", {"suggestion": "x"}),
    ("/corrections/reject", {"suggestion": "x"}),
    ("/corrections/take-back", {"line": "x"}),
    ("/corrections/again", {}),
    ("/history", {}),
    ("/history/check", {}),
)


@pytest.mark.parametrize(("path", "fields"), FORMS)
def test_no_form_is_taken_from_another_site_or_without_its_token_or_in_vast_size(
    served: Served, anna: Browser, path: str, fields: dict[str, str]
) -> None:
    token = anna.token()

    def sent(origin: str, token: str, **more: Any) -> int:
        data = {"form_token": token, **fields, **more}
        headers = {"Origin": origin, "X-Form-Token": token}
        upload = {"files": {"file": ("a.json", as_json([extended()]))}} if path == "/history" else {}
        return anna.session.post(
            served.base + path, data=data, headers=headers, timeout=60, allow_redirects=False, **upload
        ).status_code

    before = served.brought()
    assert sent("https://evil.example", token) == 403
    assert sent("null", token) == 403
    assert sent(served.base, "0" * 64) == 403
    assert served.brought() == before
    if path not in ("/history",):
        assert sent(served.base, token, x="x" * 2 * 2**20) == 413
    # The same form as the page sends it: taken, or refused for what it says.
    assert sent(served.base, token) in (200, 303, 204, 400, 404, 415)


@pytest.mark.parametrize("path", ["/connect", "/corrections"])
def test_pages_of_another_listener_are_the_admins_to_see(anna: Browser, me: Browser, path: str) -> None:
    assert anna.get(f"{path}?listener=ben").status_code == 403
    assert (anna.get(f"{path}?listener=anna").status_code, me.get(f"{path}?listener=ben").status_code) == (200, 200)
    assert anna.post("/connect/named?listener=ben", {"source": "listenbrainz_api", "name": "x"}).status_code == 403
    assert anna.post("/corrections/again?listener=ben").status_code == 403


def agreed(browser: Browser, query: str = "") -> str:
    """Where Spotify sends the browser of somebody who began to connect, and agreed."""
    begun = browser.post(f"/connect/spotify{query}")
    link = BUTTON.search(begun.text)
    assert link is not None
    return str(requests.get(html.unescape(link[1]), allow_redirects=False, timeout=10).headers["Location"])


def test_spotify_is_connected_through_the_browser(served: Served, services: Services, anna: Browser, ben: Browser) -> None:
    address = agreed(anna)
    assert address.startswith(f"{served.base}/callback?")
    # From another site, no cookie comes along: the page loads itself once more.
    without = requests.get(address, headers={"Accept": "text/html"}, timeout=10)
    again = REFRESH.search(without.text)
    assert again is not None
    assert requests.get(served.base + html.unescape(again[1]), headers={"Accept": "text/html"}, timeout=10).status_code == 401
    # The answer counts for the person who asked: nobody is led to give their account to somebody else.
    assert ben.get(address.removeprefix(served.base)).status_code == 403
    tokens = TokenStore(served.state, "spotify_api")
    assert tokens.accounts() == []
    done = anna.get(html.unescape(again[1]))
    assert (done.status_code, "/connect?done=spotify" in done.text) == (200, True)
    (token,) = tokens.accounts()
    assert (token.account_id, token.listener) == ("A1", "anna")
    assert "Vega's friend" in shown(anna.get("/connect"))
    assert "Vega's friend" not in shown(ben.get("/connect"))
    assert anna.get(address.removeprefix(served.base)).status_code == 400
    log = (served.folder / "log").read_text()
    assert "secret-code" not in log
    assert token.refresh_token not in log


def test_an_account_of_another_listener_stays_theirs(served: Served, anna: Browser, ben: Browser) -> None:
    until(lambda: TokenStore(served.state, "spotify_api").accounts())
    refused = ben.get(agreed(ben).removeprefix(served.base))
    assert (refused.status_code, "belongs to another listener here" in shown(refused)) == (403, True)
    assert "anna" not in shown(refused)
    assert [one.listener for one in TokenStore(served.state, "spotify_api").accounts()] == ["anna"]
    assert ben.post("/connect/disconnect", {"source": "spotify_api", "account_id": "A1"}).status_code == 400


def test_the_address_is_pasted_from_another_device(served: Served, anna: Browser, ben: Browser) -> None:
    address = agreed(anna)
    state = address.partition("state=")[2]
    assert ben.post("/connect/paste", {"state": state, "address": address}).status_code == 403
    wrong = anna.post("/connect/paste", {"state": state, "address": address.replace("state=", "state=x")})
    assert (wrong.status_code, "does not belong to this request" in shown(wrong)) == (400, True)
    assert "Spotify is connected" in shown(anna.post("/connect/paste", {"state": state, "address": address}))


def test_the_service_opened_under_another_name_gets_its_cookie_back(served: Served) -> None:
    anna = served.enter("anna")
    # Cookies do not know ports, and this name is another host to a browser.
    local = Browser(served.base.replace("127.0.0.1", "localhost"))
    for cookie in anna.session.cookies:
        local.session.cookies.set(cookie.name, cookie.value, domain="localhost.local")
    address = agreed(local)
    back = requests.get(address, allow_redirects=False, timeout=10)
    assert (back.status_code, back.headers["Location"]) == (303, address.replace("127.0.0.1", "localhost"))


def test_a_token_is_shown_once_and_is_its_owners_to_revoke(served: Served, anna: Browser, ben: Browser) -> None:
    made = anna.post("/players", {"scope": "submit", "label": EVIL})
    token = re.search(r'id="token"[^>]*>([^<]+)<', made.text)
    assert token is not None
    assert "<script>alert" not in made.text
    page = anna.get("/players").text
    assert token[1] not in page
    token_id = re.search(r'name="token_id" value="([^"]+)"', page)
    assert token_id is not None
    assert token[1] not in (served.folder / "log").read_text()
    assert ben.post("/players/revoke", {"token_id": token_id[1]}).status_code == 404
    assert token_id[1] in anna.get("/players").text
    assert anna.post("/players/revoke", {"token_id": token_id[1]}).status_code == 200
    assert token_id[1] not in anna.get("/players").text
    assert anna.post("/players", {"scope": "mcp", "label": "x"}).status_code == 400


def test_suggestions_are_accepted_for_the_listener_alone(served: Served, anna: Browser, ben: Browser) -> None:
    page = anna.get("/corrections")
    assert EVIL not in page.text
    assert "Radiohaed" in shown(page)
    keys = re.findall(r'name="suggestion" value="([^"]+)"', page.text)[::2]
    assert len(keys) == 2
    assert ben.post("/corrections/accept", {"suggestion": keys[1] + "x"}).status_code == 404
    assert anna.post("/corrections/accept", {"suggestion": keys[0]}).status_code == 200
    assert anna.post("/corrections/reject", {"suggestion": keys[1]}).status_code == 200
    after = shown(anna.get("/corrections"))
    assert ("Nothing to decide" in after, "1 suggestion rejected" in after) == (True, True)
    assert [name for name in served.brought() if name.endswith("corrections.csv")] == ["listeners/anna/corrections.csv"]
    assert "Radiohaed" in shown(ben.get("/corrections"))
