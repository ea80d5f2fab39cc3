"""The Last.fm-1K data set (ocelma.net/MusicRecommendationDataset/lastfm-1K.html): scrobbles of 992 listeners, 2005 to 2009.

Tab-separated, without a header and without quoting: user id, start of the play (UTC), artist MBID, artist, track MBID,
title. The whole file is 19,150,868 lines in 2.5 GB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import history
from ingestion.history_source import HistorySource
from ingestion.scrobbles import SCROBBLE
from ingestion.text_lines import blocks_of_lines, first_lines, most
from lakehouse.declare import Sample

COLUMNS = ("user", "ts", "artist_mbid", "artist_name", "track_mbid", "track_name")
USER = r"user_\d{1,9}"
LINE = re.compile(USER + r"\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\t[^\t]*\t[^\t]*\t[^\t]*\t")


class LastfmOneK:
    """Scrobbles of many listeners; each is `lastfm1k:` + the id in the file. No albums, no durations, no skips."""

    name = "lastfm_1k"
    target = "listening_history"
    kinds = (SCROBBLE,)
    rank_in_kind = 2
    has_scrobbler_ts = True

    def recognises(self, sample: Sample) -> bool:
        return most([LINE.match(line) is not None for line in first_lines(sample)])

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        """One row a line that is not blank; a line with too few fields is a row without values, and so quarantined."""
        for _, block in blocks_of_lines(stream):
            yield history.from_columns(_columns(block, listener), {"source_kind": SCROBBLE.name})


def _columns(block: str, listener: str) -> dict[str, pa.Array]:
    """The block's lines as columns; what follows the fifth tab is the title, tabs and all."""
    lines = pc.ascii_rtrim(pc.split_pattern(pa.array([block]), "\n").flatten(), "\r")
    lines = lines.filter(pc.not_equal(pc.ascii_trim_whitespace(lines), ""))
    fields = pc.split_pattern(lines, "\t", max_splits=len(COLUMNS) - 1)
    is_whole = pc.equal(pc.list_value_length(fields), len(COLUMNS))
    if not pc.all(is_whole).as_py():
        without_values = pc.binary_join_element_wise(pc.list_element(fields, 0), "\t" * (len(COLUMNS) - 1), "")
        fields = pc.split_pattern(pc.if_else(is_whole, lines, without_values), "\t", max_splits=len(COLUMNS) - 1)
    rows = pa.FixedSizeListArray.from_arrays(fields.flatten(), len(COLUMNS))
    columns = {name: pc.list_element(rows, position) for position, name in enumerate(COLUMNS)}
    named = pc.match_substring_regex(columns["user"], f"^{USER}$")
    user = pc.if_else(named, pc.binary_join_element_wise("lastfm1k:", columns["user"], ""), listener)
    texts = ("ts", "artist_name", "track_name")
    return {"user_id": user} | {name: pc.if_else(pc.equal(columns[name], ""), None, columns[name]) for name in texts}


SOURCES: tuple[HistorySource, ...] = (LastfmOneK(),)
