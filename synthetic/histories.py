"""Reading history files of any source as arrays, to measure them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingestion import history_facts, sources
from ingestion.csv_rows import read_csv
from ingestion.history_source import kinds_of
from lakehouse.declare import SAMPLE_BYTES, Sample
from synthetic.draws import Floats, Ints
from synthetic.measures import History

COLUMNS = ("source_kind", "user_id", "ts", "ms_played", "track_uri", "artist_name", "reason_end", "timezone")


def read_history(path: Path, catalogue: Path, timezone: str = "UTC") -> History:
    """Every play in a folder, file or zip archive; `timezone` is that of listeners whose file names none.

    Rows that tell no track are left out, identical ones are taken once; tempo and danceability come from the catalogue
    by track id. Raises BrokenFileError and OSError.
    """
    rows = pa.concat_tables([_table(stream) for stream in _streams(path)]).unify_dictionaries().combine_chunks()
    rows = rows.filter(pc.and_(pc.is_valid(rows["track_uri"]), pc.is_valid(rows["artist_name"])))
    played = rows["ms_played"].cast(pa.int64()).to_numpy()
    stamp = rows["ts"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    ending = tuple(kind.name for kind in kinds_of(history_facts()) if kind.ts == "end")
    start = stamp - np.where(_is_in(rows["source_kind"], ending), played, 0)
    listener, track, artist = (_codes(rows[name]) for name in ("user_id", "track_uri", "artist_name"))
    zones = pc.fill_null(rows["timezone"].cast(pa.string()), timezone)
    order = np.lexsort((played, track, start, listener))
    sorted_ = np.stack([listener, start, track, played])[:, order]
    order = order[np.concatenate([[True], (np.diff(sorted_) != 0).any(axis=0)])]
    uris = rows["track_uri"].chunk(0).dictionary if rows.num_rows else pa.array([], pa.string())
    tempo, danceability = _features(catalogue, uris)
    return History(
        listener=np.unique(listener[order], return_inverse=True)[1],
        start=start[order],
        local=(start + _offsets(start, zones))[order],
        played=played[order],
        is_left=~_is_in(rows["reason_end"], ("trackdone",))[order],
        track=track[order],
        artist=artist[order],
        tempo=tempo[track[order]],
        danceability=danceability[track[order]],
    )


def _streams(path: Path) -> Iterator[IO[bytes]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist()):
                with archive.open(member) as stream:
                    yield stream
        return
    files = sorted(path.glob("[!_.]*")) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as stream:
            yield stream


def _table(stream: IO[bytes]) -> pa.Table:
    """The columns that are measured, names as dictionaries; no rows for a file that is no history."""
    sample = Sample("", stream.read(SAMPLE_BYTES).decode("utf-8", "replace"))
    stream.seek(0)
    source = next((s for s in sources("listening_history") if s.recognises(sample)), None)
    batches = [] if source is None else [_narrow(batch) for batch in source.read(stream, "me")]
    return pa.Table.from_batches(batches, schema=_SCHEMA)


_TEXT = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema([(name, {"ts": pa.timestamp("ms"), "ms_played": pa.int32()}.get(name, _TEXT)) for name in COLUMNS])


def _narrow(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = []
    for field in _SCHEMA:
        column = batch.column(field.name)
        if field.name == "ts":
            column = pc.utf8_rtrim(column, "Z")
        columns.append(column.dictionary_encode() if field.type == _TEXT else column.cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)


def _codes(column: pa.ChunkedArray) -> Ints:
    return np.asarray(column.chunk(0).indices.to_numpy(zero_copy_only=False), np.int64) if len(column) else np.zeros(0, np.int64)


def _is_in(column: pa.ChunkedArray, values: tuple[str, ...]) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(pc.is_in(column.cast(pa.string()), pa.array(values)), False).to_numpy(), np.bool_)


def _offsets(start: Ints, zones: pa.ChunkedArray) -> Ints:
    """ms from UTC to local time at each start."""
    offset = np.zeros(len(start), np.int64)
    encoded = zones.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    for code, zone in enumerate(encoded.dictionary.to_pylist()):
        here = np.flatnonzero(codes == code)
        at = pa.array(start[here], pa.timestamp("ms")).cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp("ms", zone))
        offset[here] = pc.local_timestamp(at).to_numpy().astype(np.int64) - start[here]
    return offset


def _features(catalogue: Path, uris: pa.Array) -> tuple[Floats, Floats]:
    """Tempo and danceability per URI or bare id; NaN where the catalogue has none."""
    with catalogue.open("rb") as stream:
        rows = pa.Table.from_batches(read_csv(stream, ["track_id", "tempo", "danceability"]))
    ids = pc.replace_substring(uris, "spotify:track:", "", max_replacements=1)
    found = pc.index_in(ids, rows["track_id"])
    tempo, danceability = (rows[name].cast(pa.float64()).take(found).to_numpy() for name in ("tempo", "danceability"))
    # The catalogue writes a tempo that was not found as 0.
    return np.where(tempo > 0, tempo, np.nan), danceability
