"""A list of dislikes: known by its columns and, as nothing in it says that it is no list of favourites, by its name."""

from __future__ import annotations

import csv
import io

import pytest

from tests.landing_files import CATALOGUE_HEADER, CONTENTS, FLAT_HEADER, HOSTILE_NAMES, lines, read, recognised_by

BOTH = lines("track_id,artist,track", "2J3n32GeLmMjwuAzyhcSNe,,", ",Artist,Title", ",Artist,")


@pytest.mark.parametrize("header", ["track_id", "artist,track", "artist", "track_id,artist,track", '"Artist", Track ,note'])
@pytest.mark.parametrize("name", ["dislikes.csv", "listeners/ann/Dislikes (1).csv", "all.zip!my_dislikes.txt"])
def test_recognised_by_columns_and_name(header: str, name: str) -> None:
    assert recognised_by(lines(header, "x,y,z"), name) == ["dislikes"]
    assert recognised_by(b"\xef\xbb\xbf" + lines(header), name) == ["dislikes"]


@pytest.mark.parametrize("name", ["likes.csv", "dislikes/favourites.csv", "tracks.csv"])
def test_a_list_of_tracks_under_another_name_may_be_of_favourites(name: str) -> None:
    assert recognised_by(BOTH, name) == []


@pytest.mark.parametrize("content", [lines("title,album", "a,b"), lines("2J3n32GeLmMjwuAzyhcSNe"), b"", lines(FLAT_HEADER, "x")])
def test_other_columns_are_no_dislikes(content: bytes) -> None:
    assert "dislikes" not in recognised_by(content, "dislikes.csv")


@pytest.mark.parametrize("source", sorted(CONTENTS))
def test_a_history_of_that_name_is_still_a_history(source: str) -> None:
    assert recognised_by(CONTENTS[source], "dislikes.csv") == [source]
    assert recognised_by(lines(CATALOGUE_HEADER), "dislikes.csv") == ["kaggle_tracks"]


def test_rows_as_they_are_written() -> None:
    assert read("dislikes", BOTH) == [
        {"track_id": "2J3n32GeLmMjwuAzyhcSNe", "artist": None, "track": None},
        {"track_id": None, "artist": "Artist", "track": "Title"},
        {"track_id": None, "artist": "Artist", "track": None},
    ]
    assert read("dislikes", lines("note, Track ,ARTIST", "loud,Title,Artist")) == [
        {"track_id": None, "artist": "Artist", "track": "Title"}
    ]
    assert read("dislikes", lines("track_id")) == []


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_stored_exactly(name: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["artist", "track"], [HOSTILE_NAMES[name]] * 2])
    [row] = read("dislikes", out.getvalue().encode())
    assert row == {"track_id": None, "artist": HOSTILE_NAMES[name], "track": HOSTILE_NAMES[name]}
