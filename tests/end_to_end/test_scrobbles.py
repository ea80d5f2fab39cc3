"""Histories of scrobblers, alone and beside an export: every row accounted for, nothing claimed that no scrobble tells."""

from __future__ import annotations

import csv
import datetime as dt
import io
import os
from pathlib import Path
from typing import Any

import pytest

from lakehouse.engine.java import java_problem
from tests.end_to_end.pipeline import Pipeline, assert_same_content, export_row, track_uri
from tests.end_to_end.test_bad_files import zipped
from tests.landing_files import CONTENTS, HOSTILE_NAMES, UTS_HEADER, as_lines, lines, listen, one_k

UTC = dt.timezone.utc
NAMELESS = {"track_name": None, "artist_name": " "}
COPY = {"ms_played": 60_000, "music_service": "spotify.com", "origin_url": "https://open.spotify.com/track/" + "7" * 22}


def unix(moment: str) -> int:
    return int(dt.datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


# Per file: its content, and (kept, duplicate, quarantined) counted by hand.
ONE_K = lines(
    one_k(),
    one_k(),  # identical
    one_k("user_000002"),
    one_k("user_000001", "2009-05-04T23:12:00Z", "", 'Ar"tist', "", '"Title'),
    one_k("user_000001", "2009-05-04T24:12:00Z"),  # no such hour
    one_k("user_000001", "2005-02-14T00:00:00Z"),  # before 2006
    one_k("user_000001", "2009-05-05T10:00:00Z", "", "", "", ""),  # no names
    "user_000001\t2009-05-05T10:00",  # cut
)
DATED = lines(
    "Artist,Album,Now playing,",  # no time
    "Artist,Album,Title,03 Jan 2020 14:05",
    "Artist,Album,Title,03 Jan 2020 14:05",  # identical
    '"Artist",Album,Title,"04 Jan 2020, 14:05"',
    "Artist,,Title,31 Feb 2020 14:05",  # no such day
    ",,,05 Jan 2020 14:05",  # no names
    "Artist,Album,Title,01 Jan 1970 00:00",  # before 2006
)
TIMED = lines(
    UTS_HEADER,
    f'"{unix("2021-05-01 10:00:00")}","01 May 2021, 10:00","Artist","","Album","","Title",""',
    f'"{unix("2021-05-01 10:04:00")}","01 May 2021, 10:04","Artist","","","","Title",""',
    '"0","01 Jan 1970, 00:00","Artist","","Album","","Title",""',  # before 2006
    '"soon","","Artist","","Album","","Title",""',  # no time
)
LISTENS = as_lines(
    [
        listen(listened_at=unix("2022-01-01 10:00:00")),
        listen(listened_at=unix("2022-01-01 10:00:00")),  # identical
        listen(info={"duration_played": 20}, listened_at=unix("2022-01-01 11:00:00")),
        listen(info=COPY, listened_at=unix("2022-01-01 12:01:00")),
        listen(NAMELESS, listened_at=unix("2022-01-01 13:00:00")),  # no names
        listen(listened_at=None),  # no time
        {"recording_msid": "m", "score": 1},  # no listen
        listen(listened_at=unix("2022-01-01 10:00:00") * 1000),  # ms, not s
    ]
)
FILES: dict[str, tuple[bytes, str, tuple[int, int, int]]] = {
    "k.tsv": (ONE_K, "lastfm_1k", (3, 1, 4)),
    "listeners/dated/d.csv": (DATED, "lastfm_csv", (2, 1, 4)),
    "listeners/timed/t.csv": (TIMED, "lastfm_uts_csv", (2, 0, 2)),
    "listeners/brainz/l.jsonl": (LISTENS, "listenbrainz", (3, 1, 4)),
}


@pytest.fixture(scope="module")
def scrobbled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, list[dict[str, Any]]]:
    """Scrobbles of five listeners and nothing else, with every table built."""
    pipeline = Pipeline(tmp_path_factory.mktemp("scrobbled"))
    for name, (content, _, _) in FILES.items():
        pipeline.write(name, content)
    return pipeline, pipeline.build().document["reconciliation"]


