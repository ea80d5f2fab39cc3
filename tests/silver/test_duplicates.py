"""Which rows are one play: identical rows, two formats of an export, and records of several kinds of source."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.silver.rows import INGESTED_AT, disposed, history, row_id

ID, OTHER_ID = "2J3n32GeLmMjwuAzyhcSNe", "5SuOikwiRyPMVoIQDJUgSV"
URI = {"track_uri": f"spotify:track:{ID}"}


def at(clock: str) -> str:
    return f"2024-03-01T{clock}Z"


def outcome(spark: SparkSession, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Per row, `kind number` -> kept, or why it is not and what it repeats."""
    result = disposed(spark, rows)
    names = {row_id(row): f"{row['source_kind']} {row['row_number']}" for row in result}
    assert len(result) == len(rows)
    return {
        names[row_id(row)]: "kept" if row["disposition"] == "kept" else f"{row['reason']} {names[row['duplicate_of']]}"
        for row in result
    }


def reasons_of_second(spark: SparkSession, pairs: dict[str, list[dict[str, Any]]]) -> dict[str, str | None]:
    """Per name, why the second of two rows of a listener is not kept; None if both are. The first has to be kept."""
    rows = [
        row | {"user_id": name, "row_number": 10 * number + place}
        for number, (name, pair) in enumerate(pairs.items())
        for place, row in enumerate(pair)
    ]
    found = {(row["user_id"], row["row_number"] % 10): row["reason"] for row in disposed(spark, rows)}
    assert {found[name, 0] for name in pairs} == {None}
    return {name: found[name, 1] for name in pairs}


def csv_row(number: int, **changes: Any) -> dict[str, Any]:
    """The CSV form of the export play of `history`."""
    return history(number, **({"ts": "2024-03-01 10:03:00", "source": "spotify_flat_csv", "file_hash": "c" * 64} | changes))


def api(number: int, clock: str, **changes: Any) -> dict[str, Any]:
    return history(number, at(clock), source_kind="api", **changes)


def account_data(number: int, clock: str, **changes: Any) -> dict[str, Any]:
    return history(number, f"2024-03-01 {clock}", source_kind="account_data", **changes)


def scrobble(number: int, clock: str, **changes: Any) -> dict[str, Any]:
    return history(number, at(clock), source_kind="scrobble", **({"ms_played": None} | changes))


def test_identical_rows_are_one_play_also_from_another_file(spark: SparkSession) -> None:
    rows = [history(1), history(2), history(4, user_id="anna"), history(1, file_hash="f" * 64)]
    result = disposed(spark, rows)
    kept = [(row["file_hash"][0], row["row_number"]) for row in result if row["disposition"] == "kept"]
    assert kept == [("e", 1), ("e", 4)]
    repeats = [(row["reason"], row["duplicate_of"]) for row in result if row["disposition"] == "duplicate"]
    assert repeats == [("identical_row", "export0000000000:000000000001")] * 2


def test_another_value_in_any_other_field_makes_no_second_play(spark: SparkSession) -> None:
    numbers = ("ms_played", "conn_country", "reason_end", "skipped", "offline_timestamp", "incognito_mode")
    names = {"album_name": "Deluxe", "platform": "ios", "artist_name": "Renamed", "track_name": "Title (feat. Guest)"}
    changes = dict.fromkeys(numbers, "1") | names
    pairs = {field: [history(1, **URI), history(2, **URI, **{field: value})] for field, value in changes.items()}
    assert reasons_of_second(spark, pairs) == dict.fromkeys(changes, "same_second")


def test_the_kept_row_is_filled_from_its_repeats_and_has_the_id_of_the_first_seen(spark: SparkSession) -> None:
    later = INGESTED_AT + dt.timedelta(days=1)
    first = csv_row(1, track_uri=ID, platform="ios", reason_end="trackdone", shuffle="TRUE")
    second = history(1, **URI, platform=None, reason_end="none", conn_country="DE", skipped="false", _ingested_at=later)
    alone = disposed(spark, [first])[0]
    kept = next(row for row in disposed(spark, [first, second]) if row["disposition"] == "kept")
    assert kept["source"] == "spotify_extended"
    assert kept["play_id"] == alone["play_id"]
    filled = {name: kept[name] for name in ("platform", "reason_end", "conn_country", "skipped", "shuffle")}
    assert filled == {"platform": "ios", "reason_end": "trackdone", "conn_country": "DE", "skipped": False, "shuffle": True}


