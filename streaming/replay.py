"""The plays of a file of the landing folder's formats, as the listens that a player would have sent."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ingestion import explainers, history_facts, sources
from ingestion.history_source import SourceFacts
from lakehouse.declare import Source
from lakehouse.landing.scan import Landing
from lakehouse.storage.landed_files import LandedFile
from streaming.errors import StreamError

TARGET = "listening_history"
COLUMNS = (
    "source",
    "source_kind",
    "timezone",
    "ts",
    "ms_played",
    "track_ms",
    "track_uri",
    "track_name",
    "artist_name",
    "album_name",
    "platform",
)
BATCH_ROWS = 10_000
NUMBERS = {"ms_played": "ms_played", "track_ms": "duration_ms"}
TEXTS = ("timezone", "track_uri", "track_name", "artist_name", "album_name", "platform")


def listens_in(file: Path, user: str | None, max_bytes: int) -> Iterator[dict[str, Any]]:
    """The listens of an export (a file, also a zip) as messages, in the order of the file; podcasts and audiobooks are left out.

    They belong to `user`, or with None to the listeners that the file itself names. Raises StreamError for a file without plays.
    """
    if not file.is_file():
        raise StreamError(f"{file} is no file: name an export, such as my_spotify_data.zip")
    every: list[Source] = sources(TARGET)
    facts = {one.source: one for one in history_facts()}
    with tempfile.TemporaryDirectory(prefix="lakehouse-replay-") as scratch:
        folder = Path(scratch, "landing")
        folder.mkdir()
        (folder / file.name.lstrip("._")).symlink_to(file.absolute())
        parsers = {source.name: source.name for source in every} | {type(one).__module__: "" for one in explainers()}
        landing = Landing(folder, every, parsers, user or "me", max_bytes, "replay", explainers())
        scan = landing.scan([])
        if not scan.new:
            reasons = sorted({f"{one.path}: {one.reason}" for one in scan.state if one.reason})
            raise StreamError(f"{file} holds no listening history that can be read" + (f" ({reasons[0]})" if reasons else ""))
        for landed in scan.new:
            yield from _listens_of(landing, landed, user, facts, Path(scratch))


def _listens_of(
    landing: Landing, landed: LandedFile, user: str | None, facts: Mapping[str, SourceFacts], scratch: Path
) -> Iterator[dict[str, Any]]:
    target = scratch / "rows.parquet"
    target.unlink(missing_ok=True)
    read = landing.read(landed, target, {})
    if read.status == "broken":
        raise StreamError(f"{landed.path} cannot be read: {read.reason}")
    if not read.rows:
        return
    with pq.ParquetFile(target) as opened:
        for batch in opened.iter_batches(BATCH_ROWS, columns=["user_id", *COLUMNS]):
            for row in batch.to_pylist():
                listen = _listen(row, facts[row["source"]])
                if listen is not None:
                    yield {"user_id": user or row["user_id"], **listen}


def _listen(row: Mapping[str, Any], facts: SourceFacts) -> dict[str, Any] | None:
    """The row as a listen; None for one without names and track, or whose start is unknown."""
    if not (row["track_uri"] or (row["track_name"] and row["artist_name"])):
        return None
    kind = next(one for one in facts.kinds if one.name == row["source_kind"])
    started = _started(row["ts"], row["ms_played"], is_end=kind.ts == "end")
    if started is None:
        return None
    numbers = {theirs: int(row[ours]) for ours, theirs in NUMBERS.items() if row[ours] is not None and row[ours].isdecimal()}
    return {"listened_at": started, **{name: row[name] for name in TEXTS if row[name] is not None}, **numbers}


def _started(ts: str | None, ms_played: str | None, *, is_end: bool) -> str | None:
    """The start of a play in ISO 8601, from its time as the source has it; null for an end from which it cannot be computed.

    A start in another form stays as it is.
    """
    try:
        moment = dt.datetime.fromisoformat(ts or "") if "-" in (ts or "") else None
        length = dt.timedelta(milliseconds=int(ms_played or "") if is_end else 0)
        start = moment and moment - length
    except (ValueError, OverflowError):
        start = None
    if start is None:
        return None if is_end else ts
    start = start.replace(tzinfo=dt.timezone.utc) if start.tzinfo is None else start.astimezone(dt.timezone.utc)
    return start.isoformat(timespec="milliseconds").replace("+00:00", "Z")
