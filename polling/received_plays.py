"""Which plays of an account lie in the inbox, and where: on disk, as hundreds of thousands do not belong into memory."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple

from polling.inbox_files import poll_files
from polling.places import AccountPlace

TABLE = """
    CREATE TABLE plays (key BLOB PRIMARY KEY, second INTEGER, file TEXT, position INTEGER) WITHOUT ROWID;
    CREATE INDEX by_second ON plays (second);
"""


class ReceivedPlay(NamedTuple):
    """A play in the inbox."""

    key: str
    played_at: dt.datetime
    file: str
    position: int


class ReceivedPlays:
    """The plays of all poll files of an account, loose or packed. Use as a context manager."""

    def __init__(self, place: AccountPlace) -> None:
        """Raises EnvelopeError and OSError."""
        with _on_disk():
            # A name that is empty means: a file of its own, which is gone once it is closed.
            self._database = sqlite3.connect("")
            self._database.executescript(TABLE)
        with poll_files(place) as files:
            for file in files:
                head = file.head()
                self.add(file.name, head.keys, head.new)

    def __enter__(self) -> ReceivedPlays:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._database.close()

    def add(self, file: str, keys: Mapping[str, dt.datetime | None], positions: Iterable[int]) -> None:
        """Plays of another file: key and time, and their positions in its answer. Raises OSError."""
        rows = [
            (_stored(key), None if played_at is None else int(played_at.timestamp()), file, position)
            for (key, played_at), position in zip(keys.items(), positions, strict=True)
        ]
        with _on_disk():
            self._database.executemany("INSERT OR IGNORE INTO plays VALUES (?, ?, ?, ?)", rows)

    def known(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are in the inbox."""
        find = "SELECT 1 FROM plays WHERE key = ?"
        return {key for key in keys if self._database.execute(find, (_stored(key),)).fetchone() is not None}

    def missing_from(self, keys: Collection[str], shown: range) -> Sequence[ReceivedPlay]:
        """The plays of these seconds whose key is none of the keys, the oldest first."""
        find = "SELECT key, second, file, position FROM plays WHERE second >= ? AND second < ? ORDER BY second, key"
        found = [
            ReceivedPlay(key.decode("utf-8", "surrogatepass"), dt.datetime.fromtimestamp(second, dt.timezone.utc), file, position)
            for key, second, file, position in self._database.execute(find, (shown.start, shown.stop))
        ]
        return [play for play in found if play.key not in keys]


@contextmanager
def _on_disk() -> Iterator[None]:
    """A disk that is full is an error of the disk, here as elsewhere."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(f"the temporary folder cannot be used: {error}") from error


def _stored(key: str) -> bytes:
    """A key comes from outside, and may hold what is no UTF-8."""
    return key.encode("utf-8", "surrogatepass")