def test_of_rows_that_one_run_brought_the_richest_gives_the_id(spark: SparkSession) -> None:
    """Otherwise a second format beside an export would change the ids of half of its plays."""
    export, other = history(1, **URI), csv_row(1, track_uri=ID, file_hash="0" * 64)
    alone = disposed(spark, [export])[0]
    assert [row["play_id"] for row in disposed(spark, [other, export]) if row["disposition"] == "kept"] == [alone["play_id"]]


def test_a_play_of_many_rows_takes_each_field_from_the_richest_that_has_it(spark: SparkSession) -> None:
    rows = [
        history(1, **URI, platform=None),
        csv_row(1, track_uri=ID, platform="csv", reason_end="trackdone"),
        history(2, **URI, platform=None, reason_end="fwdbtn"),
        scrobble(1, "10:00:00", conn_country="DE", platform="web"),
    ]
    (kept,) = (row for row in disposed(spark, rows) if row["disposition"] == "kept")
    assert [kept[name] for name in ("platform", "reason_end", "conn_country")] == ["csv", "fwdbtn", "DE"]
    assert kept["sources"] == ["export", "scrobble"]


def test_a_run_of_near_repeats_does_not_become_one_play(spark: SparkSession) -> None:
    """Scrobbles 20 s apart: the second repeats the first, the third is 40 s after the first and a play."""
    rows = [scrobble(n, clock) for n, clock in ((1, "10:00:00"), (2, "10:00:20"), (3, "10:00:40"), (4, "10:01:09"))]
    assert outcome(spark, rows) == {
        "scrobble 1": "kept",
        "scrobble 2": "sent_again scrobble 1",
        "scrobble 3": "kept",
        "scrobble 4": "sent_again scrobble 3",
    }


def test_plays_that_overlap_by_more_than_half_of_the_shorter_are_one(spark: SparkSession) -> None:
    """The first play is 10:00:00 - 10:03:00, and the second as long."""
    ends = {"10:04:29": "overlapping_play", "10:04:30": None, "10:06:00": None}
    assert reasons_of_second(spark, {end: [history(1), history(2, at(end))] for end in ends}) == ends


def test_rows_to_the_minute_are_one_play_only_if_identical(spark: SparkSession) -> None:
    rows = [account_data(1, "10:03"), account_data(2, "10:03", ms_played="170000"), account_data(3, "10:03")]
    assert outcome(spark, rows) == {
        "account_data 1": "kept",
        "account_data 2": "kept",
        "account_data 3": "identical_row account_data 1",
    }


def test_rows_that_cannot_be_plays_are_no_duplicates(spark: SparkSession) -> None:
    episode = {"track_name": None, "artist_name": None, "episode_name": "Episode"}
    rows = [history(1, ts=None), history(2, ts=None), history(3, **episode), history(4, **episode)]
    assert [row["disposition"] for row in disposed(spark, rows)] == ["quarantined", "quarantined", "set_aside", "set_aside"]


def test_the_csv_form_of_an_export_adds_no_play(spark: SparkSession) -> None:
    json_row = history(1, conn_country="DE", **URI, shuffle="true")
    alone, both = disposed(spark, [json_row]), disposed(spark, [json_row, csv_row(1, track_uri=ID, shuffle="TRUE")])
    assert {row["source"]: row["reason"] for row in both} == {"spotify_extended": None, "spotify_flat_csv": "same_second"}
    assert {row["disposition"] for row in alone} == {"kept"}


def test_a_csv_play_that_the_json_does_not_hold_is_kept(spark: SparkSession) -> None:
    other = {"track_uri": OTHER_ID, "track_name": "Other title"}
    rows = [history(1, **URI), csv_row(1, track_uri=ID), csv_row(2, track_uri=ID, ts="2024-03-01 11:03:00"), csv_row(3, **other)]
    assert [(row["file_hash"][0], row["row_number"]) for row in disposed(spark, rows) if row["disposition"] == "kept"] == [
        ("c", 2),
        ("c", 3),
        ("e", 1),
    ]


