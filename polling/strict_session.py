"""A session of requests whose answers can be relied upon: whole, in time, from the host that was asked, and JSON objects.

Spotipy makes its calls through it. What spotipy would turn into None, into another status or into an AttributeError is raised
here as an `ExchangeError`, before spotipy sees it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from polling.body import MOST_BYTES, BodyTooLargeError, UnreadableBodyError, parsed, plain_bytes
from polling.headers import http_date, pause_of
from polling.plain_session import PlainSession
from polling.redaction import Redaction
from polling.refusals import PASSING, shown
from polling.timed_connection import Deadline

CHUNK = 64 * 1024
# So that an address that does not answer at all is given up before the deadline.
CONNECT_SECONDS = 10.0
SECRET_FIELDS = ("refresh_token", "code", "code_verifier", "client_secret")


class ExchangeError(Exception):
    """No usable answer. `is_passing`: another try may help. `error` is the JSON object of an answer with an error status."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
        is_passing: bool = True,
    ) -> None:
        super().__init__(message)
        self.status, self.error, self.retry_after, self.is_passing = status, error or {}, retry_after, is_passing

    @property
    def code(self) -> str:
        """The error's code (`invalid_grant`, `QUOTA_EXCEEDED`), else its message; '' for none."""
        error = self.error.get("error")
        if isinstance(error, Mapping):
            return str(error.get("reason") or error.get("message") or "")
        return str(error or "")


class StrictSession(PlainSession):
    """Asks without redirects, reads at most 8 MiB within `seconds`, and raises ExchangeError for what is no JSON object."""

    def __init__(self, seconds: float) -> None:
        self._deadline = Deadline()
        super().__init__(self._deadline)
        self.seconds = seconds
        self.server_date: dt.datetime | None = None
        """the Date header of the last usable answer, UTC"""
        self.headers["Accept-Encoding"] = "gzip"

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """One exchange. Raises ExchangeError; its message holds no secret that was sent, or that a token endpoint answered."""
        place, data = f"{method} {str(url).partition('?')[0]}", kwargs.get("data")
        redacted = Redaction.of(_secrets(kwargs.get("headers"), data))
        kwargs |= {"allow_redirects": False, "stream": True, "timeout": (min(CONNECT_SECONDS, self.seconds), self.seconds)}
        self._deadline.start(self.seconds)
        try:
            with super().request(method, url, *args, **kwargs) as response:
                body = _body(response)
        except BodyTooLargeError:
            raise ExchangeError(f"{place}: the answer is larger than {MOST_BYTES // 2**20} MiB", is_passing=False) from None
        except UnreadableBodyError as error:
            raise ExchangeError(f"{place}: {error}") from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise ExchangeError(f"{place}: {self._reason(error, redacted)}") from None
        text = f"{len(body)} bytes" if data is not None else _shown(body.decode("utf-8", "replace"), redacted)
        self._check(place, response, body, text, redacted)
        response._content = body
        return response

    def _reason(self, error: Exception, redacted: Redaction) -> str:
        """What happened on the way, without the list of objects that the error passed through."""
        try:
            self._deadline.left()
        except TimeoutError:
            return f"no complete answer within {self.seconds:g} s"
        return _shown(str(error).rpartition("Caused by ")[2], redacted)

    def _check(self, place: str, response: requests.Response, body: bytes, text: str, redacted: Redaction) -> None:
        """Raises ExchangeError for an answer that is an error or no JSON object; `text` is what its message shows of it."""
        status, date = response.status_code, http_date(response.headers.get("Date"))
        content = _json_object(body)
        if status >= 400:
            raise ExchangeError(
                f"{place}: HTTP {status}: {_shown(_explanation(content), redacted) or text}",
                status=status,
                error=content,
                retry_after=pause_of(response.headers.get("Retry-After"), date),
                is_passing=status in (*PASSING, 429),
            )
        if status >= 300:
            message = f"{place}: HTTP {status} to another address; redirects are refused"
            raise ExchangeError(message, status=status, is_passing=False)
        if content is None:
            raise ExchangeError(f"{place}: HTTP {status} without a JSON object: {text!r}", status=status)
        if date is None:
            raise ExchangeError(f"{place}: an answer without a Date that can be read", status=status)
        self.server_date = date


def _body(response: requests.Response) -> bytes:
    """The decompressed body; of an error, b'' where it cannot be read, as its status and its headers say what counts."""
    chunks: Iterator[bytes] = response.raw.stream(CHUNK, decode_content=False)
    try:
        return plain_bytes(chunks, response.headers.get("Content-Encoding", "").strip().lower())
    except (BodyTooLargeError, UnreadableBodyError, HTTPError, OSError):
        if response.status_code < 400:
            raise
        return b""


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = parsed(body)
    except UnreadableBodyError:
        return None
    return content if isinstance(content, dict) else None


def _explanation(content: Mapping[str, Any] | None) -> str:
    """What an error answer says: Spotify's API nests it, its accounts service does not."""
    error = (content or {}).get("error")
    if isinstance(error, Mapping):
        return ", ".join(str(error[name]) for name in ("message", "reason") if error.get(name))
    return ", ".join(str(part) for part in (error, (content or {}).get("error_description")) if part)


def _shown(text: str, redacted: Redaction) -> str:
    """Text from outside for a message: one line, without secrets, at most 200 characters."""
    return shown(redacted(text))


def _secrets(headers: Any, data: Any) -> list[str]:
    """What a request holds and no message may repeat."""
    found = [str(value) for name, value in (data.items() if isinstance(data, Mapping) else ()) if name in SECRET_FIELDS]
    if isinstance(headers, Mapping):
        found.append(str(headers.get("Authorization", "")).removeprefix("Bearer "))
    return found
