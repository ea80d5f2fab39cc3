"""The Kaggle catalogue of Spotify tracks with audio features (maharshipandya/-spotify-tracks-dataset, ODbL)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO

import pyarrow as pa

from ingestion.csv_rows import header_of, read_csv
from lakehouse.declare import Sample

FIELDS: Mapping[str, str] = {
    "track_id": "Spotify track id",
    "artists": "credited artists, separated by ;",
    "album_name": "album",
    "track_name": "title",
    "popularity": "0-100",
    "duration_ms": "length, ms",
    "explicit": "True or False",
    "danceability": "0-1",
    "energy": "0-1",
    "key": "pitch class 0-11",
    "loudness": "dB",
    "mode": "1 = major, 0 = minor",
    "speechiness": "0-1",
    "acousticness": "0-1",
    "instrumentalness": "0-1",
    "liveness": "0-1",
    "valence": "0-1",
    "tempo": "beats per minute; 0 where not found",
    "time_signature": "beats per bar; 0 where not found",
    "track_genre": "genre of this row; the file lists a track once per genre",
}


class KaggleTracks:
    """One row per track and genre, as text."""

    name = "kaggle_tracks"
    target = "kaggle_tracks"

    def recognises(self, sample: Sample) -> bool:
        return {"track_id", "artists", "track_name", "danceability", "valence", "energy"} <= set(header_of(sample))

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        yield from read_csv(stream, list(FIELDS))


SOURCES = (KaggleTracks(),)
