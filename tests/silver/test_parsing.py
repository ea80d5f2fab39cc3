"""From text to values: timestamps, numbers, booleans and ids, and the reason where a row cannot be a play."""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
from typing import Any

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from silver.parsing import parse_boolean, parse_scrobble_timestamp, parse_timestamp, parse_whole, spotify_id
from tests.landing_files import HOSTILE_NAMES
from tests.silver.rows import disposed, history, typed_rows

ID = "2J3n32GeLmMjwuAzyhcSNe"


def parsed(spark: SparkSession, texts: list[str | None], parse: Any) -> dict[str | None, Any]:
    rows = spark.createDataFrame([(text,) for text in texts], "text string")
    result: Column = parse(F.col("text"))
    return {row["text"]: row["value"] for row in rows.select("text", result.alias("value")).collect()}


def test_timestamps(spark: SparkSession) -> None:
    expected = {
        "2024-01-31T10:20:30Z": (2024, 1, 31, 10, 20, 30),
        "2024-01-31T10:20:30+00:00": (2024, 1, 31, 10, 20, 30),
        "2024-01-31 10:20:30": (2024, 1, 31, 10, 20, 30),
        "2024-01-31 10:20": (2024, 1, 31, 10, 20),
        "2024-01-31T10:20:30.250Z": (2024, 1, 31, 10, 20, 30, 250_000),
        "2024-01-31 10:20:30.000001": (2024, 1, 31, 10, 20, 30, 1),
        "2024-02-29T23:59:59Z": (2024, 2, 29, 23, 59, 59),
        # An hour that summer time leaves out in many places exists in UTC.
        "2024-03-31T02:30:00Z": (2024, 3, 31, 2, 30),
        "1969-12-31T23:59:59Z": (1969, 12, 31, 23, 59, 59),
        "2024-01-31T10:20:30+01:00": (2024, 1, 31, 9, 20, 30),
        "2024-01-31T20:50:30.5-0330": (2024, 2, 1, 0, 20, 30, 500_000),
        "2024-01-31 10:20+14:00": (2024, 1, 30, 20, 20),
        "2024-01-31T10:20:30+0000": (2024, 1, 31, 10, 20, 30),
        "2024-01-31 10:20:30 UTC": (2024, 1, 31, 10, 20, 30),
    }
    nulls = [
        *["2023-02-29T10:00:00Z", "2024-13-01T10:00:00Z", "2024-01-32 10:00", "2024-01-31T24:00:00Z", "2024-01-31 10:60"],
        *["2024-01-31", "10:20:30", "31.01.2024 10:20", "1709287380", "2024-01-31T10:20:30+15:00", "2024-01-31T10:20:30 CET"],
        *["2024-01-31T10:20:30+1", "2024-01-31T10:20:30+01:60", "2024-01-31T24:00:00+01:00", "2024-01-31+01:00"],
        *["2024-1-31 10:20:30", "now", "", "null", "2024-01-31T10:20:30Z; DROP TABLE", "02024-01-31 10:20", None],
    ]
    assert parsed(spark, [*expected, *nulls], parse_timestamp) == {
        **{text: dt.datetime(*parts) for text, parts in expected.items()},
        **dict.fromkeys(nulls),
    }