def test_every_row_is_accounted_for(scrobbled: tuple[Pipeline, list[dict[str, Any]]]) -> None:
    pipeline, reconciliation = scrobbled
    counts = ("kept", "duplicate", "quarantined", "set_aside")
    found = {file["file_name"]: (file["source"], tuple(file[name] for name in counts)) for file in reconciliation}
    assert found == {name: (source, (*expected, 0)) for name, (_, source, expected) in FILES.items()}
    assert all(file["is_balanced"] and file["rows_read"] == sum(FILES[file["file_name"]][2]) for file in reconciliation)
    reasons = {(row["source"], row["row_number"]): row["reason"] for row in pipeline.rows("silver.quarantine")}
    assert reasons == {
        ("lastfm_1k", 5): "unparseable_ts",
        ("lastfm_1k", 6): "ts_before_2006",
        ("lastfm_1k", 7): "no_names_and_no_uri",
        ("lastfm_1k", 8): "missing_ts",
        ("lastfm_csv", 1): "missing_ts",
        ("lastfm_csv", 5): "unparseable_ts",
        ("lastfm_csv", 6): "no_names_and_no_uri",
        ("lastfm_csv", 7): "ts_before_2006",
        ("lastfm_uts_csv", 3): "ts_before_2006",
        ("lastfm_uts_csv", 4): "unparseable_ts",
        ("listenbrainz", 5): "no_names_and_no_uri",
        ("listenbrainz", 6): "missing_ts",
        ("listenbrainz", 7): "missing_ts",
        ("listenbrainz", 8): "unparseable_ts",
    }


def test_scrobbles_are_listens_at_their_start_and_nothing_more_is_claimed(
    scrobbled: tuple[Pipeline, list[dict[str, Any]]],
) -> None:
    pipeline, _ = scrobbled
    shown = ("user_id", "played_at", "ended_at", "ms_played", "is_short", "is_listen", "is_skip", "tells_skip", "source_kind")
    rows = pipeline.rows("silver.listening_with_features", *shown)

    def row(user: str, start: str, ms: int | None = None, kind: str = "scrobble") -> dict[str, Any]:
        at = dt.datetime.fromisoformat(start).replace(tzinfo=UTC)
        end = at + dt.timedelta(milliseconds=ms or 0)
        is_short = ms is not None and ms < 30_000
        flags = {"is_short": is_short, "is_listen": not is_short, "is_skip": False, "tells_skip": False}
        return {"user_id": user, "played_at": at, "ended_at": end, "ms_played": ms, **flags, "source_kind": kind}

    assert rows == sorted(
        [
            row("lastfm1k:user_000001", "2009-05-04 23:08:57"),
            row("lastfm1k:user_000001", "2009-05-04 23:12:00"),
            row("lastfm1k:user_000002", "2009-05-04 23:08:57"),
            row("dated", "2020-01-03 14:05:00"),
            row("dated", "2020-01-04 14:05:00"),
            row("timed", "2021-05-01 10:00:00"),
            row("timed", "2021-05-01 10:04:00"),
            row("brainz", "2022-01-01 10:00:00"),
            row("brainz", "2022-01-01 11:00:00", 20_000),
            # A copy of Spotify's history: 12:01 was the end of a minute's play.
            row("brainz", "2022-01-01 12:00:00", 60_000, "account_data"),
        ],
        key=lambda r: repr({name: r[name] for name in rows[0]}),
    )


def test_figures_of_a_listener_who_only_scrobbles(scrobbled: tuple[Pipeline, list[dict[str, Any]]]) -> None:
    pipeline, _ = scrobbled
    names = ("plays", "listens", "minutes", "hours", "skip_rate", "short_rate", "unique_tracks", "sessions")
    figures = {user: pipeline.rows("gold.user_metrics", *names, user_id=user) for user in ("timed", "brainz")}
    nothing = {"minutes": 0.0, "hours": 0.0, "skip_rate": None, "short_rate": None}
    assert figures["timed"] == [{"plays": 2, "listens": 2, **nothing, "unique_tracks": 1, "sessions": 1}]
    # Of three plays two have a length: 20 s and 60 s.
    known = {"minutes": 80 / 60, "hours": 80 / 3600, "skip_rate": None, "short_rate": 0.5}
    assert figures["brainz"] == [pytest.approx({"plays": 3, "listens": 2, **known, "unique_tracks": 1, "sessions": 3})]
    for table in (
        "gold.daily_listening",
        "gold.artist_stats",
        "gold.year_in_music",
        "gold.weekend_vs_weekday",
        "silver.sessions",
    ):
        rows = pipeline.rows(table, user_id="timed")
        assert rows, table
        assert {row["skip_rate"] for row in rows} == {None}, table
    for table in ("gold.top_tracks", "gold.top_artists", "gold.daily_listening", "gold.listening_patterns_by_time"):
        assert {row["minutes"] for row in pipeline.rows(table, user_id="timed")} == {0.0}, table
    assert "skip_rate" not in {row["feature_name"] for row in pipeline.rows("gold.weekend_effects")}
    charted = pipeline.rows("gold.top_tracks", "track_name", "play_count", "rank", user_id="timed", period_type="all_time")
    assert charted == [{"track_name": "Title", "play_count": 2, "rank": 1}]


