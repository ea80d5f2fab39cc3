"""What stands in a generated folder can have happened: one play after the other, lengths, reasons, days, zones."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import json
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from ingestion.synthetic import Synthetic
from tests.landing_files import recognised_by
from tests.synthetic.conftest import END, START, Generate

BREAK = dt.timedelta(minutes=30)


def rows_of(folder: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for path in sorted(folder.glob("*.arrows")):
        with path.open("rb") as stream:
            found += pa.Table.from_batches(Synthetic().read(stream, "me")).to_pylist()
    return found


@pytest.fixture(scope="module")
def small(generated: Generate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("small") / "listeners"
    generated(out, listeners=60, plays=500)
    return out


@pytest.fixture(scope="module")
def rows(small: Path) -> list[dict[str, str]]:
    return rows_of(small)


@pytest.fixture(scope="module")
def tracks(catalogue: Path) -> dict[str, dict[str, str]]:
    with catalogue.open(encoding="utf-8", newline="") as stream:
        return {f"spotify:track:{row['track_id']}": row for row in csv.DictReader(stream)}


def test_the_files_are_recognised_and_the_notes_are_not_data(small: Path) -> None:
    names = sorted(path.name for path in small.iterdir())
    assert names == ["_listeners.csv", "_manifest.json", "listeners-00000.arrows"]
    assert recognised_by((small / names[-1]).read_bytes()) == ["synthetic"]
    assert recognised_by((small / names[0]).read_bytes()) == []


def test_a_listener_plays_one_thing_after_the_other_within_the_period(rows: list[dict[str, str]]) -> None:
    ended, breaks = {}, 0
    for row in rows:
        start = dt.datetime.fromisoformat(row["ts"])
        assert dt.datetime.combine(START, dt.time()) <= start
        before = ended.get(row["user_id"])
        if before is not None:
            assert start > before
            is_break = start - before > BREAK
            breaks += is_break
            assert is_break == (row["reason_start"] in ("playbtn", "appload")) or row["reason_start"] == "clickrow"
        ended[row["user_id"]] = start + dt.timedelta(milliseconds=int(row["ms_played"]))
    assert max(ended.values()) < dt.datetime.combine(END, dt.time())
    assert len(rows) / 40 < breaks < len(rows) / 8


def test_names_and_lengths_are_the_catalogue_s_and_reasons_match(
    rows: list[dict[str, str]], tracks: dict[str, dict[str, str]]
) -> None:
    for row in rows:
        track = tracks[row["track_uri"]]
        assert (row["track_name"], row["album_name"]) == (track["track_name"], track["album_name"])
        assert row["artist_name"] == track["artists"].split(";")[0]
        played, length = int(row["ms_played"]), int(track["duration_ms"])
        assert 0 <= played <= length
        assert (row["reason_end"] == "trackdone") == (played == length)
        assert row["skipped"] == str(row["reason_end"] in ("fwdbtn", "endplay")).lower()


def test_a_start_follows_from_the_end_before(rows: list[dict[str, str]]) -> None:
    follows: Counter[tuple[str, str]] = Counter()
    for before, row in itertools.pairwise(rows):
        gap = dt.datetime.fromisoformat(row["ts"]) - dt.datetime.fromisoformat(before["ts"])
        played = dt.timedelta(milliseconds=int(before["ms_played"]))
        if before["user_id"] == row["user_id"] and gap - played <= BREAK:
            follows[before["reason_end"], row["reason_start"]] += 1
    assert set(follows) == {("trackdone", "trackdone"), ("fwdbtn", "fwdbtn"), ("endplay", "clickrow")}


def test_the_notes_tell_what_is_true(small: Path, rows: list[dict[str, str]]) -> None:
    with (small / "_listeners.csv").open(encoding="utf-8", newline="") as stream:
        notes = list(csv.DictReader(stream))
    assert [note["user_id"] for note in notes] == [f"synthetic:{number:06d}" for number in range(1, 61)]
    counts = Counter(row["user_id"] for row in rows)
    assert [int(note["plays"]) for note in notes] == [counts[note["user_id"]] for note in notes]
    of = {note["user_id"]: note for note in notes}
    for row in rows:
        note = of[row["user_id"]]
        assert (row["timezone"], row["conn_country"]) == (note["timezone"], note["conn_country"])
        local = dt.datetime.fromisoformat(row["ts"]).replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo(row["timezone"]))
        # Late nights, long sessions and crowded days reach into the days after.
        days = dt.timedelta(days=1)
        assert (
            dt.date.fromisoformat(note["first_day"]) - days <= local.date() <= dt.date.fromisoformat(note["last_day"]) + 3 * days
        )
    manifest = json.loads((small / "_manifest.json").read_text())
    assert manifest["plays"] == sum(file["plays"] for file in manifest["files"]) == len(rows)
    assert manifest["arguments"]["listeners"] == manifest["listeners"] == 60
    assert {note["taste_group"] for note in notes} == {""}
