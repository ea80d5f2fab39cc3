"""The people of the service: each is a listener, one or more are admins. STATE_DIR/people.json, readable by its owner only."""

from __future__ import annotations

import datetime as dt
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.settings import NAMES_REFUSED, is_person
from lakehouse.storage.tombstones import read_tombstones
from service.private_file import PrivateFile

FILE = "people.json"
REMEDY = (
    "restore it from a backup, or remove it: `lakehouse link` then makes the owner again, `lakehouse listener add` the others"
)


class PersonError(Exception):
    """Somebody who cannot be added or removed; the message says why."""


@dataclass(frozen=True)
class Person:
    """Somebody who uses the service; `user_id` is the listener that they are."""

    user_id: str
    is_admin: bool


@dataclass(frozen=True)
class Known:
    """A person with what only the log-in needs."""

    person: Person
    key: str
    """another one when a person is removed and added again, so that sessions of before stay ended"""
    password_hash: str | None


class People:
    """The people in one state folder. Every method raises PrivateFileError and OSError."""

    def __init__(self, state_dir: Path) -> None:
        self._file, self._state_dir = PrivateFile(state_dir / FILE, REMEDY), state_dir

    def all(self) -> list[Person]:
        """Everybody, admins first, then by name."""
        everybody = [_known(name, entry).person for name, entry in self._file.read().items()]
        return sorted(everybody, key=lambda person: (not person.is_admin, person.user_id))

    def find(self, user_id: str) -> Known | None:
        """A person by name; None if there is no such person."""
        entry = self._file.read().get(user_id)
        return None if entry is None else _known(user_id, entry)

    def by_login(self, name: str) -> Known | None:
        """A person by name, or by the name that they have in Trino and Superset."""
        entries = self._file.read()
        return self.find(name) or next((_known(one, entry) for one, entry in entries.items() if entry.get("login") == name), None)

    def add(self, user_id: str, *, is_admin: bool = False, login: str | None = None, password_hash: str | None = None) -> Person:
        """Add a person, or give one who is there already what they lack. Raises PersonError for a bad or a forgotten name."""
        # As the names of listeners' folders are read.
        user_id = unicodedata.normalize("NFC", user_id)
        if read_tombstones(self._state_dir).hold(user_id):
            raise PersonError(f"{user_id!r} was forgotten; `lakehouse forget --lift` takes that back")
        if not is_person(user_id):
            raise PersonError(f"{user_id!r} cannot be a listener's name ({NAMES_REFUSED})")
        with self._file.changing() as people:
            entry = people.setdefault(
                user_id,
                {"is_admin": is_admin, "key": secrets.token_hex(16), "added_at": dt.datetime.now(dt.timezone.utc).isoformat()},
            )
            entry["is_admin"] = entry["is_admin"] or is_admin
            if password_hash is not None:
                entry |= {"login": login, "password": password_hash}
            return Person(user_id, bool(entry["is_admin"]))

    def remove(self, user_id: str) -> None:
        """Remove a person, whose sessions and links end with it. Raises PersonError for the last admin."""
        with self._file.changing() as people:
            if user_id not in people:
                raise PersonError(f"there is no person {user_id!r}; `lakehouse listener list` lists them")
            others = [entry for name, entry in people.items() if name != user_id]
            if others and not any(entry["is_admin"] for entry in others):
                raise PersonError(f"{user_id!r} is the only admin; remove the others first")
            del people[user_id]


def _known(user_id: str, entry: Mapping[str, Any]) -> Known:
    return Known(Person(user_id, bool(entry["is_admin"])), str(entry["key"]), entry.get("password"))