def test_timestamps_of_scrobblers(spark: SparkSession) -> None:
    expected = {
        "2009-05-04T23:08:57Z": (2009, 5, 4, 23, 8, 57),
        "2026-08-01T12:34:56.000Z": (2026, 8, 1, 12, 34, 56),
        "03 Jan 2020 14:05": (2020, 1, 3, 14, 5),
        "03 Jan 2020, 14:05": (2020, 1, 3, 14, 5),
        "31 Dec 2019, 23:59:59": (2019, 12, 31, 23, 59, 59),
        "29 Feb 2024 00:00": (2024, 2, 29),
        **{f"15 {name} 2021 06:07": (2021, number, 15, 6, 7) for number, name in enumerate(calendar.month_abbr) if name},
        # 1,709,287,200 s = 19,783 days and 10 h: 10 o'clock of the day 19,783 after 1970-01-01.
        "1709287200": (2024, 3, 1, 10),
        "1709287200.000000": (2024, 3, 1, 10),
        "1709287200.25": (2024, 3, 1, 10, 0, 0, 250_000),
        "1136073600": (2006, 1, 1),
        "0": (1970, 1, 1),
        "9999999999": (2286, 11, 20, 17, 46, 39),
    }
    nulls = [
        *[
            "31 Feb 2020 14:05",
            "29 Feb 2023 14:05",
            "00 Jan 2020 14:05",
            "03 Jan 2020 24:00",
            "03 Jan 2020 14:60",
            "3 Jan 2020 14:05",
        ],
        *[
            "03 jan 2020 14:05",
            "03 JAN 2020 14:05",
            "03 Mai 2020 14:05",
            "03 January 2020 14:05",
            "03 Jan 20 14:05",
            "03 Jan 2020",
        ],
        *["03 Jan 2020,14:05", "03 Jan 2020,  14:05", "03 Jan 2020 14:05 UTC", "x03 Jan 2020 14:05", "2020 Jan 03 14:05"],
        *["1709287200000", "17092872001", "-1709287200", "1.7e9", "1709287200.", "1709287200.1234567", "1,709,287,200", "٣", ""],
        *["now", "true", "2024-01-31", None],
    ]
    assert parsed(spark, [*expected, *nulls], parse_scrobble_timestamp) == {
        **{text: dt.datetime(*parts) for text, parts in expected.items()},
        **dict.fromkeys(nulls),
    }


def test_no_file_of_spotify_s_is_read_as_a_scrobbler_s(spark: SparkSession) -> None:
    forms = ("1709287200", "01 Mar 2024 10:00")
    kinds = ({}, {"source_kind": "account_data"}, {"source": "spotify_flat_csv"}, {"source_kind": "scrobble", "ms_played": None})
    rows = [history(number, ts, **changes) for number, (ts, changes) in enumerate(itertools.product(forms, kinds), start=1)]
    copy = history(99, "1709287200", source_kind="account_data", source="listenbrainz", file_hash="b" * 64)
    found = {(row["source_kind"], row["source"]): row["reason"] for row in disposed(spark, [*rows, copy])}
    assert found == {
        ("export", "spotify_extended"): "unparseable_ts",
        ("account_data", "spotify_account_data"): "unparseable_ts",
        ("export", "spotify_flat_csv"): "unparseable_ts",
        ("scrobble", "lastfm_uts_csv"): None,
        ("account_data", "listenbrainz"): None,
    }


def test_whole_numbers(spark: SparkSession) -> None:
    expected = {"3185": 3185, "3185.0": 3185, "0": 0, "-5": -5, "007": 7, "999999999999999": 999_999_999_999_999, "5.000": 5}
    expected |= {"200000.5": 200_001, "5.4": 5, "-5.5": -6, "200000.000000001": 200_000}
    nulls = ["2.00E+05", "1e3", "", " ", "5 ", "five", "0x10", "1,000", "9999999999999999", "--5", "5.", "NaN", "true", "٣", None]
    assert parsed(spark, [*expected, *nulls], parse_whole) == expected | dict.fromkeys(nulls)


def test_booleans(spark: SparkSession) -> None:
    expected = {"true": True, "FALSE": False, "True": True, " false ": False, "1": True, "0": False}
    nulls = ["", "maybe", "2", "null", None]
    assert parsed(spark, [*expected, *nulls], parse_boolean) == expected | dict.fromkeys(nulls)


def test_track_ids(spark: SparkSession) -> None:
    found = [ID, f"spotify:track:{ID}", f"https://open.spotify.com/track/{ID}", f"http://open.spotify.com/track/{ID}?si=abc"]
    nulls = [
        *[f"spotify:episode:{ID}", f"spotify:local:Artist:Album:{ID}:180", f"https://evil.example/track/{ID}", ID[:-1], ID + "x"],
        *["spotify:track:", "", ID.replace("2", "-"), f"x{ID}?si=1", f"{ID}\n{ID}", None],
    ]
    assert parsed(spark, [*found, *nulls], spotify_id) == dict.fromkeys(found, ID) | dict.fromkeys(nulls)


