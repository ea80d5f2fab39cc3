"""The Kaggle catalogue of Spotify tracks with audio features (maharshipandya/-spotify-tracks-dataset, ODbL)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from ingestion.csv_rows import header_of, read_csv
from lakehouse.declare import Sample, column

COLUMNS = (
    column("track_id", "string", "Spotify track id", not_null=True, severity="WARN"),
    column("artists", "string", "credited artists, separated by ;", not_null=True, severity="WARN"),
    column("album_name", "string", "album"),
    column("track_name", "string", "title", not_null=True, severity="WARN"),
    column("popularity", "string", "0-100"),
    column("duration_ms", "string", "length, ms"),
    column("explicit", "string", "True or False"),
    column("danceability", "string", "0-1"),
    column("energy", "string", "0-1"),
    column("key", "string", "pitch class 0-11"),
    column("loudness", "string", "dB"),
    column("mode", "string", "1 = major, 0 = minor"),
    column("speechiness", "string", "0-1"),
    column("acousticness", "string", "0-1"),
    column("instrumentalness", "string", "0-1"),
    column("liveness", "string", "0-1"),
    column("valence", "string", "0-1"),
    column("tempo", "string", "beats per minute; 0 where not found"),
    column("time_signature", "string", "beats per bar; 0 where not found"),
    column("track_genre", "string", "genre of this row; the file lists a track once per genre"),
)
FIELDS = tuple(c.name for c in COLUMNS)


class KaggleTracks:
    """One row per track and genre, as text."""

    name = "kaggle_tracks"
    target = "kaggle_tracks"

    def recognises(self, sample: Sample) -> bool:
        return {"track_id", "artists", "track_name", "danceability", "valence", "energy"} <= set(header_of(sample))

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        yield from read_csv(stream, list(FIELDS))


SOURCES = (KaggleTracks(),)
