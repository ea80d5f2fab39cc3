"""Small histories made after public bug reports: which rows are one play, one song, one artist."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from music.settings import ListeningSettings
from tests.end_to_end.pipeline import Answer, Pipeline

LANDINGS = Path(__file__).parent / "landings"
# Kept, duplicate, quarantined and set aside rows.
EXPECTED = {
    "01-reexport-new-format": (8, 6, 0, 0),
    "02-reexport-reason-end-none": (5, 5, 0, 0),
    "03-reexport-names-and-uri-changed": (4, 4, 0, 0),
    "05-same-play-twice-seconds-apart": (2, 1, 0, 0),
    "06-offline-reported-late": (5, 0, 0, 0),
    "10-names-gone-later": (5, 0, 0, 0),
    "11-nfc-nfd": (3, 3, 0, 0),
    "12-apostrophes-and-width": (4, 4, 0, 0),
    "13-case-folding": (5, 3, 0, 0),
    "14-album-artist-vs-track-artist": (3, 3, 0, 0),
    "15-paused-play": (2, 2, 0, 0),
    "16-feat-in-title": (2, 2, 0, 0),
    "17-lastfm-to-csv-drops-commas": (3, 3, 0, 0),
    "18-lastfm-to-csv-new-bom-quotes": (2, 0, 2, 0),
    "19-duplicates-in-account-data": (6, 6, 0, 1),
    "21-podcasts-audiobooks-video": (1, 0, 1, 4),
    "23-ghan-uts": (1, 1, 3, 0),
    "26-reexport-one-field-each": (11, 11, 0, 0),
    "28-names-null-last": (3, 0, 0, 0),
    "39-csv-of-one-source-names-differ-in-case": (7, 0, 0, 0),
    "40-lb-with-spotify-id-other-name": (3, 1, 0, 0),
    "41-invisible-blanks-and-number-names": (8, 0, 0, 0),
    "42-short-track-on-loop-three-sources": (6, 12, 0, 0),
    "43-account-data-and-lastfm": (6, 6, 0, 0),
    "45-skip-not-told": (5, 0, 0, 0),
    "48-joined-artists": (3, 3, 0, 0),
    "50-incremental-two-exports": (6, 0, 0, 0),
    "52-double-scrobbles-seconds-apart": (3, 2, 0, 0),
    "53-listenbrainz-same-listen-from-two-clients": (2, 1, 0, 0),
    "56-renamed-artist-only-two-rows": (2, 0, 0, 0),
}
DISPOSITIONS = ("kept", "duplicate", "quarantined", "set_aside")


class Cases:
    """All cases in one landing folder, each with a listener of its own, built by one run."""

    def __init__(self, folder: Path) -> None:
        self.pipeline = Pipeline(folder)
        for name in EXPECTED:
            shutil.copytree(LANDINGS / name / "landing", self.pipeline.landing / "listeners" / name)
        self.answer: Answer = self.pipeline.run()

    def rows(self, case: str, table: str) -> list[dict[str, Any]]:
        return self.pipeline.rows(table, user_id=next(name for name in EXPECTED if name.startswith(case)))


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cases]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ListeningSettings.model_config, "env_file", None)
        yield Cases(tmp_path_factory.mktemp("cases"))


def test_the_run_ends_well(cases: Cases) -> None:
    statuses = {outcome["table"]: outcome["status"] for outcome in cases.answer.document["outcomes"]}
    failed = [table for table, status in statuses.items() if status in ("failed", "refused", "blocked")]
    assert (cases.answer.code, failed) == (0, [])


@pytest.mark.parametrize("case", EXPECTED)
def test_every_row_has_the_expected_disposition(cases: Cases, case: str) -> None:
    found = Counter(row["disposition"] for row in cases.rows(case, "silver.plays"))
    assert tuple(found[name] for name in DISPOSITIONS) == EXPECTED[case]


def test_a_field_that_a_later_export_lost_is_kept(cases: Cases) -> None:
    plays = cases.rows("02", "silver.listening_with_features")
    assert {row["reason_end"] for row in plays} == {"trackdone"}
    assert {row["tells_skip"] for row in plays} == {True}


def test_plays_that_were_reported_later_are_marked(cases: Cases) -> None:
    late = [row["track_name"] for row in cases.rows("06", "silver.plays") if row["is_reported_late"]]
    assert sorted(late) == ["Flight 0", "Flight 1", "Flight 2", "Flight 3"]
    checks = cases.pipeline.rows("ops.qa_validation_results", table_name="silver.plays", status="WARN")
    assert [check["violations"] for check in checks] == [4]


def top(cases: Cases, case: str, table: str, name: str) -> dict[str, int]:
    rows = cases.rows(case, table)
    return {row[name]: row["listen_count"] for row in rows if row["period_type"] == "all_time"}


def test_names_that_are_gone_later_are_remembered(cases: Cases) -> None:
    assert top(cases, "10", "gold.top_tracks", "track_name") == {"Gone Song": 4, "Other": 1}
    assert top(cases, "10", "gold.top_artists", "artist_name") == {"Gone Artist": 4, "Other Artist": 1}
    assert top(cases, "28", "gold.top_tracks", "track_name") == {"Gone2": 3}
    assert top(cases, "28", "gold.top_artists", "artist_name") == {"GoneA": 3}
    assert "Gone Song" in {row["track_name"] for row in cases.pipeline.rows("silver.tracks")}


def test_spellings_of_one_artist_are_one_row(cases: Cases) -> None:
    assert len(top(cases, "11", "gold.top_artists", "artist_name")) == 3
    assert top(cases, "39", "gold.top_artists", "artist_name")["Charli xcx"] == 2
    assert top(cases, "39", "gold.top_tracks", "track_name")["My Song"] == 2
    assert top(cases, "41", "gold.top_artists", "artist_name") == {"Quiet Band": 6, "1975": 2}
    folded = [row["artist_name"] for row in cases.rows("13", "gold.top_artists") if row["period_type"] == "all_time"]
    assert len(folded) == 4


def test_a_skip_that_nobody_reported_is_unknown(cases: Cases) -> None:
    plays = sorted(cases.rows("45", "silver.listening_with_features"), key=lambda row: row["play_number"])
    assert [row["tells_skip"] for row in plays] == [False, False, False, True, True]
    sessions = sorted(cases.rows("45", "silver.sessions"), key=lambda row: row["started_at"])
    assert [row["skip_rate"] for row in sessions] == [None, 1.0]
    assert [(row["skips"], row["skip_rate"]) for row in cases.rows("45", "gold.daily_listening")] == [(2, 1.0)]


@pytest.mark.parametrize("case", ["39", "40", "56"])
def test_a_renamed_track_is_recommended_once(cases: Cases, case: str) -> None:
    lists = Counter((row["list"], row["track_id"]) for row in cases.rows(case, "gold.user_recommendations"))
    assert set(lists.values()) <= {1}


def test_an_export_that_is_added_later_keeps_ids(pipeline: Pipeline) -> None:
    case = LANDINGS / "50-incremental-two-exports"
    shutil.copytree(case / "landing", pipeline.landing, dirs_exist_ok=True)
    pipeline.build("--only", "silver.plays")
    first = {row["play_id"] for row in pipeline.rows("silver.plays", disposition="kept")}
    shutil.copytree(case / "later", pipeline.landing, dirs_exist_ok=True)
    pipeline.build("--only", "silver.plays")
    found = Counter(row["disposition"] for row in pipeline.rows("silver.plays"))
    assert (len(first), found["kept"], found["duplicate"]) == (6, 7, 6)
    assert first <= {row["play_id"] for row in pipeline.rows("silver.plays", disposition="kept")}