PROBLEMS: list[tuple[dict[str, Any], str, str | None]] = [
    ({"ts": None}, "missing_ts", None),
    ({"ts": "  "}, "missing_ts", "  "),
    ({"ts": "yesterday"}, "unparseable_ts", "yesterday"),
    ({"ts": "2023-02-29T10:00:00Z"}, "unparseable_ts", "2023-02-29T10:00:00Z"),
    ({"ts": "2024-06-01T13:00:01Z"}, "ts_in_future", "2024-06-01T13:00:01Z"),
    (
        {"ts": "2024-05-01T11:00:01Z", "received_at": "2024-05-01T10:00:00.500Z"},
        "ts_in_future",
        "2024-05-01T11:00:01Z",
    ),
    ({"ts": "2005-12-31T23:59:59Z"}, "ts_before_2006", "2005-12-31T23:59:59Z"),
    ({"ms_played": None}, "missing_ms_played", None),
    ({"ms_played": "3 min"}, "unparseable_ms_played", "3 min"),
    ({"ms_played": "-1"}, "negative_ms_played", "-1"),
    ({"ms_played": "86400001"}, "ms_played_over_24h", "86400001"),
    ({"track_name": None, "artist_name": " "}, "no_names_and_no_uri", None),
    ({"track_name": None, "artist_name": None, "track_uri": "spotify:local:::"}, "no_names_and_unknown_uri", "spotify:local:::"),
    (
        {"track_name": None, "artist_name": None, "track_uri": "spotify:local::::9"},
        "no_names_and_unknown_uri",
        "spotify:local::::9",
    ),
    ({"ts": "soon", "ms_played": "-1", "track_name": None}, "unparseable_ts", "soon"),
]


def test_names_of_a_local_file_come_from_its_uri_where_the_row_has_none(spark: SparkSession) -> None:
    uris = {
        "spotify:local:Garage+Kids::Demo+Tape:200": ("Garage Kids", None, "Demo Tape"),
        "spotify:local:Caf%C3%A9:A%3AB:100%25:": ("Café", "A:B", "100%"),
        "spotify:local:x%zz:caf%E9:%:1": ("x%zz", "caf%E9", "%"),
        "spotify:local:::Only+a+title:5": (None, None, "Only a title"),
    }
    nameless = {"track_name": " ", "artist_name": None, "album_name": None}
    rows = [history(number, track_uri=uri, **nameless) for number, uri in enumerate(uris, start=1)]
    named = history(9, track_uri="spotify:local:Uri:Uri:Uri:1", track_name="Title", artist_name=None, album_name=None)
    kept = disposed(spark, [*rows, named])
    assert [row["disposition"] for row in kept] == ["kept"] * 5
    names = [(row["artist_name"], row["album_name"], row["track_name"]) for row in kept]
    assert names == [*uris.values(), (None, None, "Title")]


def test_each_problem_is_quarantined_with_its_value(spark: SparkSession) -> None:
    result = disposed(spark, [history(number, **changes) for number, (changes, _, _) in enumerate(PROBLEMS, start=1)])
    assert [(row["disposition"], row["reason"], row["reason_value"]) for row in result] == [
        ("quarantined", reason, value) for _, reason, value in PROBLEMS
    ]
    assert {row["play_id"] for row in result} == {None}


def test_values_at_the_edge_of_what_is_possible_are_kept(spark: SparkSession) -> None:
    edges = [
        {"ts": "2024-06-01T13:00:00Z"},
        {"ts": "2006-01-01T00:00:00Z"},
        {"ts": "2024-05-01T11:00:00Z", "received_at": "2024-05-01T10:00:00.000Z"},
        {"ts": "2024-06-01T13:00:00Z", "received_at": "soon"},
        {"ms_played": "0"},
        {"ms_played": "86400000"},
        {"ts": " 2024-03-01 10:03:00 ", "ms_played": " 5 "},
        {"track_name": None},
        {"artist_name": None},
        {"track_name": None, "artist_name": None, "track_uri": f"spotify:track:{ID}"},
        {"source_kind": "scrobble", "ms_played": None, "track_name": "Scrobbled"},
        {"source_kind": "api", "ms_played": "", "track_name": "Polled"},
    ]
    result = disposed(spark, [history(number, user_id=f"u{number}", **changes) for number, changes in enumerate(edges, start=1)])
    assert [(row["disposition"], row["reason"]) for row in result] == [("kept", None)] * len(edges)


