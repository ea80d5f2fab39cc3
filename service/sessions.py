"""Who is logged in: a random cookie, whose hash the state folder keeps, so that sessions survive a restart and can be ended."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import HTTPConnection
from starlette.responses import Response

from service.people import People, Person
from service.private_file import PrivateFile

FILE = "sessions.json"
VALID = dt.timedelta(days=30)


@dataclass(frozen=True)
class Session:
    """A person who is logged in, and the token that their forms carry."""

    person: Person
    form_token: str


class Sessions:
    """The sessions of one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._file = PrivateFile(state_dir / FILE, "remove it, and everybody logs in again")
        self._people = People(state_dir)

    def begin(self, person: Person, now: dt.datetime) -> str:
        """The secret of a new session, for the cookie. Raises PrivateFileError and OSError."""
        secret, known = secrets.token_urlsafe(32), self._people.find(person.user_id)
        with self._file.changing() as sessions:
            for name in [name for name, entry in sessions.items() if _until(entry) < now]:
                del sessions[name]
            entry = {"user_id": person.user_id, "key": known and known.key, "until": (now + VALID).isoformat()}
            sessions[_hash(secret)] = entry
        return secret

    def find(self, secret: str, now: dt.datetime) -> Session | None:
        """The session of a cookie; None if it is unknown, over, or its person was removed."""
        entry = self._file.read().get(_hash(secret))
        if entry is None or _until(entry) < now:
            return None
        known = self._people.find(entry["user_id"])
        if known is None or known.key != entry["key"]:
            return None
        return Session(known.person, hmac.new(secret.encode(), b"form token", hashlib.sha256).hexdigest())

    def end(self, secret: str) -> None:
        """End the session of a cookie."""
        with self._file.changing() as sessions:
            sessions.pop(_hash(secret), None)

    def end_all(self, user_id: str) -> None:
        """End every session of a person."""
        with self._file.changing() as sessions:
            for name in [name for name, entry in sessions.items() if entry["user_id"] == user_id]:
                del sessions[name]


def cookie_name(port: int) -> str:
    """Cookies are shared by all ports of a host, so that two services on one machine need two names."""
    return f"lakehouse_session_{port}"


def cookie_of(connection: HTTPConnection) -> str | None:
    """The secret that the browser sent."""
    return connection.cookies.get(cookie_name(connection.app.state.settings.serve_port))


def set_cookie(response: Response, port: int, secret: str) -> None:
    """Let the browser keep the session: no script reads it, no other site's request carries it."""
    age = int(VALID.total_seconds())
    response.set_cookie(cookie_name(port), secret, max_age=age, path="/", httponly=True, samesite="strict")


def forget_cookie(response: Response, port: int) -> None:
    """Let the browser forget the session."""
    response.delete_cookie(cookie_name(port), path="/", httponly=True, samesite="strict")


def _until(entry: dict[str, str]) -> dt.datetime:
    return dt.datetime.fromisoformat(entry["until"])


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