# The play of the export is 10:00:00 - 10:03:00; each row below is one record of it, at the edge of its window or beyond.
EDGES = [
    (account_data(1, "10:04"), True),
    (account_data(1, "10:02"), True),
    (account_data(1, "10:05"), False),
    (account_data(1, "10:00", ms_played="0"), False),
    (scrobble(1, "10:01:00"), True),
    (scrobble(1, "10:01:01"), False),
    (scrobble(1, "10:01:59"), False),
    (scrobble(1, "10:02:00"), True),
    (scrobble(1, "10:04:00"), True),
    (scrobble(1, "10:04:01"), False),
    # A paused play started before what follows from its end.
    (scrobble(1, "09:30:00"), True),
    (scrobble(1, "09:29:59"), False),
    (api(1, "10:00:30"), True),
    (api(1, "09:59:30"), True),
    (api(1, "10:00:31"), False),
    (api(1, "10:03:30"), True),
    (api(1, "10:02:30"), True),
    (api(1, "10:03:31"), False),
]


def test_a_record_of_another_kind_is_the_same_play_within_its_window(spark: SparkSession) -> None:
    rows = []
    for number, (record, _) in enumerate(EDGES):
        rows += [history(100 + number, user_id=f"u{number:02d}"), record | {"row_number": number, "user_id": f"u{number:02d}"}]
    result = [row for row in disposed(spark, rows) if row["source_kind"] != "export"]
    found = {row["row_number"]: row["disposition"] == "duplicate" for row in result}
    assert found == {number: expected for number, (_, expected) in enumerate(EDGES)}


def test_the_richer_record_is_kept_and_names_all_kinds(spark: SparkSession) -> None:
    rows = [scrobble(1, "10:00:10"), account_data(1, "10:03"), api(1, "10:00:05"), history(1)]
    result = disposed(spark, rows)
    assert outcome(spark, rows) == {
        "export 1": "kept",
        "api 1": "same_play_in_richer_source export 1",
        "account_data 1": "same_play_in_richer_source export 1",
        "scrobble 1": "same_play_in_richer_source export 1",
    }
    assert {row["source_kind"]: row["sources"] for row in result} == {
        "export": ["account_data", "api", "export", "scrobble"],
        "api": None,
        "account_data": None,
        "scrobble": None,
    }


def test_without_an_export_the_next_richer_record_is_kept(spark: SparkSession) -> None:
    assert outcome(spark, [scrobble(1, "10:00:10"), account_data(1, "10:03"), api(1, "10:00:05")]) == {
        "api 1": "kept",
        "account_data 1": "same_play_in_richer_source api 1",
        "scrobble 1": "same_play_in_richer_source api 1",
    }


def of_service(number: int, service: str, clock: str, **changes: Any) -> dict[str, Any]:
    changes = {"track_name": "Title", **changes}
    return scrobble(number, clock, source=service, file_hash=service.ljust(64, "_"), **changes)


def test_account_data_of_an_export_adds_no_play_where_the_export_has_repeats(spark: SparkSession) -> None:
    """Two plays of one track at once, from two devices, of which an export's second is a repeat; account data lists both."""
    export = [
        history(1, at("10:03:00"), ms_played="180000"),
        history(2, at("10:02:50"), ms_played="170000"),
        history(3, at("10:04:40"), ms_played="60000"),
    ]
    listed = [
        account_data(1, "10:03", ms_played="180000"),
        account_data(2, "10:02", ms_played="170000"),
        account_data(3, "10:04", ms_played="60000"),
    ]
    assert outcome(spark, [*export, *listed]) == {
        "export 1": "kept",
        "export 2": "overlapping_play export 1",
        "export 3": "kept",
        "account_data 1": "same_play_in_richer_source export 1",
        "account_data 2": "same_play_in_richer_source export 1",
        "account_data 3": "same_play_in_richer_source export 3",
    }


def test_a_time_to_the_minute_is_any_second_of_it_and_of_two_plays_the_length_tells(spark: SparkSession) -> None:
    """The export's first play ends 4 s before the second minute, as near as its own; in the third minute are two plays."""
    export = [
        history(1, at("10:01:56"), ms_played="30000"),
        history(2, at("10:02:58"), ms_played="40000"),
        history(3, at("10:04:10"), ms_played="20000"),
        history(4, at("10:04:50"), ms_played="35000"),
    ]
    listed = [
        account_data(1, "10:01", ms_played="30000"),
        account_data(2, "10:02", ms_played="40000"),
        account_data(3, "10:04", ms_played="35000"),
        account_data(4, "10:04", ms_played="20000"),
    ]
    matched = {name: result for name, result in outcome(spark, [*export, *listed]).items() if name.startswith("account")}
    assert matched == {
        "account_data 1": "same_play_in_richer_source export 1",
        "account_data 2": "same_play_in_richer_source export 2",
        "account_data 3": "same_play_in_richer_source export 4",
        "account_data 4": "same_play_in_richer_source export 3",
    }


