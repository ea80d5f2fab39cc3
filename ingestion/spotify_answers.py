"""Metadata of tracks, albums and artists as Spotify's Web API answers, and as plays tell it, in metadata files.

Every field is optional: applications in development mode get fewer of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any, Literal

import pyarrow as pa

from ingestion.envelopes import at_path
from ingestion.metadata import MetadataAnswer, kind_of, listed, read_answers, text, whole_number
from lakehouse.declare import Sample, column
from music.metadata import SPOTIFY_KINDS, TRACK

# ISO 3901: country, registrant, year, number.
ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
# The day or the month may be missing.
RELEASE_DATE = re.compile(r"(\d{4})(-\d{2}){0,2}")
COLUMNS = (
    column("kind", "string", "track, album or artist", nullable=False, one_of=SPOTIFY_KINDS),
    column("spotify_id", "string", "id that was asked for", nullable=False),
    column("is_known", "boolean", "Spotify knows the id", nullable=False),
    column("name", "string", "title or name"),
    column("isrc", "string", "ISRC of a track, 12 characters; null where it is missing or has another form"),
    column("artist_ids", "array<string>", "Spotify ids of the artists of a track or album, in order"),
    column("artist_names", "array<string>", "their names, in order"),
    column("album_id", "string", "album of a track"),
    column("album_name", "string", "its title"),
    column("release_date", "string", "of the album: YYYY, YYYY-MM or YYYY-MM-DD"),
    column("duration_ms", "bigint", "length of a track, ms"),
    column("explicit", "boolean", "explicit lyrics of a track"),
    column("popularity", "int", "0-100, when it was asked for"),
    column("label", "string", "label of an album"),
    column("genres", "array<string>", "genres of an album or artist"),
    column("fetched_at", "timestamp", "Spotify's date, UTC", nullable=False),
)
TYPES = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "array<string>": pa.list_(pa.string()),
    "timestamp": pa.timestamp("us", "UTC"),
}
SCHEMA = pa.schema([pa.field(c.name, TYPES[c.type]) for c in COLUMNS])


class SpotifyAnswers:
    """One row per answer, also for an id that Spotify does not know."""

    name = "spotify_answers"
    target = "spotify_answers"
    is_received: Literal[True] = True

    def recognises(self, sample: Sample) -> bool:
        return kind_of(sample) in SPOTIFY_KINDS

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        rows = [row for answer in read_answers(stream) if (row := _row(answer)) is not None]
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def _row(answer: MetadataAnswer) -> dict[str, Any] | None:
    spotify_id, told = text(answer.about.get("id")), answer.answer
    if spotify_id is None:
        return None
    of_album = at_path(told, "album") if answer.kind == TRACK else told
    artists = listed(at_path(told, "artists"))
    explicit = at_path(told, "explicit")
    return {
        "kind": answer.kind,
        "spotify_id": spotify_id,
        "is_known": isinstance(told, dict),
        "name": text(at_path(told, "name")),
        "isrc": isrc(at_path(told, "external_ids", "isrc")) if answer.kind == TRACK else None,
        "artist_ids": [text(artist.get("id")) for artist in artists],
        "artist_names": [text(artist.get("name")) for artist in artists],
        "album_id": text(at_path(told, "album", "id")),
        "album_name": text(at_path(told, "album", "name")),
        "release_date": _release_date(at_path(of_album, "release_date")),
        "duration_ms": _within(whole_number(at_path(told, "duration_ms")), 1, 24 * 3_600_000),
        "explicit": explicit if isinstance(explicit, bool) else None,
        "popularity": _within(whole_number(at_path(told, "popularity")), 0, 100),
        "label": text(at_path(told, "label")),
        "genres": _texts(at_path(told, "genres")),
        "fetched_at": answer.fetched_at,
    }


def isrc(value: Any) -> str | None:
    """An ISRC in its one form, without hyphens; None for what is none."""
    plain = value.replace("-", "").strip().upper() if isinstance(value, str) else ""
    return plain if ISRC.fullmatch(plain) and plain.isascii() else None


def _release_date(value: Any) -> str | None:
    """`0000` stands for a date that nobody knows."""
    match = RELEASE_DATE.fullmatch(value) if isinstance(value, str) and value.isascii() else None
    return match[0] if match and int(match[1]) > 0 else None


def _within(value: int | None, low: int, high: int) -> int | None:
    return value if value is not None and low <= value <= high else None


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else []
    return [shown for item in items if (shown := text(item)) is not None]


SOURCES = (SpotifyAnswers(),)
