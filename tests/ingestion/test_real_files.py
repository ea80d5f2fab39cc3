"""The real files, cell by cell against Python's own csv and json modules."""

from __future__ import annotations

import csv
import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from ingestion import kaggle_tracks, spotify_extended
from lakehouse.declare import SAMPLE_BYTES
from tests.landing_files import SOURCES, recognised_by


def cells(batches: Iterator[pa.RecordBatch], name: str) -> Iterator[str | None]:
    return itertools.chain.from_iterable(batch.column(name).to_pylist() for batch in batches)


def assert_equal_to_csv(source: str, path: Path, names: dict[str, str], rows: int) -> None:
    """Every named cell is what csv reads; null where that is empty."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        expected: dict[str, list[str | None]] = {name: [] for name in names.values()}
        for row in reader:
            for name, values in expected.items():
                values.append(row[name] or None)
    with path.open("rb") as stream:
        batches = list(SOURCES[source].read(stream, "me"))
    for ours, theirs in names.items():
        assert len(expected[theirs]) == rows
        assert list(cells(iter(batches), ours)) == expected[theirs], theirs


def test_every_cell_of_the_catalogue(real_data: Path) -> None:
    path = real_data / "kaggle" / "dataset.csv"
    assert_equal_to_csv("kaggle_tracks", path, {name: name for name in kaggle_tracks.FIELDS}, 114_000)


def test_every_cell_of_the_history_csv(real_data: Path) -> None:
    path = real_data / "spotify_history" / "spotify_history.csv"
    names = (
        "ts",
        "ms_played",
        "track_name",
        "artist_name",
        "album_name",
        "platform",
        "reason_start",
        "reason_end",
        "shuffle",
        "skipped",
    )
    assert_equal_to_csv("spotify_flat_csv", path, {"track_uri": "spotify_track_uri"} | {name: name for name in names}, 149_860)


def test_every_record_of_the_export(real_data: Path) -> None:
    total = 0
    with zipfile.ZipFile(real_data / "spotify_history" / "my_spotify_data.zip") as archive:
        for member in archive.namelist():
            content = archive.read(member)
            if not member.endswith(".json"):
                continue
            records = json.loads(content)
            batches = list(SOURCES["spotify_extended"].read(io.BytesIO(content), "me"))
            for ours, theirs in spotify_extended.NAMES.items():
                said = [record.get(theirs) for record in records]
                expected = [v if v is None or isinstance(v, str) else str(v).lower() for v in said]
                assert list(cells(iter(batches), ours)) == expected, (member, theirs)
            total += len(records)
    assert total == 149_860


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("kaggle/dataset.csv", ["kaggle_tracks"]),
        ("spotify_history/spotify_history.csv", ["spotify_flat_csv"]),
        ("hetrec_lastfm_dev/artists.dat", []),
        ("taste_profile/visible.txt", []),
    ],
)
def test_real_files_are_recognised(real_data: Path, file: str, source: list[str]) -> None:
    with (real_data / file).open("rb") as stream:
        assert recognised_by(stream.read(SAMPLE_BYTES)) == source
