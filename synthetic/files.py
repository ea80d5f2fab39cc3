"""What stands in the files: plays as an Arrow stream, what is true of each listener as CSV lines."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ingestion.synthetic import schema
from music.populations import SYNTHETIC_PREFIX
from synthetic.block import Plays
from synthetic.catalogue import Catalogue
from synthetic.listeners import PLACES, PLATFORMS, Listeners
from synthetic.period import Period
from synthetic.planted import Planted
from synthetic.skips import END_REASONS, ENDPLAY, START_REASONS, TRACKDONE

BATCH_ROWS = 128 * 1024
USER_ID = SYNTHETIC_PREFIX + "{number:06d}"
LISTENER_COLUMNS = "user_id,timezone,conn_country,age,first_day,last_day,plays,taste_group"


def write_plays(path: Path, catalogue: Catalogue, who: Listeners, plays: Plays) -> None:
    """Write the plays of a block; the same arrays give the same bytes."""
    users = pa.array([USER_ID.format(number=number) for number in who.number.tolist()])
    place = who.place[plays.listener]
    # The file holds the tracks it needs, in the order of the catalogue.
    is_used = np.zeros(len(catalogue.names), np.bool_)
    is_used[plays.track] = True
    renumbered = np.cumsum(is_used, dtype=np.int32) - 1
    columns = [
        _coded(plays.listener, users),
        _coded(place, pa.array([zone for zone, _, _ in PLACES])),
        _coded(place, pa.array([country for _, country, _ in PLACES])),
        pa.array(plays.start_ms, pa.timestamp("ms")),
        pa.array(plays.ms_played),
        _coded(renumbered[plays.track], catalogue.names.take(pa.array(np.flatnonzero(is_used)))),
        _coded(plays.platform, pa.array(PLATFORMS)),
        _coded(plays.reason_start, pa.array(START_REASONS)),
        _coded(plays.reason_end, pa.array(END_REASONS)),
        pa.array(plays.shuffle),
        pa.array((plays.reason_end > TRACKDONE) & (plays.reason_end <= ENDPLAY)),
        pa.array(plays.offline),
        pa.array(plays.incognito),
    ]
    table = pa.Table.from_arrays(columns, schema=schema(len(plays)))
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1), use_threads=False)
    with pa.ipc.new_stream(path, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=BATCH_ROWS)


def _coded(codes: NDArray[np.integer], values: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32, copy=False)), values)


def listener_lines(who: Listeners, plays: Plays, period: Period, planted: Planted | None) -> str:
    """A CSV line per listener with LISTENER_COLUMNS; the taste group is empty where nothing is planted."""
    counts = np.bincount(plays.listener, minlength=len(who)).tolist()
    groups = [""] * len(who) if planted is None else planted.group_of(who.number).tolist()
    days = zip(who.joined.tolist(), who.days.tolist(), strict=True)
    spans = [
        (period.start + timedelta(days=int(first)), period.start + timedelta(days=int(first + stays))) for first, stays in days
    ]
    return "".join(
        f"{USER_ID.format(number=number)},{PLACES[place][0]},{PLACES[place][1]},{age},{first},{last},{count},{group}\n"
        for number, place, age, (first, last), count, group in zip(
            who.number.tolist(), who.place.tolist(), who.age.tolist(), spans, counts, groups, strict=True
        )
    )