def test_scrobbles_beside_an_export_add_what_it_does_not_hold(pipeline: Pipeline) -> None:
    """Three plays of 180 s in the export; each service repeats two of them, and ListenBrainz and Last.fm share one more."""
    pipeline.write("export.json", [export_row(f"2024-01-0{day}T10:03:00Z", day) for day in (1, 2, 3)])

    def scrobble(day: int, seconds: int, **info: Any) -> dict[str, Any]:
        names = {"track_name": f"TRACK {day}", "artist_name": f"artist {day % 3}"}
        return listen(names, info, listened_at=unix(f"2024-01-0{day} 10:00:00") + seconds)

    copy = {
        "ms_played": 180_000,
        "music_service": "spotify.com",
        "origin_url": f"https://open.spotify.com/track/{track_uri(3)[14:]}",
    }
    listens = [scrobble(1, 60), scrobble(2, -1_861), scrobble(3, 180, **copy), scrobble(4, 30)]
    pipeline.write("listens.jsonl", as_lines(listens).decode())
    dated = [f"artist {day % 3},,Track {day},0{day} Jan 2024 10:00" for day in (1, 2, 4, 5)]
    pipeline.write("scrobbles.csv", "\n".join(dated) + "\n")
    answer = pipeline.build("--only", "gold.user_metrics", "--only", "ops.reconciliation")
    counts = {file["source"]: (file["kept"], file["duplicate"]) for file in answer.document["reconciliation"]}
    # Day 2 of ListenBrainz is a second too early; day 4 of Last.fm is day 4 of ListenBrainz, day 5 nobody else's.
    assert counts == {"spotify_extended": (3, 0), "listenbrainz": (2, 2), "lastfm_csv": (1, 3)}
    kept = {(row["source_kind"], tuple(row["sources"])) for row in pipeline.rows("silver.plays") if row["disposition"] == "kept"}
    assert kept == {
        ("export", ("export", "scrobble")),
        ("export", ("account_data", "export")),
        ("scrobble", ("scrobble",)),
    }
    # The export tells of three plays that none was skipped; of the three scrobbles nobody knows.
    [metrics] = pipeline.rows("gold.user_metrics", "plays", "listens", "minutes", "skip_rate", "short_rate")
    assert metrics == {"plays": 6, "listens": 6, "minutes": 9.0, "skip_rate": 0.0, "short_rate": 0.0}


def test_an_export_of_listenbrainz_is_read_and_its_other_files_are_told(pipeline: Pipeline) -> None:
    feedback = as_lines([{"recording_msid": "m", "recording_mbid": None, "score": 1, "created": 1709287380}])
    members = {
        "user.json": as_lines([{"user_id": 7, "username": "jane.doe.1234"}]),
        "listens/2022/1.jsonl": as_lines([listen(listened_at=unix("2022-01-01 10:00:00"))]),
        "listens/2022/2.jsonl": as_lines([listen(listened_at=unix("2022-02-01 10:00:00"))]),
        "feedback.jsonl": feedback,
        "pinned_recording.jsonl": as_lines([{"recording_msid": "m", "blurb_content": "x", "created": 1}]),
    }
    pipeline.write("listenbrainz.zip", zipped(members))
    answer = pipeline.build("--only", "silver.users")
    assert pipeline.rows("silver.users", "user_id", "kept") == [{"user_id": "me", "kept": 2}]
    assert answer.document["problems"] == []
    ignored = {file["path"] for file in answer.document["ignored"]}
    assert ignored == {f"listenbrainz.zip!{name}" for name in members if "listens" not in name}
    assert b"jane.doe" not in b"".join(path.read_bytes() for path in pipeline.root.rglob("*") if path.is_file())


