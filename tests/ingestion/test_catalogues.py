"""Catalogues in other layouts: recognised by their header, read under the usual names, or refused with a reason."""

from __future__ import annotations

import pytest

from ingestion.artist_lists import names_in
from lakehouse.declare import BrokenFileError
from tests.landing_files import CATALOGUE_HEADER, CATALOGUE_ROW, lines, read, recognised_by

FEATURES = "danceability,energy,key,loudness,mode,speechiness,acousticness,instrumentalness,liveness,valence,tempo"
NUMBERS = "0.6,0.7,1,-6.5,0,0.05,0.03,0.0,0.1,0.8,120.0"
ID = "2J3n32GeLmMjwuAzyhcSNe"
FILES = {
    "catalogue_1200k": (
        f"id,name,album,album_id,artists,artist_ids,track_number,disc_number,explicit,{FEATURES},duration_ms,time_signature,year",
        f"""{ID},Title,Album,x,"['A', 'B']",['1'],1,1,False,{NUMBERS},210133,4.0,1999""",
    ),
    "catalogue_586k": (
        f"id,name,popularity,duration_ms,explicit,artists,id_artists,release_date,{FEATURES},time_signature",
        f"""{ID},Title,6,126903,0,"['A', ""B's""]",['1'],1922-02-22,{NUMBERS},3""",
    ),
    "catalogue_160k": (
        f"valence,year,artists,duration_ms,explicit,id,name,popularity,release_date,{FEATURES.replace('valence,', '')}",
        f"""0.8,1921,"['A']",831667,0,{ID},Title,4,1921,0.6,0.7,1,-6.5,0,0.05,0.03,0.0,0.1,120.0""",
    ),
    "catalogue_30k": (
        f"track_id,track_name,track_artist,track_popularity,track_album_name,playlist_genre,playlist_subgenre,{FEATURES},duration_ms",
        f'{ID},Title,"Earth, Wind & Fire; again",66,Loud,pop,dance pop,{NUMBERS},194754',
    ),
    "catalogue_genres": (
        f"genre,artist_name,track_name,track_id,popularity,duration_ms,time_signature,{FEATURES}",
        f"Movie,[spunge],Title,{ID},0,99373,4/4,{NUMBERS.replace(',1,', ',C#,').replace(',0,', ',Major,', 1)}",
    ),
}
EXPECTED = {
    "catalogue_1200k": {"artists": ["A", "B"], "album_name": "Album", "popularity": None, "time_signature": "4.0"},
    "catalogue_586k": {"artists": ["A", "B's"], "popularity": "6", "explicit": "0", "time_signature": "3"},
    "catalogue_160k": {"artists": ["A"], "popularity": "4", "valence": "0.8", "tempo": "120.0"},
    "catalogue_30k": {
        "artists": ["Earth, Wind & Fire; again"],
        "popularity": "66",
        "album_name": "Loud",
        "track_genre": "pop",
        "track_subgenre": "dance pop",
    },
    "catalogue_genres": {"artists": ["[spunge]"], "key": "C#", "mode": "Major", "track_genre": "Movie", "time_signature": "4/4"},
}


@pytest.mark.parametrize("name", FILES)
def test_a_layout_is_read_under_the_usual_names(name: str) -> None:
    content = lines(*FILES[name])
    assert recognised_by(content) == [name]
    (row,) = read(name, content)
    assert {column: row[column] for column in EXPECTED[name]} == EXPECTED[name]
    assert (row["track_id"], row["track_name"], row["energy"]) == (ID, "Title", "0.7")


@pytest.mark.parametrize("name", FILES)
def test_headers_in_another_case_with_blanks_an_index_and_other_line_ends(name: str) -> None:
    header, row = FILES[name]
    content = f"\ufeff,Unnamed: 0, {header.upper().replace(',', ', ')}\r0,0,{row}\r".encode()
    assert recognised_by(content) == [name]
    assert read(name, content) == read(name, lines(header, row))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("['A']", ["A"]),
        ("""['A', "B's", 'C "D"']""", ["A", "B's", 'C "D"']),
        ("['A, B', 'C; D']", ["A, B", "C; D"]),
        (r"""['it\'s "x"', 'b\\c', 'caf\xe9']""", ['it\'s "x"', "b\\c", "café"]),
        ('["A","B"]', ["A", "B"]),
        ("[]", []),
        ("['A' 'B']", None),
        ("['A', 'B", None),
        ("['A', B]", None),
        ("[A, B]", None),
        ("[spunge]", None),
        ("A", None),
        (None, None),
    ],
)
def test_names_in_a_list(text: str | None, names: list[str] | None) -> None:
    assert names_in(text) == names


def test_a_copy_of_the_usual_catalogue_with_lists_of_artists() -> None:
    rows = [
        CATALOGUE_ROW.replace("Gen Hoshino", artists)
        for artists in (
            '"[\'A\', ""B\'s""]"',
            "\"['A;B', 'C']\"",
            "[:SITD:];Dennis Schober",
            "[Alexandros]",
            "\"['A' 'B']\"",
            "[]",
        )
    ]
    found = [row["artists"] for row in read("kaggle_tracks", lines(CATALOGUE_HEADER, *rows))]
    assert found == ["A;B's", "A\N{FULLWIDTH SEMICOLON}B;C", "[:SITD:];Dennis Schober", "[Alexandros]", None, None]


def test_artists_that_cannot_be_told_apart_refuse_the_file() -> None:
    header, row = FILES["catalogue_586k"]
    with pytest.raises(BrokenFileError, match="artists holds no list of names"):
        read("catalogue_586k", lines(header, row.replace("""['A', ""B's""]""", "A, B")))


def test_a_column_that_stands_twice_refuses_the_file() -> None:
    header, row = FILES["catalogue_586k"]
    with pytest.raises(BrokenFileError, match="two columns are named energy"):
        read("catalogue_586k", lines(f"{header},Energy", f"{row},0.1"))


@pytest.mark.parametrize("header", [f"artist_name,track_name,popularity,{FEATURES}", f"id,name,artists,{FEATURES}"])
def test_features_in_an_unknown_layout_are_refused_by_name(header: str) -> None:
    assert recognised_by(lines(header)) == ["catalogue_unknown"]
    with pytest.raises(BrokenFileError, match="rename them to track_id, track_name and artists"):
        read("catalogue_unknown", lines(header))


@pytest.mark.parametrize(
    "header", [f"ts,artist,track,{FEATURES}", "id,danceability,energy,valence", "track_id,track_name,artist_name"]
)
def test_other_tables_are_no_catalogues(header: str) -> None:
    assert recognised_by(lines(header)) == []


def test_a_file_longer_than_its_sample_is_read_whole() -> None:
    header, row = FILES["catalogue_586k"]
    assert len(read("catalogue_586k", lines(header, *[row] * 2000))) == 2000