def test_scrobbles_of_two_services_are_one_play_within_a_minute(spark: SparkSession) -> None:
    services = itertools.combinations(("listenbrainz", "lastfm_uts_csv", "lastfm_1k", "lastfm_csv"), 2)
    clocks = {"10:00:00": True, "10:00:59": True, "10:01:00": True, "10:01:01": False}
    rows, wanted = [], {}
    for number, ((richer, poorer), clock) in enumerate(itertools.product(services, clocks)):
        of = {"user_id": f"u{number:02d}"}
        rows += [
            of_service(100 + number, poorer, "10:00:00", **of),
            of_service(number, richer, clock, platform="Rhythmbox", **of),
        ]
        wanted |= {(of["user_id"], richer): "kept", (of["user_id"], poorer): "duplicate" if clocks[clock] else "kept"}
    assert {(row["user_id"], row["source"]): row["disposition"] for row in disposed(spark, rows)} == wanted


def test_scrobbles_of_three_services_and_an_export_are_one_play(spark: SparkSession) -> None:
    services = ("listenbrainz", "lastfm_uts_csv", "lastfm_csv")
    rows = [of_service(number, service, f"10:00:0{number}") for number, service in enumerate(services, start=2)]
    result = disposed(spark, [history(1, at("10:03:03")), *rows])
    assert {row["source"]: row["disposition"] for row in result} == {"spotify_extended": "kept"} | dict.fromkeys(
        services, "duplicate"
    )
    assert {row["duplicate_of"] for row in result} == {None, "export0000000000:000000000001"}


def test_two_scrobbles_of_one_service_within_a_minute_are_two_plays(spark: SparkSession) -> None:
    rows = [of_service(1, "listenbrainz", "10:00:00"), of_service(2, "listenbrainz", "10:00:40")]
    assert [row["disposition"] for row in disposed(spark, rows)] == ["kept", "kept"]


def test_another_listener_or_track_is_another_play(spark: SparkSession) -> None:
    rows = [
        history(1, **URI),
        scrobble(1, "10:00:00", user_id="anna"),
        scrobble(2, "10:00:00", track_name="Another title"),
        scrobble(3, "10:00:01", artist_name="Another artist"),
        api(1, "10:00:01", track_uri=f"spotify:track:{OTHER_ID}", track_name="Third title"),
    ]
    assert set(outcome(spark, rows).values()) == {"kept"}


def test_a_track_is_the_same_by_id_or_by_name_in_any_case(spark: SparkSession) -> None:
    rows = [
        history(1, **URI),
        api(1, "10:00:01", track_uri=ID, track_name="Title - Remastered"),
        scrobble(1, "10:00:02", track_name=" TITLE", artist_name="ARTIST"),
    ]
    assert outcome(spark, rows) == {
        "export 1": "kept",
        "api 1": "same_play_in_richer_source export 1",
        "scrobble 1": "same_play_in_richer_source export 1",
    }


def test_an_artist_who_is_named_otherwise_is_the_same_play_in_the_same_second_only(spark: SparkSession) -> None:
    rows = [history(1), scrobble(1, "10:00:00", artist_name="Various Artists"), scrobble(2, "10:30:00", artist_name="Else")]
    assert outcome(spark, rows) == {"export 1": "kept", "scrobble 1": "same_title_and_second export 1", "scrobble 2": "kept"}


def test_who_is_credited_first_tells_the_play_within_the_window(spark: SparkSession) -> None:
    rows = [history(1, artist_name="Lady A"), scrobble(1, "10:00:20", artist_name="Lady A & Queen B")]
    assert outcome(spark, rows)["scrobble 1"] == "same_play_in_richer_source export 1"


def test_a_paused_play_is_told_by_the_scrobble_before_it_unless_another_play_starts_between(spark: SparkSession) -> None:
    rows = [history(1), scrobble(1, "09:50:00")]
    assert outcome(spark, rows)["scrobble 1"] == "paused_play export 1"
    between = history(2, at("09:57:00"), ms_played="60000", track_name="Between")
    assert outcome(spark, [*rows, between])["scrobble 1"] == "kept"


