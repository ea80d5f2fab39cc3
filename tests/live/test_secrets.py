"""Planted tokens and keys, each of which a run used, are in no output, no file but the token's and no list of processes."""

from __future__ import annotations

import base64
import fnmatch
import gzip
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyarrow.parquet as pq
import pytest

from lakehouse.settings import PROJECT_ROOT
from polling.closed_endpoints import ClosedEndpoints
from polling.tokens import TokenStore
from tests.live.conftest import CLIENT_ID, Live, Said
from tests.live.services import LASTFM, RECENT
from tests.polling import spotify_faults as faults
from tests.polling.server import API_KEY, TOKEN, Listen
from tests.polling.spotify_server import play

NOW = int(time.time())
LISTENS = [Listen(NOW - 86_400 + 300 * number, "Vega", f"Tide {number}") for number in range(5)]
PLAYED = "2026-11-28T11:00:00.000Z"
FAULTY = {
    "no fault": [],
    "errors": [faults.html(), faults.html(502), faults.cut(), faults.cut_gzip, faults.reply(503, ["x"])],
    "lasting": [faults.reply(400, b"\xff not JSON"), faults.api_error(403, "User not registered")],
    "echo": [],
    "redirect": [faults.redirect(f"http://127.0.0.1:9/?api_key={API_KEY}")] * 4,
    "pause": [faults.api_error(429, "wait", headers={"Retry-After": "80000"})],
    "no answer": [faults.hang_up] * 5,
}


def forms(secret: str) -> set[bytes]:
    """How a secret may stand in a text."""
    texts = {secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(secret.encode()).decode().rstrip("=")}
    return {text.encode() for text in texts} | {secret.replace("/", "\\/").encode()}


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is compressed in them."""
    yield path.read_bytes()
    if path.suffix == ".gz":
        yield gzip.decompress(path.read_bytes())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path).to_pylist()).encode()


def echoed(handler: BaseHTTPRequestHandler) -> None:
    """An error that repeats the header that was sent."""
    faults.api_error(500, f"refused: {handler.headers.get('Authorization')}")(handler)


class Processes(threading.Thread):
    """Looks at the command lines of all processes until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    # It has ended.
                    continue


def connected(live: Live) -> set[str]:
    """Accounts at all three services; the secrets that belong to them."""
    token = live.spotify("A1", play(1, PLAYED), is_expired=True)
    live.scrobblers(lastfm=list(LISTENS), listenbrainz=list(LISTENS))
    return {API_KEY, TOKEN, CLIENT_ID, token.access_token, token.refresh_token}


@pytest.mark.parametrize("name", FAULTY)
def test_mode_47_no_secret_is_said_written_or_seen(live: Live, name: str) -> None:
    secrets = connected(live)
    for path in (RECENT, LASTFM, "/1/user/listenbrainz-anna/listens"):
        live.server.fail(path, *FAULTY[name])
    if name == "echo":
        # An error may repeat whatever its own service was sent.
        token = TokenStore(live.state, "spotify_api").read("A1")
        assert token is not None
        live.server.fail(LASTFM, *[faults.reply(500, {"error": 8, "message": f"with {API_KEY}"})] * 4)
        live.server.fail("/1/user/listenbrainz-anna/listens", *[faults.reply(500, f"Token {TOKEN}".encode())] * 4)
        live.server.fail("/api/token", faults.oauth_error(503, f"{token.refresh_token} of {CLIENT_ID}"))
        live.server.fail(RECENT, *[echoed] * 3)
    if name == "errors":
        live.server.fail("/api/token", faults.html(), faults.oauth_error(500, "server_error"))
    processes = Processes()
    processes.start()
    said = [live.say("poll", "--landing", str(live.landing), *more, is_loud=True) for more in ([], ["--again", "--json"])]
    if name == "no fault":
        live.build("silver.plays", "gold.top_artists", "ops.reconciliation")
    processes.is_over.set()
    processes.join()
    # The token that was got meanwhile counts too.
    stored = TokenStore(live.state, "spotify_api").read("A1")
    assert stored is not None
    secrets |= {stored.access_token, stored.refresh_token}
    assert_used(live, said, secrets, is_renewed=name != "pause" or stored.access_token not in secrets)
    assert any(b"poll" in line for line in processes.seen)
    places = [path for path in live.folder.rglob("*") if path.is_file() and "tokens" not in path.relative_to(live.folder).parts]
    assert places
    for secret in secrets:
        for form in forms(secret):
            for answer in said:
                assert form not in (answer.out + answer.err).encode(), (name, secret)
            assert not [line for line in processes.seen if form in line]
            assert not [path for path in places for content in contents(path) if form in content], secret


def assert_used(live: Live, said: list[Said], secrets: set[str], *, is_renewed: bool) -> None:
    """Each secret has to have been sent to its service, or nothing is shown."""
    requests = live.server.requests
    assert any(request.query.get("api_key") == API_KEY for request in requests)
    assert any(request.headers.get("Authorization") == f"Token {TOKEN}" for request in requests)
    assert any(request.form.get("client_id") == CLIENT_ID for request in requests)
    assert any(request.form.get("refresh_token") in secrets for request in requests)
    assert any(request.headers.get("Authorization", "").startswith("Bearer ") for request in requests)
    # Loud enough to show them, if anything did.
    assert any("DEBUG" in answer.err for answer in said)


def test_only_the_owner_reads_tokens_and_state(live: Live) -> None:
    connected(live)
    assert live.poll().code == 0
    files = [path for folder in (live.state, live.inbox) for path in folder.rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}


def test_an_endpoint_that_is_closed_is_remembered_without_the_id_of_the_app(tmp_path: Path) -> None:
    import datetime as dt

    closed = ClosedEndpoints(tmp_path, CLIENT_ID)
    closed.close("audio-features", dt.datetime.now(dt.timezone.utc))
    assert closed.is_closed("audio-features")
    assert not ClosedEndpoints(tmp_path, "another").is_closed("audio-features")
    assert CLIENT_ID not in (tmp_path / "spotify_closed.json").read_text()


SECRET_FILES = (
    *(".env", ".env.local", "data/state/tokens/spotify_api/A1.json", "data/state/people.json", "data/landing/_api/x.json.gz"),
    *("polling/.env", "polling/local.env", "docker/server.key", "docker/server.pem", "scripts/a/b/.env.prod", ".git/config"),
    *("tests/live/conftest.py", ".lakehouse-last", "data/lakehouse/ops/x.parquet"),
)


def is_let_in(path: str) -> bool:
    """Whether .dockerignore lets a file into the image: the last of its rules that fits decides."""
    rules = [line for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    is_in = True
    for rule in rules:
        pattern, is_exception = rule.removeprefix("!"), rule.startswith("!")
        parts = Path(path).parts
        begins = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        patterns = [pattern, pattern.removeprefix("**/")] if pattern.startswith("**/") else [pattern]
        if any(fnmatch.fnmatchcase(begin, one) for begin in begins for one in patterns):
            is_in = is_exception
    return is_in


def test_no_secret_gets_into_the_image() -> None:
    assert is_let_in("polling/poll.py") and is_let_in("run_pipeline.py")
    assert [path for path in SECRET_FILES if is_let_in(path)] == []
