"""Histories of synthetic listeners, as scripts/generate_listeners.py writes them: an Arrow IPC stream.

The schema stands at the beginning of a stream, in plain bytes, so its metadata tell what the file is. `ts` is the start
of a play, UTC. A listener's time zone stands in every row. Ids begin with `synthetic:`, so that no made-up listener can
be taken for, or mixed with, a real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO
from zoneinfo import available_timezones

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import history
from ingestion.history_source import HistorySource, SourceKind
from lakehouse.declare import BrokenFileError, Sample
from music.populations import SYNTHETIC_KIND, SYNTHETIC_PREFIX

FORMAT = "listening-lakehouse/synthetic-history/1"
LISTENER_ID = f"^{SYNTHETIC_PREFIX}[0-9]{{6,12}}$"
TRACK = pa.struct([(name, pa.string()) for name in ("track_uri", "track_name", "artist_name", "album_name")])
_text = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("user_id", _text),
        ("timezone", _text),
        ("conn_country", _text),
        ("ts", pa.timestamp("ms")),
        ("ms_played", pa.int32()),
        ("track", pa.dictionary(pa.int32(), TRACK)),
        *[(name, _text) for name in ("platform", "reason_start", "reason_end")],
        *[(name, pa.bool_()) for name in ("shuffle", "skipped", "offline", "incognito_mode")],
    ]
)
# A generated listener has no other source, so their plays are compared with nobody's.
SYNTHETIC = SourceKind(
    name=SYNTHETIC_KIND,
    ts="start",
    rank=90,
    window_seconds=0,
    compared_with=(),
    repeat_seconds=0,
    sources_overlap=False,
)
# A stream's first four bytes are FF, which no text has: as a sample they are four replacement characters.
STREAM_START = "\ufffd" * 4


def schema(rows: int) -> pa.Schema:
    """The schema of a file of so many rows; their number shows whether a file is cut off."""
    return SCHEMA.with_metadata({"format": FORMAT, "rows": str(rows)})


class Synthetic:
    """Plays of made-up listeners over the tracks of a catalogue."""

    name = "synthetic"
    target = "listening_history"
    kinds = (SYNTHETIC,)
    rank_in_kind = 0
    has_scrobbler_ts = False

    def recognises(self, sample: Sample) -> bool:
        # NUL keeps it apart from every text format, whose readers refuse it.
        return sample.text.startswith(STREAM_START) and "\x00" in sample.text[:64] and FORMAT in sample.text

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        rows = 0
        try:
            with pa.ipc.open_stream(stream) as reader:
                expected = _expected_rows(reader.schema)
                for batch in reader:
                    batch.validate(full=True)
                    rows += batch.num_rows
                    yield _history(batch)
        except (pa.ArrowException, OSError) as error:
            raise BrokenFileError(f"not a readable Arrow stream: {str(error).splitlines()[0][:200]}") from error
        if rows != expected:
            raise BrokenFileError(f"{rows} rows instead of {expected}: the file is cut off")


def _expected_rows(of_file: pa.Schema) -> int:
    metadata = of_file.metadata or {}
    if metadata.get(b"format") != FORMAT.encode() or not of_file.equals(SCHEMA):
        raise BrokenFileError(f"the columns are not those of {FORMAT}")
    rows = metadata.get(b"rows", b"")
    if not rows.isdigit() or len(rows) > 12:
        raise BrokenFileError("the number of rows is missing")
    return int(rows)


def _history(rows: pa.RecordBatch) -> pa.RecordBatch:
    users, zones = rows.column("user_id"), rows.column("timezone")
    is_id = pc.fill_null(pc.match_substring_regex(users.dictionary, LISTENER_ID), False)
    if users.null_count or not pc.all(is_id, min_count=0).as_py():
        raise BrokenFileError(f"a listener's id is not {SYNTHETIC_PREFIX} followed by a number")
    if unknown := set(zones.dictionary.to_pylist()) - available_timezones() - {None}:
        raise BrokenFileError(f"{sorted(unknown)[0][:60]!r} is not a time zone")
    track = rows.column("track")
    columns = {name: track.dictionary.field(name).take(track.indices) for name in TRACK.names}
    for name in set(rows.schema.names) - {"track"}:
        columns[name] = rows.column(name).cast(pa.string())
    columns["source_kind"] = pa.repeat(SYNTHETIC.name, rows.num_rows).cast(pa.string())
    empty = pa.nulls(rows.num_rows, pa.string())
    return pa.RecordBatch.from_arrays([columns.get(name, empty) for name in history.FIELDS], schema=history.SCHEMA)


SOURCES: tuple[HistorySource, ...] = (Synthetic(),)