def test_back_to_back_plays_are_matched_by_their_starts(spark: SparkSession) -> None:
    """Each scrobble is at the start of one play and at the end of the one before."""
    rows = [history(n, at(f"10:0{3 * n}:00")) for n in (1, 2)] + [scrobble(1, "10:03:00"), scrobble(2, "10:00:00")]
    assert outcome(spark, rows)["scrobble 1"] == "same_play_in_richer_source export 2"
    assert outcome(spark, rows)["scrobble 2"] == "same_play_in_richer_source export 1"


@pytest.mark.parametrize("records", ["export", "api"])
@pytest.mark.parametrize("services", [1, 2])
def test_ends_of_a_track_on_repeat_are_no_starts_of_the_next_play(spark: SparkSession, records: str, services: int) -> None:
    """Each scrobble but the last is at the end of one play and a second before the start of the next one."""
    plays = [(n, f"10:{3 * n:02}:0{n}", f"10:{3 * n + 3:02}:0{n}") for n in range(1, 5)]
    rows = [
        history(n, at(end)) if records == "export" else api(n, start, track_ms="180000", ms_played=None)
        for n, start, end in plays
    ]
    rows += [of_service(n, "lastfm_json", end, ms_played=None) for n, _, end in plays]
    if services == 2:
        # The other service states starts.
        rows += [of_service(10 + n, "listenbrainz", start, ms_played=None, track_ms="180000") for n, start, _ in plays]
    assert outcome(spark, rows) == {
        **{f"{records} {n}": "kept" for n, *_ in plays},
        **{f"scrobble {n}": f"same_play_in_richer_source {records} {n}" for n, *_ in plays},
        **({f"scrobble {10 + n}": f"same_play_in_richer_source {records} {n}" for n, *_ in plays} if services == 2 else {}),
    }


@pytest.mark.parametrize("count", [2, 3, 5])
def test_starts_of_a_track_on_repeat_are_no_ends_that_another_service_states(spark: SparkSession, count: int) -> None:
    plays = [(n, f"10:{3 * n:02}:0{n}.400", f"10:{3 * n + 3:02}:0{n}.400") for n in range(1, count + 1)]
    rows = [api(n, end, track_ms="180000", ms_played=None, **URI) for n, _, end in plays]
    rows += [of_service(n, "listenbrainz_api", start[:8], ms_played=None, track_ms="180000") for n, start, _ in plays]
    assert outcome(spark, rows) == {
        **{f"api {n}": "kept" for n, *_ in plays},
        **{f"scrobble {n}": f"same_play_in_richer_source api {n}" for n, *_ in plays},
    }


@pytest.mark.parametrize("day", ["2024-03-01", "2024-03-03"])
@pytest.mark.parametrize("missing", [1, 2, 3])
def test_most_records_tell_whether_a_service_states_ends_where_a_record_of_a_repeat_is_missing(
    spark: SparkSession, missing: int, day: str
) -> None:
    """Three plays of one track, each beginning a second after the end of the one before; the API lacks one of them."""
    others = [
        row
        for n in (10, 11, 12)
        for other in [{"track_name": f"Other {n}", "track_ms": "180000", "ms_played": None}]
        for row in (
            history(n, f"{day}T09:{n}:00Z", source_kind="api", **other),
            history(n, f"{day}T09:{n + 3}:00Z", source_kind="scrobble", source="lastfm_api", **other),
        )
    ]
    length = {"track_ms": "180000", "ms_played": None}
    plays = [(n, f"10:{3 * n:02}:0{n}", f"10:{3 * n + 3:02}:0{n}") for n in (1, 2, 3)]
    rows = [api(n, start, **length) for n, start, _ in plays if n != missing]
    rows += [of_service(n, "lastfm_api", end, **length) for n, _, end in plays]
    found = outcome(spark, [*others, *rows])
    assert {n: found[f"scrobble {n}"] for n, *_ in plays} == {
        n: "kept" if n == missing else f"same_play_in_richer_source api {n}" for n, *_ in plays
    }


def test_an_end_that_is_the_start_of_a_later_play_of_the_track_is_not_taken_for_it(spark: SparkSession) -> None:
    """Between the second and the third play of a track another one of nearly its length is played."""
    length = {"track_ms": "173000", "ms_played": None}
    starts = ((1, "10:03:06.621"), (2, "10:06:19.395"), (3, "10:12:04.612"))
    ends = ((1, "10:05:59"), (2, "10:09:12"), (3, "10:14:57"))
    between = {"track_name": "Between", "track_ms": "169000", "ms_played": None}
    rows = [api(n, start, **length) for n, start in starts] + [api(4, "10:09:13.689", **between)]
    rows += [of_service(n, "listenbrainz_api", end, **length) for n, end in ends]
    rows += [of_service(4, "listenbrainz_api", "10:12:02", **between)]
    found = outcome(spark, rows)
    assert {n: found[f"scrobble {n}"] for n in (1, 2, 3, 4)} == {n: f"same_play_in_richer_source api {n}" for n in (1, 2, 3, 4)}


