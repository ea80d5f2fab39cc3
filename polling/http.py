"""Strict HTTP for JSON APIs: whole answers, in time, from the host that was asked, and never a secret in an error."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from polling.answers import PollError, RetryLater
from polling.body import BodyTooLargeError, UnreadableBodyError, parsed, plain_bytes
from polling.headers import LONGEST_RETRY, http_date, seconds_of
from polling.pace import Budget, Clock, SystemClock
from polling.plain_session import PlainSession
from polling.redaction import Redaction, hide_in_logs
from polling.refusals import refuse_errors, shown
from polling.retries import LONGEST_PAUSE, Call, Limits, ServiceFault
from polling.timed_connection import Deadline

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
LOGGED_BYTES = 200
# Last.fm asks for a name by which it can tell programs apart.
ASKED_FOR = {"User-Agent": "listening-lakehouse", "Accept": "application/json", "Accept-Encoding": "gzip"}


@dataclass(frozen=True)
class Reply:
    """What a service answered."""

    status: int
    body: Any
    """the JSON value; None where an error status came with something else"""
    date: dt.datetime
    """the Date header, UTC"""
    headers: Mapping[str, str]


class Http:
    """Asks one service for one account.

    `name` begins every message (`Last.fm account anna`). `secret_params` and `secret_headers` go with every request and appear in
    no message. `examine` raises for a reply that is an error; it sees the body, as some services answer errors with status 200.
    """

    def __init__(
        self,
        base_url: str,
        name: str,
        *,
        budget: Budget,
        secret_params: Mapping[str, str] | None = None,
        secret_headers: Mapping[str, str] | None = None,
        examine: Callable[[Reply], None] | None = None,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name, self._base, self._budget = name, base_url.rstrip("/"), budget
        self._limits, self._clock = limits or Limits(), clock or SystemClock()
        self._examine: Callable[[Reply], None] = examine or refuse_errors
        self._secret_params, self._secret_headers = dict(secret_params or {}), dict(secret_headers or {})
        secrets = [*self._secret_params.values(), *self._secret_headers.values()]
        # `Token abc` is the header's value, and `abc` the secret.
        self._redacted = Redaction.of([*secrets, *(text.rpartition(" ")[2] for text in secrets)])
        hide_in_logs(self._redacted)
        self._deadline = Deadline()
        self._session = PlainSession(self._deadline)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def json(self, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """The reply to GET `path`, tried again while the service has passing faults.

        Raises ServiceFault when they do not pass, RetryLater for a pause of more than a minute, what `examine` raises, and
        PollError for what another try would not change. No message holds a secret, and no error has a cause with one.
        """
        call = Call(self.name, self._clock, self._limits)
        try:
            return call.run(lambda: self._attempt(call, path, params or {}, headers or {}))
        except PollError as error:
            failure = error
        # Outside of the handler and without its frames: errors of libraries hold the whole address.
        attempts = f" ({call.attempts} attempts)" if call.attempts > 1 else ""
        failure.args = (f"{self.name}: {self._redacted(str(failure))}{attempts}",)
        raise failure.with_traceback(None)

    def _attempt(self, call: Call, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        self._spend_budget()
        reply = self._exchange(path, params, headers)
        self._heed_limit(reply)
        try:
            self._examine(reply)
        except ServiceFault as fault:
            fault.wait = call.pause_after(fault)
            if fault.wait is None or fault.wait <= LONGEST_PAUSE:
                raise
            seconds = fault.wait
        else:
            return reply
        raise self._later("the service asks for a pause", seconds)

    def _spend_budget(self) -> None:
        """Wait until the budget has a call left, and take it. Raises RetryLater if that is more than a minute."""
        now = self._clock.monotonic()
        seconds = self._budget.wait(now)
        if seconds > LONGEST_PAUSE:
            raise self._later(f"the budget of {self._budget.calls} calls in {self._budget.seconds:g} s is used up", seconds)
        if seconds:
            self._clock.sleep(seconds)
        self._budget.spend(max(now + seconds, self._clock.monotonic()))

    def _later(self, reason: str, seconds: float) -> RetryLater:
        # By our own clock, as it is compared with it: how wrong it is does not count then.
        retry_at = self._clock.now() + dt.timedelta(seconds=min(seconds, LONGEST_RETRY))
        return RetryLater(f"{reason}; it is asked again after {retry_at:%Y-%m-%d %H:%M:%S} UTC", retry_at)

    def _heed_limit(self, reply: Reply) -> None:
        """ListenBrainz counts the requests of an address, and says in each answer how many are left."""
        seconds = seconds_of(reply.headers.get("X-RateLimit-Reset-In"))
        if reply.headers.get("X-RateLimit-Remaining") == "0" and seconds is not None:
            self._budget.close(self._clock.monotonic() + seconds)

    def _exchange(self, path: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """One request and its answer. Raises PollError."""
        limits = self._limits
        self._deadline.start(limits.request_seconds)
        try:
            with self._session.get(
                self._base + path,
                params={**params, **self._secret_params},
                headers={**ASKED_FOR, **headers, **self._secret_headers},
                stream=True,
                allow_redirects=False,
                timeout=(min(limits.connect_seconds, limits.request_seconds), limits.request_seconds),
            ) as response:
                return self._reply(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            failure = self._connection_failure(error)
        raise failure

    def _connection_failure(self, error: Exception) -> PollError:
        if isinstance(error, requests.exceptions.SSLError):
            host = urlsplit(self._base).hostname
            return PollError(f"no secure connection to {host}: its certificate is not valid for it, or not trusted here")
        if isinstance(error, (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError)):
            return ServiceFault(f"no complete answer within {self._limits.request_seconds:g} s")
        if isinstance(error, requests.ConnectionError):
            return ServiceFault(f"no connection, or one that broke off ({type(error).__name__})", less=False)
        if isinstance(error, (urllib3.exceptions.HTTPError, OSError)) and not isinstance(error, requests.RequestException):
            return ServiceFault(f"the answer broke off ({type(error).__name__})")
        return PollError(f"the request cannot be made ({type(error).__name__})")

    def _reply(self, response: requests.Response) -> Reply:
        status, date = response.status_code, http_date(response.headers.get("Date"))
        if 300 <= status < 400:
            raise PollError(f"HTTP {status} to {_host(response.headers.get('Location', ''))}; redirects are refused")
        body, problem = self._body(response)
        if status < 300 and (problem or status != 200):
            raise ServiceFault(f"HTTP {status} with {problem or 'an answer in part'}")
        if status < 300 and date is None:
            raise ServiceFault("an answer without a Date")
        return Reply(status, body, date or self._clock.now(), response.headers)

    def _body(self, response: requests.Response) -> tuple[Any, str]:
        """The JSON value, or what is wrong with the body. Raises ServiceFault for one that is too large."""
        chunks = response.raw.stream(CHUNK, decode_content=False)
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        content = b""
        try:
            content = plain_bytes(chunks, encoding, self._limits.most_bytes)
            return parsed(content), ""
        except BodyTooLargeError:
            problem = ""
        except UnreadableBodyError as error:
            problem = str(error)
        if not problem:
            raise ServiceFault(f"an answer of more than {self._limits.most_bytes:,} bytes", again=False)
        start = self._redacted(shown(content[:LOGGED_BYTES].decode("utf-8", "replace")))
        log.warning("%s: HTTP %d, %s: %r", self.name, response.status_code, problem, start)
        return None, problem


def _host(address: str) -> str:
    """The host of an address for a message, without the parameters, which may repeat ours."""
    try:
        return shown(urlsplit(address).netloc) or "another address"
    except ValueError:
        return "another address"
