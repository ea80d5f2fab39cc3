"""Case 35: catalogues as people have them, in several layouts, through the real entry point."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.pipeline import Pipeline, export_row, kaggle_csv, track_uri

LANDING = Path(__file__).parent / "landings" / "35-catalogue-variants" / "landing"
ONLY = ("--only", "silver.tracks", "--only", "silver.catalogue_names")
USUAL_VARIANTS = (
    "plain",
    "noindex",
    "reorder",
    "crlf",
    "cr",
    "bom",
    "extra",
    "lessgenre",
    "dbl",
    "upper",
    "lista",
    "sph",
    "uriid",
)
# What is read of each other layout, by hand; the album is the play's where the layout has none.
OTHERS = {
    "Testify X": ("catalogue_1200k", ["Rage X"], "Battle", 0.47, 7, 1, 4, 210_133),
    "Carve X": ("catalogue_586k", ["Uli X"], "Album", 0.645, 0, 1, 3, 126_903),
    "Piano X": ("catalogue_160k", ["Serg X", "James Y"], "Album", 0.279, 10, 1, None, 831_667),
    "I Do X": ("catalogue_30k", ["Ed X"], "Loud", 0.748, 6, 1, None, 194_754),
    "C'est X": ("catalogue_genres", ["Henri X"], "Album", 0.389, 1, 1, 4, 99_373),
}
COLUMNS = ("catalogue_source", "artists", "album_name", "danceability", "key", "mode", "time_signature", "duration_ms")
OTHER_HEADER = (
    "id,name,popularity,duration_ms,explicit,artists,id_artists,release_date,danceability,energy,key,loudness,mode,speechiness,"
    "acousticness,instrumentalness,liveness,valence,tempo,time_signature"
)


def other_row(number: int, title: str, artists: str) -> str:
    numbers = "0.1,0.2,0,-13.3,1,0.4,0.6,0.7,0.1,0.3,104.8,3"
    return f'{number:022d},{title},90,126903,0,"{artists}",[],1922-02-22,{numbers}'


@pytest.fixture
def case(pipeline: Pipeline) -> Pipeline:
    shutil.copytree(LANDING, pipeline.landing, dirs_exist_ok=True)
    return pipeline


def test_each_variant_and_layout_is_read_by_id(case: Pipeline) -> None:
    case.build(*ONLY)
    tracks = {row["track_name"]: row for row in case.rows("silver.tracks") if row["feature_source"] == "kaggle_id"}
    for variant in USUAL_VARIANTS:
        track = tracks[f"Title {variant}"]
        told = (track["catalogue_source"], track["artists"], track["valence"], track["key"])
        assert told == ("kaggle_tracks", ["Cat One", "Cat Two"], 0.8, 1), variant
    assert {title: tuple(tracks[title][name] for name in COLUMNS) for title in OTHERS} == OTHERS
    names = {name for row in case.rows("silver.catalogue") for name in row["artists"]}
    assert [name for name in names if "[" in name or "'" in name] == []


def usual_values(pipeline: Pipeline, table: str) -> list[dict[str, Any]]:
    return pipeline.rows(table, catalogue_source="kaggle_tracks")


def test_another_catalogue_changes_nothing_that_the_usual_one_tells(pipeline: Pipeline) -> None:
    rows = [{"track_id": f"{number:022d}", "track_name": f"Track {number}", "popularity": number} for number in (1, 2)]
    pipeline.write("dataset.csv", kaggle_csv(*rows))
    pipeline.write("history.json", [export_row("2024-01-01T10:00:00Z", track) for track in (1, 3, 4)])
    pipeline.build(*ONLY)
    tables = ("silver.catalogue", "silver.catalogue_names")
    before = {table: usual_values(pipeline, table) for table in tables}
    # One id of the usual catalogue, one of its songs under another id, and one song that it lacks.
    songs = [
        other_row(1, "Other title", "['Other']"),
        other_row(5, "Track 2", "['Artist 1']"),
        other_row(3, "Track 3", "['Artist 0']"),
    ]
    pipeline.write("tracks.csv", "\n".join([OTHER_HEADER, *songs]))
    pipeline.build(*ONLY)
    assert {table: usual_values(pipeline, table) for table in tables} == before
    found = {row["track_id"]: row for row in pipeline.rows("silver.tracks")}
    told = {number: found[track_uri(number)[-22:]] for number in (1, 3, 4, 5)}
    assert {n: (row["feature_source"], row["catalogue_source"]) for n, row in told.items()} == {
        1: ("kaggle_id", "kaggle_tracks"),
        3: ("kaggle_id", "catalogue_586k"),
        4: ("artist_mean", None),
        5: ("kaggle_id", "catalogue_586k"),
    }
    assert (told[1]["energy"], told[3]["energy"], told[3]["popularity"]) == (0.5, 0.2, 90)


def test_a_layout_that_is_not_known_is_refused_by_name_with_the_remedy(pipeline: Pipeline) -> None:
    pipeline.write("history.json", [export_row("2024-01-01T10:00:00Z")])
    pipeline.write("genres.csv", OTHER_HEADER.replace("id,name,", "title,").replace("artists,", "singer,") + "\n")
    answer = pipeline.call("run", "--only", "silver.tracks")
    assert answer.code == 1
    assert "genres.csv" in answer.text
    assert "rename them to track_id, track_name and artists" in " ".join(answer.text.split())
    assert pipeline.run("--only", "silver.tracks").code == 0
