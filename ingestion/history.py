"""The row every source of listening history yields: text as the source wrote it, so that nothing is lost in parsing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from lakehouse.declare import BrokenFileError, column

COLUMNS = (
    column("timezone", "string", "IANA time zone of the listener, where the source names one"),
    column("ts", "string", "time as the source has it, UTC; for Spotify exports, the end of the play"),
    column("ms_played", "string", "ms listened, as the source has it"),
    column("track_ms", "string", "length of the track in ms, where the source tells it; says nothing of what was heard"),
    column("track_uri", "string", "spotify:track:ID or the bare id, as the source has it"),
    column("track_name", "string", "as the source has it"),
    column("artist_name", "string", "as the source has it (Spotify: the album's artist)"),
    column("album_name", "string", "as the source has it"),
    column("episode_name", "string", "podcast episode"),
    column("episode_show_name", "string", "podcast"),
    column("episode_uri", "string", "spotify:episode:ID"),
    column("audiobook_title", "string", "audiobook"),
    column("audiobook_uri", "string", "spotify:show:ID of the audiobook"),
    column("audiobook_chapter_uri", "string", "spotify:episode:ID of the chapter"),
    column("audiobook_chapter_title", "string", "chapter"),
    column("platform", "string", "device or client"),
    column("conn_country", "string", "ISO 3166 country of the connection"),
    column("reason_start", "string", "why playback started"),
    column("reason_end", "string", "why playback ended"),
    column("shuffle", "string", "true or false, as the source has it"),
    column("skipped", "string", "true or false, as the source has it"),
    column("offline", "string", "true or false, as the source has it"),
    column("offline_timestamp", "string", "Unix time of an offline play, as the source has it"),
    column("incognito_mode", "string", "true or false, as the source has it"),
    column("received_at", "string", "UTC, when a player sent the row; null for what lay in a file that a person put in"),
)
FIELDS = ("source_kind", "user_id", *(c.name for c in COLUMNS))
SCHEMA = pa.schema([pa.field(name, pa.string()) for name in FIELDS])


def as_text(value: Any) -> str | None:
    """A JSON value as the text it stood for: strings as they are, true/false, numbers; nested values as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def batch(records: Iterable[Mapping[str, Any]], names: Mapping[str, str], constants: Mapping[str, str]) -> pa.RecordBatch:
    """History rows from parsed records: `names` maps our field to the source's; fields a source lacks are null."""
    rows = [record if isinstance(record, Mapping) else {} for record in records]
    columns = {ours: _text_column([row.get(theirs) for row in rows]) for ours, theirs in names.items()}
    return from_columns(columns, constants)


def from_columns(columns: Mapping[str, pa.Array], constants: Mapping[str, str]) -> pa.RecordBatch:
    """History rows from text columns (at least one) by our names; fields a source lacks are null."""
    rows = len(next(iter(columns.values())))
    repeated = {name: pa.repeat(value, rows).cast(pa.string()) for name, value in constants.items()}
    filled = {**columns, **repeated}
    empty = pa.nulls(rows, pa.string())
    return pa.RecordBatch.from_arrays([filled.get(name, empty) for name in FIELDS], schema=SCHEMA)


def _text_column(values: list[Any]) -> pa.Array:
    try:
        column = pa.array(values)
    except (pa.ArrowException, UnicodeEncodeError, OverflowError):
        column = pa.nulls(0)
    # Arrow writes whole numbers and booleans as JSON does, and all at once; anything else goes value by value.
    if len(column) == len(values) and column.type in (pa.string(), pa.int64(), pa.bool_(), pa.null()):
        return column.cast(pa.string())
    try:
        return pa.array([encodable(as_text(value)) for value in values], pa.string())
    except RecursionError as error:
        raise BrokenFileError("JSON nested too deeply") from error


def encodable(text: str | None) -> str | None:
    """The text as UTF-8 can hold it."""
    # JSON may escape half a surrogate pair, which no UTF-8 can hold: such a character is replaced.
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def chunks(records: list[Any], size: int = 50_000) -> Iterator[list[Any]]:
    """The records in lists of at most `size`."""
    for start in range(0, len(records), size):
        yield records[start : start + size]
