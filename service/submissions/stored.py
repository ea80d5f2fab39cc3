"""A listener's plays in silver, read without an engine and in little memory: players ask for them whenever they start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from music.envelopes import SUBMITTED_LISTENS
from service.submissions.unread import Listen

PLAYS = ("silver", "plays")
MEMORY = "96MB"
SPOTIFY_ID_LENGTH = 22


class Range(NamedTuple):
    """Which listens are asked for: both bounds, in Unix seconds, are exclusive."""

    min_ts: int | None
    max_ts: int | None
    count: int

    @property
    def is_oldest_first(self) -> bool:
        """With a lower bound alone, the listens next to it are asked for."""
        return self.min_ts is not None and self.max_ts is None

    def holds(self, listened_at: int) -> bool:
        """Whether a listen is within the bounds."""
        return (self.min_ts is None or listened_at > self.min_ts) and (self.max_ts is None or listened_at < self.max_ts)


class Summary(NamedTuple):
    """What silver has of a listener. Times are Unix seconds, 0 without plays."""

    plays: int
    oldest: int
    latest: int
    journals: frozenset[str]
    """hashes of the journals that were read"""


EMPTY = Summary(0, 0, 0, frozenset())


class Stored:
    """The plays of one version of silver.plays."""

    def __init__(self, root: Path, user_id: str) -> None:
        """Raises OSError and what delta-rs raises for a damaged table."""
        from deltalake import DeltaTable

        self.path, self.user_id = root.joinpath(*PLAYS), user_id
        self.files: tuple[str, ...] = ()
        if DeltaTable.is_deltatable(str(self.path)):
            self.files = tuple(DeltaTable(str(self.path)).file_uris())

    def summary(self) -> Summary:
        """Of all plays that count."""
        return _summary(self.files, self.user_id) if self.files else EMPTY

    def listens(self, bounds: Range) -> list[Listen]:
        """The plays within the bounds, at most as many as are asked for."""
        if not self.files:
            return []
        order = "ASC" if bounds.is_oldest_first else "DESC"
        # A bound is a whole second, and so is the time that a listen is shown with.
        query = f"""
            SELECT floor(epoch(played_at))::BIGINT, track_name, artist_name, album_name, track_id, ms_played, platform
            FROM {_FROM} AND (? IS NULL OR floor(epoch(played_at)) > ?) AND (? IS NULL OR floor(epoch(played_at)) < ?)
            ORDER BY 1 {order}, play_id {order} LIMIT {bounds.count:d}
        """  # noqa: S608 - constants
        values = [list(self.files), self.user_id, bounds.min_ts, bounds.min_ts, bounds.max_ts, bounds.max_ts]
        with _connected() as connection:
            return [_listen(row) for row in connection.execute(query, values).fetchall()]


_FROM = "read_parquet(?, union_by_name = true) WHERE user_id = ? AND disposition = 'kept' AND NOT is_excluded"


@lru_cache(maxsize=64)
def _summary(files: tuple[str, ...], user_id: str) -> Summary:
    """Files of a Delta table never change."""
    counts = f"SELECT count(*), min(epoch(played_at)), max(epoch(played_at)) FROM {_FROM}"  # noqa: S608 - constants
    read = "SELECT DISTINCT file_hash FROM read_parquet(?, union_by_name = true) WHERE user_id = ? AND source = ?"
    with _connected() as connection:
        [(plays, oldest, latest)] = connection.execute(counts, [list(files), user_id]).fetchall()
        journals = connection.execute(read, [list(files), user_id, SUBMITTED_LISTENS]).fetchall()
    return Summary(plays, int(oldest or 0), int(latest or 0), frozenset(name for (name,) in journals))


@contextmanager
def _connected() -> Iterator[Any]:
    import duckdb

    connection = duckdb.connect(config={"threads": 1, "memory_limit": MEMORY, "autoload_known_extensions": False})
    try:
        yield connection
    finally:
        connection.close()


def _listen(row: tuple[Any, ...]) -> Listen:
    at, track, artist, album, track_id, ms_played, platform = row
    info: dict[str, Any] = {"media_player": platform} if platform else {}
    if ms_played:
        info["duration_played"] = ms_played // 1000
    if len(track_id) == SPOTIFY_ID_LENGTH:
        info["spotify_id"] = f"https://open.spotify.com/track/{track_id}"
    return Listen(at, at, {"track_name": track, "artist_name": artist, "release_name": album, "additional_info": info})
