"""Public data sets of Spotify tracks with the audio features of the usual catalogue, each in its own layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import IO, NoReturn

import pyarrow as pa

from ingestion import kaggle_tracks
from ingestion.artist_lists import alone, in_lists
from ingestion.csv_columns import columns_of, read_columns
from lakehouse.declare import BrokenFileError, Column, Sample, column

OTHERWISE: dict[str, Column] = {
    "artists": column(
        "artists", "array<string>", "credited artists, in order; null where they cannot be told", not_null=True, severity="WARN"
    ),
    "key": column("key", "string", "pitch class 0-11, or its name (C#)"),
    "mode": column("mode", "string", "1 or Major, 0 or Minor"),
    "time_signature": column("time_signature", "string", "beats per bar, alone (4) or with their unit (4/4); 0 where not found"),
    "track_genre": column("track_genre", "string", "genre of this row; some files list a track once per genre or playlist"),
}
COLUMNS = (
    *[OTHERWISE.get(c.name, c) for c in kaggle_tracks.COLUMNS],
    column("track_subgenre", "string", "narrower genre of this row"),
)
MEASURED = frozenset(("danceability", "energy", "valence"))
ALL_MEASURED = MEASURED | {"acousticness", "instrumentalness", "speechiness", "liveness", "loudness", "tempo"}
# A listening history may have features too.
PLAYED = frozenset(("ts", "ms_played", "played_at", "endtime", "uts", "date"))


@dataclass(frozen=True)
class Layout:
    """How a data set names its columns. Columns that `theirs` leaves out have our names, or are absent."""

    theirs: Mapping[str, str]
    """our name to theirs"""
    marks: frozenset[str]
    """columns by which the data set is recognised, with MEASURED"""
    artists: Callable[[pa.Array], pa.Array] = in_lists
    """the column of artists as lists of names"""


BY_ID = {"track_id": "id", "track_name": "name"}
# In the order in which they are tried: the first whose marks are all there.
LAYOUTS: Mapping[str, Layout] = {
    "catalogue_1200k": Layout({**BY_ID, "album_name": "album"}, frozenset(("id", "name", "artists", "album"))),
    "catalogue_160k": Layout(BY_ID, frozenset(("id", "name", "artists", "popularity", "year"))),
    "catalogue_586k": Layout(BY_ID, frozenset(("id", "name", "artists", "popularity"))),
    "catalogue_30k": Layout(
        {
            "artists": "track_artist",
            "album_name": "track_album_name",
            "popularity": "track_popularity",
            "track_genre": "playlist_genre",
            "track_subgenre": "playlist_subgenre",
        },
        frozenset(("track_id", "track_name", "track_artist")),
        alone,
    ),
    "catalogue_genres": Layout(
        {"artists": "artist_name", "track_genre": "genre"}, frozenset(("track_id", "track_name", "artist_name")), alone
    ),
}


def layout_of(names: Set[str]) -> str | None:
    """The name of the layout that has these columns; None if none has, and for the usual catalogue."""
    if not names >= MEASURED or kaggle_tracks.is_usual(names):
        return None
    return next((name for name, layout in LAYOUTS.items() if names >= layout.marks), None)


class Catalogue:
    """One row per row of the data set, as text."""

    target = "catalogue_tracks"

    def __init__(self, name: str, layout: Layout) -> None:
        self.name, self.layout = name, layout

    def recognises(self, sample: Sample) -> bool:
        return layout_of(columns_of(sample)) == self.name

    def read(self, stream: IO[bytes], listener: str) -> Iterator[pa.RecordBatch]:
        """Raises BrokenFileError if no row has artists, although there are some: nobody could tell where a name ends."""
        wanted = {c.name: self.layout.theirs.get(c.name, c.name) for c in COLUMNS}
        place = list(wanted).index("artists")
        written = understood = 0
        for batch in read_columns(stream, wanted):
            texts = batch.column(place)
            artists = self.layout.artists(texts)
            written, understood = written + len(texts) - texts.null_count, understood + len(artists) - artists.null_count
            yield batch.set_column(place, "artists", artists)
        if written and not understood:
            raise BrokenFileError(f"{wanted['artists']} holds no list of names (['A', 'B']): download the original file again")


class UnknownCatalogue:
    """A table of audio features in a layout that no source knows: refused, with the columns that it would need."""

    name = "catalogue_unknown"
    target = "catalogue_tracks"

    def recognises(self, sample: Sample) -> bool:
        names = columns_of(sample)
        is_catalogue = names >= ALL_MEASURED and not names & PLAYED and not kaggle_tracks.is_usual(names)
        return is_catalogue and layout_of(names) is None

    def read(self, stream: IO[bytes], listener: str) -> NoReturn:
        raise BrokenFileError(
            "a table of audio features whose columns are those of no catalogue that is read: rename them to track_id, "
            "track_name and artists (names separated by ;), or use one of the data sets in docs/how-to/catalogues.md"
        )


SOURCES = (*[Catalogue(name, layout) for name, layout in LAYOUTS.items()], UnknownCatalogue())
