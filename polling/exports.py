"""Which time the exports of a listener cover, from silver.coverage and the landing files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.dataset as ds

from lakehouse.storage import delta
from lakehouse.storage.landed_files import LandedFile
from music.envelopes import LASTFM_API, LISTENBRAINZ_API, SPOTIFY_API

LIVE = (SPOTIFY_API, LASTFM_API, LISTENBRAINZ_API)
EXTENDED = "spotify_extended"
EXPORT_FORMATS = (EXTENDED, "spotify_flat_csv")
"""The formats that tell of a play whether it was short, private or offline."""
EXPORTS: Mapping[str, tuple[str, ...]] = {
    SPOTIFY_API: (*EXPORT_FORMATS, "spotify_account_data", "spotify_account_csv"),
    LASTFM_API: ("lastfm_json", "lastfm_csv", "lastfm_uts_csv", "lastfm_stats_csv", "lastfm_stats_json"),
    LISTENBRAINZ_API: ("listenbrainz",),
}
"""By live source, the formats that list every play of an account between their first and their last one.

Account data does too, although only to the minute and a year back. An export of another service does not: it knows nothing of
what was heard elsewhere.
"""
COLUMNS = ["user_id", "file_hash", "source", "first_played_at", "last_ended_at"]


@dataclass(frozen=True)
class Export:
    """A file, or the files of one archive, with every play of a listener from `start` to `end`."""

    user_id: str
    source: str
    start: dt.datetime
    end: dt.datetime
    path: str
    """of the file or archive, in the landing folder"""


def coverage_path(lakehouse: Path) -> Path:
    """The folder of silver.coverage."""
    return lakehouse / "silver" / "coverage"


def exports_of(
    lakehouse: Path, listeners: Collection[str], sources: Collection[str], files: Iterable[LandedFile]
) -> list[Export]:
    """The exports of these listeners in these formats, by listener and time; none where silver.coverage is not built."""
    if not listeners or not sources:
        return []
    where = ds.field("user_id").isin(sorted(listeners)) & ds.field("source").isin(sorted(sources))
    rows = delta.read_rows(coverage_path(lakehouse), COLUMNS, where)
    places = _places({row["file_hash"] for row in rows}, files)
    whole: dict[tuple[str, str, str], Export] = {}
    for row in rows:
        for place in places[row["file_hash"]]:
            if _tells_all(row["source"], place):
                path = _whole(row["source"], place)
                one = Export(row["user_id"], row["source"], row["first_played_at"], row["last_ended_at"], path)
                key = (one.user_id, one.source, one.path)
                whole[key] = _joined(whole[key], one) if key in whole else one
    return sorted(whole.values(), key=lambda export: (export.user_id, export.start, export.end, export.path))


def _places(hashes: Collection[str], files: Iterable[LandedFile]) -> dict[str, list[LandedFile]]:
    """By hash, every place where the file lies or lay: two exports may have a file in common."""
    places: dict[str, list[LandedFile]] = {file_hash: [] for file_hash in hashes}
    for file in files:
        if file.file_hash in hashes and file.status in ("ingested", "duplicate"):
            places[file.file_hash].append(file)
    return places


def _tells_all(source: str, file: LandedFile) -> bool:
    """A file of videos alone (Streaming_History_Video_*.json) reaches over years without the music of these years."""
    name = (file.member or file.path).rsplit("/", 1)[-1]
    return source != EXTENDED or "video" not in name.lower()


def _whole(source: str, file: LandedFile) -> str:
    """The archive for an extended export: its files are parts of one history, and nothing is missing between them."""
    return file.container if source == EXTENDED else file.path


def _joined(one: Export, other: Export) -> Export:
    return replace(one, start=min(one.start, other.start), end=max(one.end, other.end))
