"""Links that log a person in, once and within ten minutes. Only their hash is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from pathlib import Path

from service.people import People, Person
from service.private_file import PrivateFile

FILE = "links.json"
VALID = dt.timedelta(minutes=10)
PATH = "/enter"


class Links:
    """The links of one state folder that nobody has used yet."""

    def __init__(self, state_dir: Path) -> None:
        self._file = PrivateFile(state_dir / FILE, "remove it and ask for a new link with `lakehouse link`")
        self._people = People(state_dir)

    def issue(self, person: Person, now: dt.datetime) -> str:
        """The key of a new link. Raises PrivateFileError and OSError."""
        key, known = secrets.token_urlsafe(32), self._people.find(person.user_id)
        with self._file.changing() as links:
            _forget_old(links, now)
            entry = {"user_id": person.user_id, "key": known and known.key, "until": (now + VALID).isoformat()}
            links[_hash(key)] = entry
        return key

    def whose(self, key: str, now: dt.datetime) -> Person | None:
        """Whom a link would log in; None for one that is unknown, used or too old."""
        return self._valid(self._file.read().get(_hash(key)), now)

    def use(self, key: str, now: dt.datetime) -> Person | None:
        """Whom the link logs in; it is worth nothing afterwards."""
        with self._file.changing() as links:
            person = self._valid(links.pop(_hash(key), None), now)
            _forget_old(links, now)
        return person

    def _valid(self, entry: dict[str, str] | None, now: dt.datetime) -> Person | None:
        if entry is None or dt.datetime.fromisoformat(entry["until"]) < now:
            return None
        known = self._people.find(entry["user_id"])
        return known.person if known is not None and known.key == entry["key"] else None


def _forget_old(links: dict[str, dict[str, str]], now: dt.datetime) -> None:
    for name in [name for name, entry in links.items() if dt.datetime.fromisoformat(entry["until"]) < now]:
        del links[name]


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
