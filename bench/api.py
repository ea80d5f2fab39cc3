"""How long the JSON API takes over a table of many listeners, in their order and in none: `python -m bench.api [LISTENERS]`.

A table shaped like gold.top_artists, 60 rows a listener, is written with Arrow; then 50 listeners ask for the chart of all time.
"""

from __future__ import annotations

import datetime as dt
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from deltalake import write_deltalake

from service.api.queries import TopQuery
from service.api.reading import ARTISTS, top_artists
from service.api.tables import Tables

ROWS, ASKED, FILE_LISTENERS = 60, 50, 10_000


def rows(listeners: np.ndarray) -> pa.Table:
    """The chart of all time of these listeners, who may stand in any order."""
    count = len(listeners)
    rank = np.arange(count) % ROWS + 1
    return pa.table(
        {
            "user_id": pa.array([f"listener{number:07d}" for number in listeners]),
            "period_type": pa.array(["all_time"] * count),
            "period_start": pa.array([dt.date(2020, 1, 1)] * count, pa.date32()),
            "rank": pa.array(rank, pa.int32()),
            "artist_key": pa.array([f"{number * 7919 % 100_003:032x}" for number in range(count)]),
            "artist_name": pa.array([f"Artist {number * 7919 % 100_003}" for number in range(count)]),
            "listen_count": pa.array(rank, pa.int64()),
            "play_count": pa.array(rank, pa.int64()),
            "minutes": pa.array(rank * 3.0),
            "share_of_listens": pa.array(1.0 / rank),
            "is_new": pa.array(rank % 2 == 0),
        }
    )


def parts(listeners: int, *, is_ordered: bool) -> Iterator[pa.Table]:
    """The table in parts, one a file."""
    numbers = np.repeat(np.arange(listeners), ROWS)
    if not is_ordered:
        np.random.default_rng(7).shuffle(numbers)
    for start in range(0, len(numbers), FILE_LISTENERS * ROWS):
        yield rows(numbers[start : start + FILE_LISTENERS * ROWS])


def main() -> int:
    """Print a line for each order."""
    listeners = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for is_ordered in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            for part in parts(listeners, is_ordered=is_ordered):
                write_deltalake(Path(folder) / "gold" / "top_artists", part, mode="append")
            before, spent, seconds = psutil.Process().memory_info().rss, time.process_time(), list[float]()
            for number in range(0, listeners, listeners // ASKED):
                began = time.monotonic()
                with closing(Tables(Path(folder), [ARTISTS])) as tables:
                    answer = top_artists(tables, f"listener{number:07d}", TopQuery.model_validate({}))
                seconds.append(time.monotonic() - began)
                assert answer.total == ROWS  # noqa: S101 - a figure of something else would be worth nothing
            more, cpu = (psutil.Process().memory_info().rss - before) / 2**20, (time.process_time() - spent) / len(seconds)
            order = "ordered by listener" if is_ordered else "in no order"
            print(  # noqa: T201
                f"{listeners:,} listeners, {listeners * ROWS:,} rows {order}: median {statistics.median(seconds) * 1000:.0f} ms,"
                f" slowest {max(seconds) * 1000:.0f} ms, {cpu * 1000:.0f} ms of processor, {more:.0f} MB more"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
