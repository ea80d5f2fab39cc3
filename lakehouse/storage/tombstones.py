"""Listeners who were forgotten: their rows stay out of the lakehouse, whatever file brings them.

`STATE_DIR/tombstones/NAME.json` holds a salted hash of a user_id each, and not the id: so the list of who is forgotten names
nobody. Whoever can read the folder can still test a guess, so the files are private.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = "tombstones"
FORMAT = "listening-lakehouse/tombstone/1"
SALT_BYTES = 32
FORGOTTEN = "_forgotten"
"""Stands where the name of a forgotten listener would; no listener's name begins with _."""


class TombstoneError(Exception):
    """A tombstone that cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True)
class Tombstone:
    """That one listener is forgotten."""

    salt: str
    """random, in hexadecimal digits; another one for each listener"""
    digest: str
    """HMAC-SHA256 of the user_id, keyed by the salt"""
    made_at: dt.datetime
    finished_at: dt.datetime | None = None
    """when everything of the listener was gone; None while it is being removed"""

    @property
    def is_finished(self) -> bool:
        """Whether nothing of the listener is left to remove."""
        return self.finished_at is not None

    def is_of(self, user_id: str) -> bool:
        """Whether it is the tombstone of this listener."""
        return hmac.compare_digest(self.digest, digest_of(user_id, self.salt))

    def to_json(self) -> dict[str, Any]:
        """As it stands in its file."""
        finished_at = self.finished_at and self.finished_at.isoformat()
        return {"format": FORMAT, **vars(self), "made_at": self.made_at.isoformat(), "finished_at": finished_at}


def digest_of(user_id: str, salt: str) -> str:
    """The salted hash of a listener's id, in hexadecimal digits; ids that differ in their Unicode form only have the same."""
    return hmac.new(bytes.fromhex(salt), unicodedata.normalize("NFC", user_id).encode(), hashlib.sha256).hexdigest()


def tombstone_from(content: bytes) -> Tombstone:
    """Raises ValueError, KeyError and TypeError for what is no tombstone."""
    document = json.loads(content)
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']!r}")
    salt, digest = bytes.fromhex(document["salt"]).hex(), bytes.fromhex(document["digest"]).hex()
    made_at, finished_at = document["made_at"], document["finished_at"]
    moment = dt.datetime.fromisoformat
    return Tombstone(salt, digest, moment(made_at), moment(finished_at) if finished_at is not None else None)


@dataclass(frozen=True)
class Tombstones:
    """All listeners who are forgotten."""

    every: Sequence[Tombstone] = ()
    _known: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def __bool__(self) -> bool:
        return bool(self.every)

    def hold(self, user_id: str) -> bool:
        """Whether the listener is forgotten."""
        if user_id not in self._known:
            self._known[user_id] = any(one.is_of(user_id) for one in self.every)
        return self._known[user_id]

    def among(self, user_ids: Iterable[str]) -> list[str]:
        """Those of the listeners who are forgotten."""
        return sorted({user_id for user_id in user_ids if self.hold(user_id)})


def tombstone_files(state_dir: Path) -> list[Path]:
    """The files of all tombstones. Raises OSError."""
    return sorted(path for path in (state_dir / FOLDER).glob("*.json") if not path.name.startswith("."))


def read_tombstone(path: Path) -> Tombstone:
    """Raises TombstoneError and OSError."""
    try:
        return tombstone_from(path.read_bytes())
    except (ValueError, KeyError, TypeError) as error:
        raise TombstoneError(
            f"{path} cannot be read, so nobody can tell whose rows have to stay out: restore it from a backup, or remove it and"
            " run `lakehouse forget` again"
        ) from error


def read_tombstones(state_dir: Path) -> Tombstones:
    """The tombstones in the state folder. Raises TombstoneError and OSError."""
    return Tombstones(tuple(read_tombstone(path) for path in tombstone_files(state_dir)))
