"""Strict HTTP against a server that does everything wrong; numbers are those of the list of failure modes of live sources."""

from __future__ import annotations

import datetime as dt
import ipaddress
import itertools
import logging
import os
import ssl
import time
import traceback
import tracemalloc
from collections.abc import Iterator, Mapping
from email.utils import format_datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from polling.answers import PollError, RetryLater
from polling.http import Http
from polling.pace import Budget, SystemClock
from polling.retries import Limits, ServiceFault
from polling.settings import ScrobbleSettings
from tests.polling import faults
from tests.polling.clock import FakeClock
from tests.polling.server import API_KEY, SERVER_NOW, TOKEN, Fault, Handler, Listen, MusicServer

SECRETS = (API_KEY, "planted-key%2F0123456789%2Babcdef", TOKEN)
ASKED = {"method": "user.getrecenttracks", "user": "anna", "limit": "50"}
QUICK = Limits(request_seconds=0.5, connect_seconds=0.5)


@pytest.fixture
def server() -> Iterator[MusicServer]:
    with MusicServer(lastfm={"anna": [Listen(1_700_000_000, "Vega", "Tide")]}) as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def client(server: MusicServer, clock: FakeClock, limits: Limits | None = None, budget: Budget | None = None) -> Http:
    """A client with a planted key and token; an answer without tracks is a fault."""
    return Http(
        server.url,
        "Last.fm account anna",
        budget=budget or Budget(1000, 1.0),
        secret_params={"api_key": API_KEY},
        secret_headers={"Authorization": f"Token {TOKEN}"},
        limits=limits or Limits(),
        clock=clock,
    )


def titles(http: Http) -> list[str]:
    """What a right answer holds."""
    track = http.json("/2.0/", ASKED).body["recenttracks"]["track"]
    return [track["name"]]


def test_a_right_answer_has_status_body_and_the_servers_date(server: MusicServer, clock: FakeClock) -> None:
    reply = client(server, clock).json("/2.0/", ASKED)
    assert (reply.status, reply.date, clock.pauses) == (200, SERVER_NOW, [])
    assert server.asked[0].params == {**ASKED, "api_key": API_KEY}


def test_a_compressed_answer_is_read(server: MusicServer, clock: FakeClock) -> None:
    server.plan([faults.compressed])
    assert titles(client(server, clock)) == ["Tide"]
    assert server.asked[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(
    "value",
    ["80000", format_datetime(SERVER_NOW + dt.timedelta(seconds=80_000), usegmt=True)],
    ids=["seconds", "date"],
)
@pytest.mark.parametrize("code", [429, 503])
def test_mode_1_a_pause_of_hours_is_given_back_at_once(server: MusicServer, clock: FakeClock, code: int, value: str) -> None:
    server.plan([faults.status(code, {}, {"Retry-After": value})])
    with pytest.raises(RetryLater, match=r"Last\.fm account anna: .* after 1999-01-01 22:13:20 UTC") as failed:
        client(server, clock).json("/2.0/", ASKED)
    assert failed.value.retry_at == clock.now() + dt.timedelta(seconds=80_000)
    assert (clock.pauses, len(server.asked)) == ([], 1)


def test_mode_1_a_pause_beyond_the_calendar_is_a_month(server: MusicServer, clock: FakeClock) -> None:
    server.plan([faults.status(429, {}, {"Retry-After": "999999999999"})])
    with pytest.raises(RetryLater) as failed:
        client(server, clock).json("/2.0/", ASKED)
    assert failed.value.retry_at == clock.now() + dt.timedelta(days=30)


def test_mode_2_a_used_up_quota_is_left_alone_for_a_day(server: MusicServer, clock: FakeClock) -> None:
    server.plan([faults.status(429, {"error": {"status": 429, "message": "Too many", "reason": "QUOTA_EXCEEDED"}})])
    with pytest.raises(RetryLater) as failed:
        client(server, clock).json("/2.0/", ASKED)
    assert failed.value.retry_at == clock.now() + dt.timedelta(days=1)


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_mode_3_a_fault_of_the_server_stays_one(server: MusicServer, clock: FakeClock, code: int) -> None:
    server.plan([faults.status(code)] * 4)
    with pytest.raises(ServiceFault, match=rf"HTTP {code} \(4 attempts\)"):
        client(server, clock).json("/2.0/", ASKED)
    first, second, third = clock.pauses
    assert (1 <= first <= 2 <= second <= 3, 4 <= third <= 5) == (True, True)


def test_a_short_pause_is_waited_for(server: MusicServer, clock: FakeClock) -> None:
    server.plan([faults.status(429, {}, {"Retry-After": "17"}), faults.status(503, {}, {"Retry-After": "0"})])
    assert titles(client(server, clock)) == ["Tide"]
    assert clock.pauses == [17.0, 1.0]


def test_without_a_time_the_pause_is_a_minute_and_then_two(server: MusicServer, clock: FakeClock) -> None:
    server.plan([faults.status(429), None, faults.status(429, {}, {"Retry-After": "soon"}), faults.status(429)])
    http = client(server, clock)
    assert titles(http) == ["Tide"]
    assert clock.pauses == [60.0]
    with pytest.raises(RetryLater) as failed:
        http.json("/2.0/", ASKED)
    assert clock.pauses == [60.0, 60.0]
    assert failed.value.retry_at == clock.now() + dt.timedelta(seconds=120)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 501])