def test_a_row_of_a_source_or_kind_that_nothing_declares_is_no_play(spark: SparkSession) -> None:
    """What its time means, and which records hold the same play, is unknown."""
    rows = [history(1, source="gone"), history(2, source_kind="gone"), history(3, source="lastfm_csv"), history(4)]
    found = {row["row_number"]: (row["reason"], row["reason_value"]) for row in disposed(spark, rows)}
    assert found == {
        1: ("undeclared_source", "gone / export"),
        2: ("undeclared_source", "gone / gone"),
        3: ("undeclared_source", "lastfm_csv / export"),
        4: (None, None),
    }


def test_podcasts_and_audiobooks_are_set_aside_unless_a_track_is_named(spark: SparkSession) -> None:
    nameless = {"track_name": None, "artist_name": None}
    rows = [
        history(1, **nameless, episode_name="Episode", episode_uri="spotify:episode:x"),
        history(2, **nameless, audiobook_title="Book", episode_name="Chapter"),
        history(3, **nameless, episode_show_name="Show", ts="never"),
        history(4, track_uri=f"spotify:track:{ID}", episode_name="Episode"),
        history(5, episode_name=" ", track_name="Another"),
    ]
    assert [(row["disposition"], row["reason"]) for row in disposed(spark, rows)] == [
        ("set_aside", "podcast"),
        ("set_aside", "audiobook"),
        ("set_aside", "podcast"),
        ("kept", None),
        ("kept", None),
    ]


def test_an_export_tells_the_end_and_a_scrobble_the_start(spark: SparkSession) -> None:
    kinds = ("export", "account_data", "scrobble", "api")
    rows = typed_rows(spark, [history(number, source_kind=kind) for number, kind in enumerate(kinds, start=1)])
    ten, three, six = (dt.datetime(2024, 3, 1, 10, minute) for minute in (0, 3, 6))
    assert [(row["played_at"], row["ended_at"]) for row in rows] == [(ten, three), (ten, three), (three, six), (three, six)]


def test_a_track_without_id_is_known_by_its_names_whatever_their_case(spark: SparkSession) -> None:
    names = [
        ("Beyoncé", "Déjà Vu"),
        ("BEYONCÉ ", " déjà vu"),
        ("Beyonce", "Déjà Vu"),
        ("Déjà Vu", "Beyoncé"),
        ("a", "bc"),
        ("ab", "c"),
    ]
    rows = typed_rows(spark, [history(n, artist_name=a, track_name=t) for n, (a, t) in enumerate(names, start=1)])
    ids = [row["track_id"] for row in rows]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 5
    assert {len(track_id) for track_id in ids} == {len("local:") + 22}


def test_hostile_names_are_kept_exactly_each_a_track_of_its_own(spark: SparkSession) -> None:
    texts = [text for text in HOSTILE_NAMES.values() if text.strip()]
    rows = disposed(
        spark, [history(n, track_name=text, artist_name=text, album_name=text) for n, text in enumerate(texts, start=1)]
    )
    assert [(row["track_name"], row["artist_name"], row["album_name"]) for row in rows] == [(text,) * 3 for text in texts]
    assert {row["disposition"] for row in rows} == {"kept"}
    assert len({row["track_id"] for row in rows}) == len({row["play_id"] for row in rows}) == len(texts)


@pytest.mark.parametrize("column", ["ts", "ms_played", "track_uri", "platform", "skipped"])
def test_no_text_makes_the_table_fail(spark: SparkSession, column: str) -> None:
    texts = [*HOSTILE_NAMES.values(), "9" * 400, "-0", "1e999", "Infinity", "NaN", "2024-99-99T99:99:99Z", "0000-00-00 00:00"]
    assert len(disposed(spark, [history(n, **{column: text}) for n, text in enumerate(texts, start=1)])) == len(texts)