BROKEN = {
    "half.jsonl": (LISTENS[: len(LISTENS) // 2], "not valid JSON at line"),
    "noise.jsonl": (as_lines([listen()]) + b"oops\n", "not valid JSON at line 2, column 1"),
    "latin.jsonl": (as_lines([listen()]) + b'{"a": "\xe4"}\n', "not UTF-8 at line 2"),
    "half.csv": (DATED + b"Artist,Al", "not a readable CSV file"),
    "latin.tsv": (CONTENTS["lastfm_1k"] + b"user_000003\t\xe4\n", "not UTF-8 at line 3"),
    "empty.tsv": (b"\n", "the file is empty"),
}


def test_broken_files_leave_nothing_behind(pipeline: Pipeline) -> None:
    pipeline.write("good.csv", TIMED)
    for name, (content, _) in BROKEN.items():
        pipeline.write(name, content)
    answer = pipeline.run("--only", "silver.users")
    assert answer.code == 1
    problems = {problem["path"]: problem for problem in answer.document["problems"]}
    assert {name: problem["status"] for name, problem in problems.items()} == dict.fromkeys(BROKEN, "broken")
    assert all(reason in problems[name]["reason"] for name, (_, reason) in BROKEN.items())
    assert pipeline.rows("silver.users", "user_id", "rows", "kept") == [{"user_id": "me", "rows": 4, "kept": 2}]


def test_hostile_names_are_stored_exactly_and_listeners_may_have_them(pipeline: Pipeline) -> None:
    texts = list(HOSTILE_NAMES.values())
    quoted = io.StringIO()
    csv.writer(quoted).writerows([text, text, text, f"{day:02d} Jan 2020 14:05"] for day, text in enumerate(texts, start=1))
    pipeline.write("listeners/dated/d.csv", b"artist,album,track,date\n" + quoted.getvalue().encode())
    names = [{"artist_name": text, "release_name": text, "track_name": text} for text in texts]
    listens = [listen(name, listened_at=unix(f"2022-01-{day:02d} 10:00:00")) for day, name in enumerate(names, start=1)]
    pipeline.write("listeners/brainz/l.jsonl", as_lines(listens).decode())
    one_line = [text for text in texts if not set("\n\t") & set(text)]
    ks = [one_k("user_000009", f"2009-01-{day:02d}T10:00:00Z", "", text, "", text) for day, text in enumerate(one_line, start=1)]
    pipeline.write("k.tsv", lines(one_k("user_000009"), *ks))
    strangers = ["O'Brien; DROP", 'say "x"\\', "日本 🎧", "a/b", "<script>", "x" * 1000]
    pipeline.write("dump.jsonl", as_lines([listen(user_name=name) for name in strangers]).decode())
    pipeline.build("--only", "gold.top_tracks", "--only", "silver.users")
    for user, expected in (("dated", texts), ("brainz", texts), ("lastfm1k:user_000009", [*one_line, "Title"])):
        found = pipeline.rows("bronze.listening_history", "track_name", user_id=user)
        assert sorted(row["track_name"] for row in found) == sorted(expected), user
    users = {row["user_id"] for row in pipeline.rows("silver.users", "user_id")}
    assert {f"listenbrainz:{name}" for name in strangers} <= users
    assert len(pipeline.rows("gold.top_tracks", user_id="listenbrainz:O'Brien; DROP", period_type="all_time")) == 1


@pytest.mark.spark
def test_both_engines_make_the_same_of_scrobbles(scrobbled: tuple[Pipeline, list[dict[str, Any]]], tmp_path: Path) -> None:
    if problem := java_problem():
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(problem)
        pytest.skip(problem)
    embedded, _ = scrobbled
    spark = Pipeline(tmp_path)
    spark.landing = embedded.landing
    answer = spark.process("run", "--engine", "spark", "--only", "silver.quarantine", timeout=300)
    assert answer.code == 0, answer.text
    found = spark.content()
    assert {"silver.typed_history", "silver.plays", "silver.quarantine"} <= set(found)
    assert_same_content(found, {name: rows for name, rows in embedded.content().items() if name in found})
