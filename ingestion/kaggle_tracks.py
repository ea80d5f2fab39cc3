"""The Kaggle catalogue of Spotify tracks with audio features (maharshipandya/-spotify-tracks-dataset, ODbL)."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import IO

import pyarrow as pa

from ingestion.artist_lists import separated
from ingestion.csv_columns import columns_of, read_columns
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
SEPARATOR = ";"
# Folds to the separator, so that a name which holds one is still found.
STAND_IN = "\N{FULLWIDTH SEMICOLON}"


def is_usual(names: Set[str]) -> bool:
    """Whether a file has the columns of this catalogue, in whatever order and beside whatever others."""
    return names >= {"track_id", "artists", "track_name", "danceability", "valence", "energy"}


class KaggleTracks:
    """One row per track and genre, as text; a copy of the file that has lists of artists is read as the original."""

    name = "kaggle_tracks"
    target = "kaggle_tracks"

    def recognises(self, sample: Sample) -> bool:
        return is_usual(columns_of(sample))

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        place = FIELDS.index("artists")
        for batch in read_columns(stream, {name: name for name in FIELDS}):
            yield batch.set_column(place, "artists", separated(batch.column(place), SEPARATOR, STAND_IN))


SOURCES = (KaggleTracks(),)
