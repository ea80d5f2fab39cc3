"""The flat history CSV and the Kaggle catalogue: small files cell by cell."""

from __future__ import annotations

import csv
import io

import pytest

from ingestion import kaggle_tracks
from ingestion.history import FIELDS
from tests.landing_files import CATALOGUE_HEADER, CONTENTS, FLAT_HEADER, FLAT_ROW, HOSTILE_NAMES, lines, read


def test_a_history_row() -> None:
    assert read("spotify_flat_csv", CONTENTS["spotify_flat_csv"], "anna") == [
        dict.fromkeys(FIELDS)
        | {
            "source_kind": "export",
            "user_id": "anna",
            "ts": "2024-03-01 10:03:00",
            "ms_played": "180000",
            "track_uri": "2J3n32GeLmMjwuAzyhcSNe",
            "track_name": "Title",
            "artist_name": "Artist",
            "album_name": "Album",
            "platform": "ios",
            "reason_start": "trackdone",
            "reason_end": "fwdbtn",
            "shuffle": "FALSE",
            "skipped": "TRUE",
        }
    ]


def test_columns_in_another_order_and_columns_that_are_missing() -> None:
    content = lines(
        "skipped,track_name,ms_played,ts,spotify_track_uri", "TRUE,Title,5,2024-03-01 10:03:00,2J3n32GeLmMjwuAzyhcSNe"
    )
    row = read("spotify_flat_csv", content)[0]
    assert {name: value for name, value in row.items() if value is not None} == {
        "source_kind": "export",
        "user_id": "me",
        "ts": "2024-03-01 10:03:00",
        "ms_played": "5",
        "track_uri": "2J3n32GeLmMjwuAzyhcSNe",
        "track_name": "Title",
        "skipped": "TRUE",
    }


def test_columns_about_the_person_are_not_read() -> None:
    content = lines(f"{FLAT_HEADER},ip_addr,username", f"{FLAT_ROW},203.0.113.77,jane.doe.1234")
    rows = read("spotify_flat_csv", content)
    assert rows[0]["skipped"] == "TRUE"
    assert "203.0.113.77" not in repr(rows)
    assert "jane.doe.1234" not in repr(rows)


def test_a_catalogue_row() -> None:
    assert read("kaggle_tracks", CONTENTS["kaggle_tracks"]) == [
        {
            "track_id": "5SuOikwiRyPMVoIQDJUgSV",
            "artists": "Gen Hoshino",
            "album_name": "Comedy",
            "track_name": "Comedy",
            "popularity": "73",
            "duration_ms": "230666",
            "explicit": "False",
            "danceability": "0.676",
            "energy": "0.461",
            "key": "1",
            "loudness": "-6.746",
            "mode": "0",
            "speechiness": "0.143",
            "acousticness": "0.0322",
            "instrumentalness": "1.01e-06",
            "liveness": "0.358",
            "valence": "0.715",
            "tempo": "87.917",
            "time_signature": "4",
            "track_genre": "acoustic",
        }
    ]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_stored_exactly(name: str) -> None:
    text = HOSTILE_NAMES[name]
    for source, header, fields in (
        ("spotify_flat_csv", FLAT_HEADER, ("track_name", "artist_name", "album_name")),
        ("kaggle_tracks", CATALOGUE_HEADER, ("track_name", "artists", "album_name")),
    ):
        out = io.StringIO()
        writer = csv.DictWriter(out, header.split(","))
        writer.writeheader()
        writer.writerow(dict.fromkeys(fields, text))
        row = read(source, out.getvalue().encode())[0]
        assert {row[field] for field in fields} == {text}
        assert {value for field, value in row.items() if field not in (*fields, "source_kind", "user_id")} == {None}


def test_the_index_column_of_the_catalogue_is_not_read() -> None:
    assert "" not in kaggle_tracks.FIELDS
    assert set(kaggle_tracks.FIELDS) == set(CATALOGUE_HEADER.split(",")) - {""}