@pytest.mark.parametrize("record", [api, scrobble])
def test_an_end_is_no_start_of_a_play_that_is_too_short_to_be_told(spark: SparkSession, record: Any) -> None:
    """A track of three minutes, then a second of the same track once more, as when a player is closed."""
    rows = [history(1, at("10:03:00")), history(2, at("10:03:04"), ms_played="1500"), record(1, "10:03:01", ms_played=None)]
    found = outcome(spark, rows)
    assert [found[name] for name in ("export 1", "export 2")] == ["kept", "kept"]
    assert found[f"{rows[2]['source_kind']} 1"] == "same_play_in_richer_source export 1"


def test_three_plays_against_two_scrobbles_are_matched_nearest_first(spark: SparkSession) -> None:
    """Starts of the plays: 10:00:00, 10:00:40, 10:02:00; scrobbles at 10:00:35 and 10:01:10.

    Distances: scrobble 1 to the plays 35, 5, 85; scrobble 2: 70, 30, 50. Nearest first: 1 takes play 2 (5), then
    scrobble 2, whose nearest is taken, takes play 3 (50); play 1 has no scrobble.
    """
    rows = [history(n, at(end), ms_played="0") for n, end in ((1, "10:00:00"), (2, "10:00:40"), (3, "10:02:00"))]
    rows += [scrobble(1, "10:00:35"), scrobble(2, "10:01:10")]
    assert outcome(spark, rows) == {
        "export 1": "kept",
        "export 2": "kept",
        "export 3": "kept",
        "scrobble 1": "same_play_in_richer_source export 2",
        "scrobble 2": "same_play_in_richer_source export 3",
    }


def test_three_scrobbles_against_two_plays_leave_the_farthest(spark: SparkSession) -> None:
    """Scrobbles at 10:00:00, 10:00:35, 10:01:10 against plays at 10:00:10 and 10:00:33: distances 10 33, 25 2, 60 37.

    Scrobble 2 takes play 2 (2 s), scrobble 1 takes play 1 (10 s), scrobble 3 finds both taken and is a play of its own.
    """
    rows = [history(1, at("10:00:10"), ms_played="0"), history(2, at("10:00:33"), ms_played="0")]
    rows += [scrobble(n, clock) for n, clock in ((1, "10:00:00"), (2, "10:00:35"), (3, "10:01:10"))]
    assert outcome(spark, rows) == {
        "export 1": "kept",
        "export 2": "kept",
        "scrobble 1": "same_play_in_richer_source export 1",
        "scrobble 2": "same_play_in_richer_source export 2",
        "scrobble 3": "kept",
    }


def test_a_tie_goes_to_the_first_row(spark: SparkSession) -> None:
    rows = [history(1, at("10:00:00"), ms_played="0"), history(2, at("10:00:20"), ms_played="0"), scrobble(1, "10:00:10")]
    assert outcome(spark, rows)["scrobble 1"] == "same_play_in_richer_source export 1"


def test_a_match_that_a_scrobble_has_with_a_record_already_matched_is_not_used_twice(spark: SparkSession) -> None:
    """The scrobble is nearest to the account data, which repeats the export: it is matched with the export itself."""
    rows = [history(1), account_data(1, "10:03", ms_played="170000"), scrobble(1, "10:00:12")]
    assert outcome(spark, rows) == {
        "export 1": "kept",
        "account_data 1": "same_play_in_richer_source export 1",
        "scrobble 1": "same_play_in_richer_source export 1",
    }


def test_a_row_that_repeats_an_identical_one_takes_no_part_in_matching(spark: SparkSession) -> None:
    rows = [history(1), history(2), scrobble(1, "10:00:05"), scrobble(2, "10:00:06")]
    assert outcome(spark, rows) == {
        "export 1": "kept",
        "export 2": "identical_row export 1",
        "scrobble 1": "same_play_in_richer_source export 1",
        "scrobble 2": "sent_again export 1",
    }
