"""Metadata files: what services say in their odd forms becomes rows, and nothing that they say can break a run."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import sources
from ingestion.spotify_answers import isrc
from lakehouse.declare import BrokenFileError, Sample
from tests.polling.metadata_files import lastfm_similar, listenbrainz_similar, metadata_file, spotify_track

READERS = {name: sources(name)[0] for name in ("spotify_answers", "audio_feature_answers", "artist_answers")}
KINDS = {
    "track": "spotify_answers",
    "album": "spotify_answers",
    "artist": "spotify_answers",
    "audio_features": "audio_feature_answers",
    "artist_tags": "artist_answers",
    "similar_artists": "artist_answers",
    "artist_mbid": "artist_answers",
}
ABOUT = {"id": "1", "artist_name": "Vega"}


def rows(kind: str, answer: Any, about: Any = ABOUT) -> list[dict[str, Any]]:
    content = metadata_file("source", kind, [(about, answer)])
    return [row for batch in READERS[KINDS[kind]].read(io.BytesIO(content), "_api") for row in batch.to_pylist()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_recognised_by_the_source_of_its_kind_only(kind: str) -> None:
    sample = Sample("x.json", metadata_file("source", kind, [(ABOUT, None)]).decode())
    assert [name for name, reader in READERS.items() if reader.recognises(sample)] == [KINDS[kind]]
    later = Sample("x.json", sample.text.replace("metadata/1", "metadata/2"))
    assert not any(reader.recognises(later) for reader in READERS.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ZZX012400001", "ZZX012400001"),
        ("zz-x01-24-00001", "ZZX012400001"),
        (" ZZX012400001 ", "ZZX012400001"),
        ("ZZX01240000", None),
        ("ZZX0124000012", None),
        ("12X012400001", None),
        ("ZZX0124ABCDE", None),
        ("ZZX01２400001", None),
        ("", None),
        (None, None),
        (123, None),
    ],
)
def test_isrcs_have_one_form_or_are_none(text: Any, expected: str | None) -> None:
    assert isrc(text) == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2024", "2024"),
        ("2024-03", "2024-03"),
        ("2024-03-01", "2024-03-01"),
        ("0000", None),
        ("soon", None),
        (None, None),
        (7, None),
    ],
)
def test_release_dates_may_lack_day_and_month(date: Any, expected: str | None) -> None:
    [row] = rows("track", spotify_track(None, album={"release_date": date}))
    assert row["release_date"] == expected


def test_fields_that_development_mode_leaves_out_are_null() -> None:
    [row] = rows("track", {"id": "1", "name": "Tide"})
    assert {name: value for name, value in row.items() if value not in (None, [])} == {
        "kind": "track",
        "spotify_id": "1",
        "is_known": True,
        "name": "Tide",
        "fetched_at": row["fetched_at"],
    }
    [unknown] = rows("track", None)
    assert not unknown["is_known"]


def test_numbers_that_are_texts_and_a_single_item_without_a_list() -> None:
    answer = lastfm_similar(("Lyra", "0.61"), ("Deneb", 1), ("Blank", ""), ("", "0.5"))
    assert [(row["value"], row["score"]) for row in rows("similar_artists", answer)] == [
        ("Lyra", 0.61),
        ("Deneb", 1.0),
        ("Blank", None),
    ]
    single = {"similarartists": {"artist": {"name": "Lyra", "match": "0.5"}}}
    assert [(row["value"], row["score"]) for row in rows("similar_artists", single)] == [("Lyra", 0.5)]
    [row] = rows("similar_artists", listenbrainz_similar(("Lyra", 792)))
    assert (row["value"], row["value_mbid"], row["score"]) == ("Lyra", "mbid-of-Lyra", 792.0)


@pytest.mark.parametrize("answer", [None, {}, [], {"toptags": {}}, {"toptags": {"tag": []}}])
def test_an_answer_without_values_is_remembered(answer: Any) -> None:
    for kind in ("artist_tags", "similar_artists"):
        assert [(row["artist_folded"], row["value"]) for row in rows(kind, answer)] == [("vega", None)]


def test_features_that_spotify_did_not_find_are_null() -> None:
    [row] = rows("audio_features", {"tempo": 0, "key": -1, "mode": 1, "energy": "0.5", "valence": 1.5, "time_signature": 3.5})
    assert {name: row[name] for name in ("tempo", "key", "mode", "energy", "valence", "time_signature")} == {
        "tempo": None,
        "key": None,
        "mode": 1,
        "energy": 0.5,
        "valence": None,
        "time_signature": None,
    }


FIELDS = (
    *("id", "name", "artists", "artist", "album", "external_ids", "isrc", "tag", "toptags", "similarartists", "match", "score"),
    *("genres", "popularity", "duration_ms", "release_date", "explicit", "tempo", "key", "artist_name", "artist_mbid", "count"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(KINDS)), JSON, st.dictionaries(st.sampled_from(["id", "artist_name", "artist_key"]), JSON))
def test_no_answer_breaks_a_run(kind: str, answer: Any, about: Any) -> None:
    for row in rows(kind, answer, about):
        json.dumps(row, default=str).encode("utf-8")


@pytest.mark.parametrize(
    "content",
    [
        b'{"format": "listening-lakehouse/metadata/1", "kind": "track"}',
        metadata_file("s", "track", [(ABOUT, None)], "yesterday"),
        metadata_file("s", "track", [(ABOUT, None)]).replace(b'"about"', b'"abut"'),
        metadata_file("s", "track", [(ABOUT, None)])[:-20],
    ],
)
def test_a_damaged_file_is_broken(content: bytes) -> None:
    with pytest.raises(BrokenFileError):
        list(READERS["spotify_answers"].read(io.BytesIO(content), "_api"))