def test_a_refusal_is_not_tried_again(server: MusicServer, clock: FakeClock, code: int) -> None:
    server.plan([faults.status(code, {"error": "no such\nthing"})])
    with pytest.raises(PollError, match=f"^Last.fm account anna: HTTP {code}: no such thing$"):
        client(server, clock).json("/2.0/", ASKED)
    assert (clock.pauses, len(server.asked)) == ([], 1)


# What the examination of a client finds, not HTTP.
BROKEN = {name: fault for name, fault in faults.PASSING.items() if name != "other json"}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_modes_36_to_38_a_broken_answer_is_discarded_and_asked_for_again(
    server: MusicServer, clock: FakeClock, fault: Fault
) -> None:
    server.plan([fault])
    assert titles(client(server, clock)) == ["Tide"]
    assert (len(server.asked), len(clock.pauses)) == (2, 1)


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_modes_36_to_38_an_answer_that_stays_broken_is_a_failure(server: MusicServer, clock: FakeClock, fault: Fault) -> None:
    server.plan([fault] * 4)
    with pytest.raises(ServiceFault, match=r"^Last.fm account anna: .*\(4 attempts\)$"):
        client(server, clock).json("/2.0/", ASKED)


def test_mode_38_the_beginning_of_html_is_logged(server: MusicServer, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    server.plan([faults.content(f"<html>\n{API_KEY}{'x' * 300}".encode())])
    client(server, clock).json("/2.0/", ASKED)
    (record,) = (record for record in caplog.records if record.name == "polling.http")
    assert record.getMessage().startswith("Last.fm account anna: HTTP 200, no JSON: '<html> [hidden]xxx")
    assert len(record.getMessage()) < 300


def test_mode_39_a_gzip_bomb_is_not_unpacked(server: MusicServer, clock: FakeClock) -> None:
    http = client(server, clock)
    titles(http)
    bomb = Recorded()
    server.plan([bomb.send])
    faults.gzip_bomb(bomb, b"")  # type: ignore[arg-type]
    tracemalloc.start()
    with pytest.raises(ServiceFault, match="more than 8,388,608 bytes"):
        http.json("/2.0/", ASKED)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 2**20
    assert len(server.asked) == 2


class Recorded:
    """An answer that was made before, so that making it is not measured."""

    def whole(self, body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.answer = body, status, headers

    def send(self, handler: Handler, body: bytes) -> None:
        handler.whole(*self.answer)


def test_mode_39_a_large_plain_answer_is_not_read_to_its_end(server: MusicServer, clock: FakeClock) -> None:
    server.plan([faults.content(b'{"a": "' + b"x" * 9 * 2**20 + b'"}')])
    with pytest.raises(ServiceFault, match="more than 8,388,608 bytes"):
        client(server, clock).json("/2.0/", ASKED)


@pytest.mark.parametrize("fault", [faults.drip, faults.drip_headers, faults.silence])
def test_mode_40_a_dripping_answer_ends_by_the_deadline(server: MusicServer, clock: FakeClock, fault: Fault) -> None:
    server.plan([fault])
    begun = time.monotonic()
    assert titles(client(server, clock, QUICK)) == ["Tide"]
    assert 0.5 <= time.monotonic() - begun < 5


def test_mode_40_a_connection_that_is_kept_open_has_a_new_deadline(server: MusicServer, clock: FakeClock) -> None:
    http = client(server, clock, QUICK)
    assert titles(http) == ["Tide"]
    time.sleep(0.6)
    assert titles(http) == ["Tide"]


def test_attempts_end_when_the_time_of_a_call_is_over(server: MusicServer, clock: FakeClock) -> None:
    server.plan(itertools.repeat(faults.status(503, {}, {"Retry-After": "50"})))
    with pytest.raises(ServiceFault, match=r"HTTP 503 \(3 attempts\)"):
        client(server, clock).json("/2.0/", ASKED)
    assert clock.pauses == [50.0, 50.0]


def test_nobody_listens_at_the_address(server: MusicServer, clock: FakeClock) -> None:
    with MusicServer() as gone:
        http = client(gone, clock)
    with pytest.raises(ServiceFault, match=r"no connection, .* \(4 attempts\)") as failed:
        http.json("/2.0/", ASKED)
    assert not failed.value.less


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_mode_41_redirects_are_refused(server: MusicServer, clock: FakeClock, code: int) -> None:
    with MusicServer() as other:
        server.plan([faults.redirect(f"{other.url}/2.0/?api_key=x", code)])
        with pytest.raises(PollError, match=rf"HTTP {code} to 127\.0\.0\.1:\d+; redirects are refused$"):
            client(server, clock).json("/2.0/", ASKED)
        assert other.asked == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("target", ["http://[broken", "", "//", "/2.0/?again", "\xff\xfe"])
def test_mode_41_a_redirect_to_nowhere_is_refused_too(server: MusicServer, clock: FakeClock, target: str) -> None:
    server.plan([faults.redirect(target)])
    with pytest.raises(PollError, match=r"HTTP 302 to another address; redirects are refused$"):
        client(server, clock).json("/2.0/", ASKED)
    assert len(server.asked) == 1


def test_mode_41_the_body_of_a_redirect_is_not_read(server: MusicServer, clock: FakeClock) -> None:
    endless = {"Location": "http://127.0.0.1:9/", "Content-Length": str(10**9)}
    server.plan([lambda handler, body: handler.head(endless, 302)])
    begun = time.monotonic()
    with pytest.raises(PollError, match="redirects are refused"):
        client(server, clock).json("/2.0/", ASKED)
    assert time.monotonic() - begun < 5


def test_mode_42_a_certificate_that_nobody_signed_is_refused(clock: FakeClock, tmp_path: Path) -> None:
    with MusicServer(tls=self_signed(tmp_path)) as server:
        with pytest.raises(PollError, match="no secure connection to 127") as failed:
            client(server, clock).json("/2.0/", ASKED)
        assert (server.asked, clock.pauses, type(failed.value)) == ([], [], PollError)


def test_mode_42_a_trusted_certificate_is_accepted_and_keeps_to_the_deadline(
    clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MusicServer(tls=self_signed(tmp_path), lastfm={"anna": [Listen(1_700_000_000, "Vega", "Tide")]}) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
        server.plan([faults.drip])
        assert titles(client(server, clock, QUICK)) == ["Tide"]
        assert len(server.asked) >= 2


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1, which is written to `certificate.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    today = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def damaged_headers(handler: Handler, body: bytes) -> None:
    """A line among the headers that is none; urllib3 logs the whole address for it."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nno header\r\n\r\n" + body)


EVERY_FAILURE: Mapping[str, Fault] = {
    **BROKEN,
    "redirect": faults.redirect(f"http://127.0.0.1:9/?api_key={API_KEY}"),
    "refusal": faults.status(400, {"error": f"bad key {API_KEY} or {TOKEN}"}),
    "hours": faults.status(429, {}, {"Retry-After": "80000"}),
    "bomb": faults.content(b"x" * 9 * 2**20),
    "drip": faults.drip,
    "damaged headers": damaged_headers,
}


@pytest.mark.parametrize("fault", EVERY_FAILURE.values(), ids=EVERY_FAILURE)
def test_mode_47_no_error_and_no_log_holds_a_secret(
    server: MusicServer, clock: FakeClock, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.plan([fault] * 4)
    with pytest.raises(PollError) as failed:
        client(server, clock, QUICK).json("/2.0/", ASKED)
    told = "".join(traceback.format_exception(failed.value)) + repr(failed.value) + caplog.text
    assert failed.value.__context__ is None
    assert [secret for secret in SECRETS if secret in told] == []
    assert server.asked[0].params["api_key"] == API_KEY
    assert server.asked[0].headers["Authorization"] == f"Token {TOKEN}"


def test_mode_47_the_address_in_a_librarys_log_has_no_key(
    server: MusicServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client(server, clock).json("/2.0/", ASKED)
    assert "user=anna&limit=50&api_key=[hidden] HTTP/1.1" in caplog.text
    assert [secret for secret in SECRETS if secret in caplog.text] == []


def test_mode_47_an_address_without_a_server_is_told_without_the_key(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with MusicServer() as gone:
        http = client(gone, clock)
    with pytest.raises(PollError) as failed:
        http.json("/2.0/", ASKED)
    told = "".join(traceback.format_exception(failed.value)) + caplog.text
    assert [secret for secret in SECRETS if secret in told] == []


def test_the_budget_holds_in_any_window(server: MusicServer, clock: FakeClock) -> None:
    times = list[float]()
    http = client(server, clock, budget=Budget(5, 10.0))
    for _ in range(17):
        http.json("/2.0/", ASKED)
        times.append(clock.monotonic())
        clock.sleep(0.7)
    assert min(later - earlier for earlier, later in zip(times, times[5:], strict=False)) >= 10.0 - 1e-6
    assert times[-1] - times[0] < 32


def test_attempts_are_paid_from_the_budget_too(server: MusicServer, clock: FakeClock) -> None:
    server.plan([faults.status(500)] * 2)
    client(server, clock, budget=Budget(1, 20.0)).json("/2.0/", ASKED)
    assert sum(clock.pauses) == pytest.approx(40)


def test_a_budget_that_is_used_up_for_longer_ends_the_poll(server: MusicServer, clock: FakeClock) -> None:
    http = client(server, clock, budget=Budget(1, 3600.0))
    http.json("/2.0/", ASKED)
    clock.sleep(600)
    with pytest.raises(RetryLater, match="budget of 1 calls in 3600 s") as failed:
        http.json("/2.0/", ASKED)
    assert failed.value.retry_at == clock.now() + dt.timedelta(seconds=3000)
    assert len(server.asked) == 1


def test_a_netrc_does_not_replace_the_token(
    server: MusicServer, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", os.fspath(netrc))
    client(server, clock).json("/2.0/", ASKED)
    assert server.asked[0].headers["Authorization"] == f"Token {TOKEN}"


def test_the_systems_clock_is_utc() -> None:
    assert SystemClock().now().utcoffset() == dt.timedelta(0)


@pytest.mark.parametrize("address", ["http://example.org", "ftp://127.0.0.1", "https://a:b@example.org", "https://x/?key=1", "x"])
def test_addresses_are_https_or_on_this_machine(address: str) -> None:
    with pytest.raises(ValidationError):
        ScrobbleSettings(lastfm_api_url=address)


def test_settings_come_from_the_environment_and_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "LASTFM_API_KEY": API_KEY,
        "LISTENBRAINZ_TOKEN": "",
        "LAKEHOUSE_LASTFM_API_URL": "http://[::1]:1/mirror/",
        "LAKEHOUSE_LASTFM_CALLS": "7",
    }.items():
        monkeypatch.setenv(name, value)
    settings = ScrobbleSettings()
    assert (settings.lastfm_api_url, settings.lastfm_calls) == ("http://[::1]:1/mirror", 7)
    assert settings.listenbrainz_token is None
    assert API_KEY not in repr(settings)
