"""Files as people have them: read right, or named with what to do. Each case is a folder of landings/."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from music.settings import ListeningSettings
from tests.end_to_end.pipeline import Answer, Pipeline, days

LANDINGS = Path(__file__).with_name("landings")
# Each is the listener of its own folder in one run; the run goes well.
TOGETHER = ("04", "07", "08", "17", "18", "20", "21", "22", "23", "29", "31", "32")


@dataclass(frozen=True)
class Built:
    """A run over several cases."""

    answer: Answer
    plays: list[dict[str, Any]]

    def of(self, case: str, disposition: str | None = None) -> list[dict[str, Any]]:
        return [p for p in self.plays if p["user_id"] == f"case{case}" and disposition in (None, p["disposition"])]

    def counts(self, case: str) -> dict[str, int]:
        found = [play["disposition"] for play in self.of(case)]
        return {name: found.count(name) for name in ("kept", "duplicate", "quarantined", "set_aside") if name in found}

    def reasons(self, case: str) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for play in self.of(case, "quarantined"):
            values.setdefault(play["reason"], []).append(play["reason_value"])
        return {reason: sorted(found, key=str) for reason, found in values.items()}

    def problems(self, case: str) -> dict[str, tuple[str, str]]:
        prefix = f"listeners/case{case}/"
        told = [p for p in self.answer.document["problems"] if p["path"].startswith(prefix)]
        return {p["path"].removeprefix(prefix): (p["status"], p["reason"]) for p in told}


def landing_of(case: str) -> Path:
    return next(LANDINGS.glob(f"{case}-*")) / "landing"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LAKEHOUSE_")]:
            patch.delenv(name)
        patch.setitem(ListeningSettings.model_config, "env_file", None)
        pipeline = Pipeline(tmp_path_factory.mktemp("reading"))
        for case in TOGETHER:
            shutil.copytree(landing_of(case), pipeline.landing / "listeners" / f"case{case}")
        answer = pipeline.run("--only", "ops.reconciliation")
        yield Built(answer, pipeline.rows("silver.plays"))


def landed(pipeline: Pipeline, case: str, *only: str) -> tuple[Answer, dict[str, tuple[str, str]]]:
    """A run over one case alone, and its problems by path."""
    shutil.copytree(landing_of(case), pipeline.landing, dirs_exist_ok=True)
    answer = pipeline.run(*[word for name in only or ("ops.reconciliation",) for word in ("--only", name)])
    return answer, {p["path"]: (p["status"], p["reason"]) for p in answer.document["problems"]}


EXPECTED = {
    "04": {"kept": 5, "set_aside": 1},
    "07": {"kept": 7, "quarantined": 5},
    "08": {"kept": 3, "quarantined": 1},
    "17": {"kept": 3, "duplicate": 3},
    "18": {"kept": 2, "quarantined": 2},
    "20": {"kept": 5, "quarantined": 4},
    "21": {"kept": 1, "quarantined": 1, "set_aside": 4},
    "22": {"kept": 4},
    "23": {"kept": 1, "duplicate": 1, "quarantined": 3},
    "29": {"kept": 3},
    "31": {"kept": 7},
    "32": {"kept": 4, "duplicate": 2},
}


@pytest.mark.parametrize("case", EXPECTED)
def test_every_row_is_read_as_expected(built: Built, case: str) -> None:
    assert built.counts(case) == EXPECTED[case]


def test_a_run_over_odd_files_goes_well(built: Built) -> None:
    assert (built.answer.code, built.answer.document["newly_broken"]) == (0, [])
    # Three of its five rows have no time, 1970 or milliseconds.
    assert [one["path"].split("/")[1] for one in built.answer.document["rejected"]] == ["case23"]
    assert "Traceback" not in built.answer.text


def test_spotify_s_own_field_names_in_a_table_keep_their_titles(built: Built) -> None:
    names = sorted((play["artist_name"], play["track_name"]) for play in built.of("04", "kept"))
    assert [artist for artist, _ in names] == ["Choir 0"] * 2 + ["Choir 1"] * 3
    assert all(title.startswith("Canto ") for _, title in names)


def test_times_are_right_or_quarantined_with_their_value(built: Built) -> None:
    ended = {play["track_name"]: play["ended_at"].replace(tzinfo=None) for play in built.of("07", "kept")}
    at = {"utcword": 9, "iso": 10, "space": 11, "off0": 13, "off2": 14, "off0000": 16}
    assert ended == {
        **{f"T {name}": dt.datetime(2013, 10, day, 20, 24, 30) for name, day in at.items()},
        "T milli": dt.datetime(2013, 10, 12, 20, 24, 30, 123_000),
    }
    assert built.reasons("07") == {
        "unparseable_ts": ["1609459200000", "2013-10-15T24:00:00Z", "2016-12-31T23:59:60Z"],
        "ts_before_2006": ["1970-01-01T00:00:00Z"],
        "missing_ts": [None],
    }


def test_local_files_have_the_names_of_their_uris(built: Built) -> None:
    names = sorted((play["artist_name"], play["track_name"]) for play in built.of("08", "kept"))
    assert names == [("Garage Kids", "Demo Tape"), ("Garage Kids", "Demo Tape"), ("Garage Kids", "Second Demo")]
    assert built.reasons("08") == {"no_names_and_no_uri": [None]}


def test_quotes_and_a_byte_order_mark_leave_no_trace_in_names(built: Built) -> None:
    assert {play["artist_name"] for play in built.of("18", "kept")} == {"Tyler, The Creator", "Björk"}
    assert set(built.reasons("18")) == {"missing_ts", "ts_before_2006"}


def test_times_played_are_right_or_quarantined_with_their_value(built: Built) -> None:
    assert sorted(play["ms_played"] for play in built.of("20", "kept")) == [0, 200_000, 200_000, 200_001, 86_400_000]
    assert built.reasons("20") == {
        "missing_ms_played": [None],
        "negative_ms_played": ["-1"],
        "ms_played_over_24h": ["90000000"],
        "unparseable_ms_played": ["3:20"],
    }


def test_podcasts_and_audiobooks_are_set_aside(built: Built) -> None:
    assert sorted(play["reason"] for play in built.of("21", "set_aside")) == ["audiobook", "podcast", "podcast", "podcast"]


def test_unix_times_in_seconds_alone_are_read(built: Built) -> None:
    assert set(built.reasons("23")) == {"missing_ts", "unparseable_ts", "ts_before_2006"}


def test_hidden_members_are_not_mentioned_and_other_files_of_an_export_are_one_line(built: Built) -> None:
    (path,) = built.problems("29")
    assert path.endswith("Streaming_History_Video_2020.json")
    ignored = [file["path"].rpartition("/")[2] for file in built.answer.document["ignored"] if "case29" in file["path"]]
    assert sorted(ignored) == ["Playlist1.json", "ReadMeFirst_ExtendedStreamingHistory.pdf", "SearchQueries.json"]


def test_other_encodings_and_separators_are_read(built: Built) -> None:
    titles = {play["track_name"] for play in built.of("31", "kept")}
    assert titles == {"Bom", "Wide", "Eight", "Sixteen", "Größe", "Semi", "Tab"}


def test_exporters_are_read_with_the_right_time_or_named(built: Built) -> None:
    names = ("artist_name", "album_name", "track_name")
    kept = [(*[play[name] for name in names], str(play["played_at"])[:19]) for play in built.of("32", "kept")]
    assert sorted(row for row in kept if row[1]) == [
        ("Omni", "Grey", "Line", "2019-03-31 10:07:32"),
        ("Omni", "Grey", "Sky", "2019-03-04 08:02:00"),
        ("Omni", "Grey", "Sky", "2019-03-31 10:02:32"),
    ]
    named = {
        "backup-cli.csv": "lastfm-backup-cli",
        "four-iso.csv": "without a header",
        "maloja_export_1700000000.json": "Maloja",
        "scraper.tsv": "lastfm-scraper",
        "scrubbler.csv": "Last.fm-Scrubbler",
        "semicolon.csv": "03/04/2019",
        "universal.csv": "Universal Scrobbler",
        "us-dates.csv": "03/04/2019",
    }
    problems = built.problems("32")
    assert set(problems) == set(named)
    assert [
        name for name, word in named.items() if word not in problems[name][1] or "is not read: " not in problems[name][1]
    ] == []


def test_a_file_without_one_row_that_counts_fails_the_run_and_warns_later(pipeline: Pipeline) -> None:
    answer, _ = landed(pipeline, "24", "silver.plays")
    (rejected,) = answer.document["rejected"]
    assert (answer.code, rejected["rows"], rejected["rejected"]) == (1, 4, 4)
    assert "4 unparseable_ts ('7/1/2013 2:44', '7/2/2013 2:44')" in rejected["because"]
    pipeline.write("good.json", days(3))
    again = pipeline.call("run", "--only", "ops.reconciliation")
    assert again.code == 0
    assert "warning: 4 of 4 rows of spotify_history.csv are not used: 4 unparseable_ts" in again.text
    idle = pipeline.run("--only", "ops.reconciliation")
    assert (idle.code, idle.document["outcomes"], len(idle.document["rejected"])) == (0, [], 1)


def test_duplicates_and_rows_set_aside_count_as_read(pipeline: Pipeline) -> None:
    rows = days(3)
    pipeline.write("a.json", rows)
    pipeline.build("--only", "silver.plays")
    pipeline.write("b.json", [*rows, *[row | {"ts": "soon"} for row in rows[:3]]])
    assert pipeline.build("--only", "silver.plays").document["rejected"] == []
    pipeline.write("c.json", [rows[0], *[row | {"ts": "later"} for row in rows[:3]]])
    assert [(r["path"], r["rejected"]) for r in pipeline.build("--only", "silver.plays").document["rejected"]] == [("c.json", 3)]


def test_archives_are_read_or_told_what_to_do(pipeline: Pipeline) -> None:
    answer, problems = landed(pipeline, "30")
    assert answer.code == 1
    assert len(pipeline.rows("silver.plays", disposition="kept")) == 4
    assert {path: status for path, (status, _) in problems.items()} == dict.fromkeys(
        ["Streaming_History_Audio_2018_0.rar", "my_spotify_data.7z", "spotify_history.xlsx"], "broken"
    )
    assert all("unpack it" in problems[name][1] for name in ("Streaming_History_Audio_2018_0.rar", "my_spotify_data.7z"))
    assert "save it as CSV" in problems["spotify_history.xlsx"][1]


def test_json_in_odd_shapes_is_named(pipeline: Pipeline) -> None:
    answer, problems = landed(pipeline, "33")
    assert answer.code == 1
    assert len(pipeline.rows("silver.plays", disposition="kept")) == 1
    words = {
        "Streaming_History_Audio_wrapped.json": "within something else",
        "all_concatenated.json": "several lists in one file",
        "endsong_cut.json": "download the file again",
        "endsong_empty.json": "an empty list",
        "endsong_trailing.json": "download the file again",
        "ndjson_history.json": "one object a line",
    }
    assert {name: word for name, word in words.items() if word not in problems[name][1]} == {}
    assert set(problems) == set(words)


def test_faulty_zips_are_named_and_their_good_members_read(pipeline: Pipeline) -> None:
    answer, problems = landed(pipeline, "51")
    assert answer.code == 1
    words = {
        "bad_crc.zip!Streaming_History_Audio_2011.json": "download the archive again",
        "deflate64.zip!Streaming_History_Audio_2013.json": "Deflate64",
        "empty.zip": "empty: download it again",
        "html.zip": "a web page",
        "same_names.zip": "unpack it",
    }
    assert {name: word for name, word in words.items() if word not in problems[name][1]} == {}
    assert set(problems) == set(words)
    assert [play["track_name"] for play in pipeline.rows("silver.plays", disposition="kept")] == ["Crc 2"]


def test_dislikes_are_read_as_people_save_them_or_told_what_is_wrong(pipeline: Pipeline) -> None:
    answer, problems = landed(pipeline, "54", "silver.dislike_entries")
    assert answer.code == 1
    assert sorted(row["artist"].strip() for row in pipeline.rows("bronze.dislike_rows")) == ["Band 1", "band 3"]
    assert problems["my dislikes.csv"][0] == "broken"
    assert "the column 'added': remove it" in problems["my dislikes.csv"][1]
