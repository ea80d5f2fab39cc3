"""What was polled beside an export of the same time: counts by hand, on made-up plays and on the real export."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from polling.envelope import numbered, write_envelope
from polling.places import AccountPlace
from polling.state import AccountState, save_state
from tests.end_to_end.pipeline import Pipeline, export_row
from tests.polling.envelopes_of import envelope, lastfm_body, lastfm_track, spotify_body, spotify_play

UTC = dt.timezone.utc
START = dt.datetime(2024, 6, 1, 8, tzinfo=UTC)
LENGTH = dt.timedelta(minutes=3)
ONLY = ("--only", "silver.plays", "--only", "silver.coverage", "--only", "ops.reconciliation")
SHORT, PRIVATE, OFFLINE, UNSEEN, UNKNOWN_TO_EXPORT = 3, 4, 5, 6, 7
PLAYS = 20


def start_of(number: int) -> dt.datetime:
    return START + number * dt.timedelta(minutes=5)


def z(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def put_export(pipeline: Pipeline) -> None:
    """Plays 0 to 19 without one; one of 20 s, one in a private session, one offline."""
    changes: dict[int, Mapping[str, Any]] = {
        SHORT: {"ms_played": 20_000, "ts": z(start_of(SHORT) + dt.timedelta(seconds=20))},
        PRIVATE: {"incognito_mode": True},
        OFFLINE: {"offline": True},
    }
    numbers = [number for number in range(PLAYS) if number != UNKNOWN_TO_EXPORT]
    rows = [export_row(z(start_of(one) + LENGTH), one + 1, **changes.get(one, {})) for one in numbers]
    pipeline.write("Streaming_History_Audio_2024.json", rows)


def put(pipeline: Pipeline, source: str, body: Any, new: Sequence[int], listener: str = "me") -> AccountPlace:
    place = AccountPlace(pipeline.landing / "_api", source, "account")
    number = max((number for number, _ in numbered(place)), default=0) + 1
    write_envelope(place, number, envelope(source, body, new, listener, start_of(PLAYS)))
    return place


def poll_spotify(pipeline: Pipeline, *, ends: bool) -> None:
    """Plays 1 to 18 without what Spotify does not tell of; times are starts or ends, a little late."""
    untold = {SHORT, PRIVATE, OFFLINE, UNSEEN}
    shift = (LENGTH if ends else dt.timedelta()) + dt.timedelta(milliseconds=730)
    plays = [spotify_play(z(start_of(one) + shift), one + 1) for one in range(18, 0, -1) if one not in untold]
    put(pipeline, "spotify_api", spotify_body(*plays), range(len(plays)))


def compare(pipeline: Pipeline, *options: str) -> list[dict[str, Any]]:
    answer = pipeline.call("compare-sources", "--json", *options)
    assert answer.code == 0, answer.err
    found: list[dict[str, Any]] = answer.document["comparisons"]
    return found


@pytest.mark.parametrize("ends", [False, True], ids=["starts", "ends"])
def test_what_only_one_side_has_is_counted_by_reason(pipeline: Pipeline, ends: bool) -> None:
    put_export(pipeline)
    poll_spotify(pipeline, ends=ends)
    pipeline.build(*ONLY)
    (one,) = compare(pipeline)
    assert (one["user_id"], one["source"]) == ("me", "spotify_api")
    assert (one["compared"], one["both"]) == (18, 13)
    assert one["only_export"] == {"short": 1, "private": 1, "offline": 1, "missing": 1}
    assert one["only_polled"] == {"missing": 1}
    # Wilson's interval of 13 of 18, worked out by hand.
    assert (one["share_low"], one["share_high"]) == (pytest.approx(0.4913, abs=1e-4), pytest.approx(0.8750, abs=1e-4))
    rows = pipeline.rows("ops.source_comparison", "side", "source", "reason", "track_name")
    assert sorted((row["track_name"], row["side"], row["source"], row["reason"]) for row in rows) == [
        ("Track 4", "spotify_api", "spotify_extended", "short"),
        ("Track 5", "spotify_api", "spotify_extended", "private"),
        ("Track 6", "spotify_api", "spotify_extended", "offline"),
        ("Track 7", "spotify_api", "spotify_extended", "missing"),
        ("Track 8", "export", "spotify_api", "missing"),
    ]
    kept = {row["play_id"] for row in pipeline.rows("silver.plays", disposition="kept")}
    assert {row["play_id"] for row in pipeline.rows("ops.source_comparison")} <= kept
    told = pipeline.call("compare-sources")
    assert told.code == 0
    assert "72.2%" in told.out
    assert len(pipeline.rows("ops.source_comparison")) == 5


def vanish(pipeline: Pipeline, place: AccountPlace, position: int) -> None:
    """Note in the state of the account that its source no longer tells of an item of its newest file."""
    save_state(place, AccountState(place.source, place.account_id, "me", polled_at=start_of(PLAYS)))
    entry = {
        "key": "key",
        "played_at": z(start_of(8)),
        "noticed_at": z(start_of(30)),
        "file": next(numbered(place))[1].name,
        "position": position,
    }
    place.state.write_text(json.dumps(json.loads(place.state.read_text()) | {"vanished": [entry]}))


@pytest.mark.parametrize("is_packed", [False, True], ids=["files", "packed"])
def test_a_scrobble_that_is_gone_at_its_source_stays_and_is_marked(pipeline: Pipeline, is_packed: bool) -> None:
    put_export(pipeline)
    tracks = [lastfm_track(None), *[lastfm_track(int(start_of(one).timestamp()), one + 1) for one in (10, 9, 8)]]
    # What was new are the plays 9 and 8, so the last one is the second row of its file.
    place = put(pipeline, "lastfm_api", lastfm_body(tracks), [2, 3])
    vanish(pipeline, place, 3)
    pipeline.build(*ONLY)
    before = pipeline.versions()
    if is_packed:
        (_, path), *_ = numbered(place)
        with zipfile.ZipFile(place.folder / "2024-06.zip", "w") as archive:
            archive.write(path, path.name)
        path.unlink()
        assert pipeline.build(*ONLY).document["new_files"] == []
    (one,) = compare(pipeline)
    assert (one["source"], one["compared"], one["both"], one["deleted_at_source"]) == ("lastfm_api", 2, 2, 1)
    (row,) = pipeline.rows("ops.source_comparison")
    assert (row["side"], row["source"], row["reason"], row["track_name"]) == (
        *("lastfm_api", "lastfm_api", "deleted_at_source", "Track 9"),
    )
    assert (row["played_at"], row["noticed_at"]) == (start_of(8), start_of(30))
    assert [play["track_name"] for play in pipeline.rows("silver.plays", play_id=row["play_id"])] == ["Track 9"]
    assert pipeline.versions() == before


def test_listeners_are_compared_with_their_own_exports_and_one_of_them_alone_leaves_the_others(pipeline: Pipeline) -> None:
    put_export(pipeline)
    poll_spotify(pipeline, ends=False)
    put(pipeline, "spotify_api", spotify_body(spotify_play(z(start_of(2)), 90), spotify_play(z(start_of(1)), 91)), [0, 1], "anna")
    pipeline.build(*ONLY)
    assert [one["user_id"] for one in compare(pipeline)] == ["me"]
    rows = pipeline.rows("ops.source_comparison")
    assert compare(pipeline, "--user", "anna") == []
    assert pipeline.rows("ops.source_comparison") == rows
    told = pipeline.call("compare-sources", "--user", "anna")
    assert (told.code, told.out.strip()) == (0, "nothing to compare: no export covers a time at which anna was polled")
    refused = pipeline.call("compare-sources", "--user", "nobody")
    assert (refused.code, "was polled" in refused.err) == (2, True)


def test_before_the_first_run_and_during_one_it_says_so(pipeline: Pipeline) -> None:
    put_export(pipeline)
    pipeline.build("--only", "silver.names")
    early = pipeline.call("compare-sources")
    assert (early.code, "silver.coverage is not built" in early.err) == (1, True)
    pipeline.build(*ONLY)
    assert "nothing to compare" in pipeline.call("compare-sources").out
    with FileLock(pipeline.root / "_lock"):
        assert pipeline.call("compare-sources").code == 3


def test_a_year_is_read_in_parts_without_a_play_twice(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polling.compared_plays.SLICE", dt.timedelta(minutes=7))
    monkeypatch.setattr("polling.compared_plays.DAY", dt.timedelta(minutes=5))
    put_export(pipeline)
    poll_spotify(pipeline, ends=True)
    pipeline.build(*ONLY)
    (one,) = compare(pipeline)
    assert (one["compared"], one["both"], sum(one["only_export"].values())) == (18, 13, 4)
    assert len(pipeline.rows("ops.source_comparison")) == 5


def real_rows(real_data: Path) -> list[dict[str, Any]]:
    """The last file of the real export, in order of time."""
    with zipfile.ZipFile(real_data / "spotify_history" / "my_spotify_data.zip") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("2024_9.json")]
        return sorted(json.loads(archive.read(name)), key=begin_of)


def begin_of(row: Mapping[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(row["ts"]) - dt.timedelta(milliseconds=row["ms_played"])


def test_the_last_month_of_the_real_export_as_answers_of_spotify(pipeline: Pipeline, real_data: Path) -> None:
    """Every tenth of the plays of 30 s or more was private, every seventh of the others was missed."""
    rows = real_rows(real_data)
    month = [row for row in rows if row["ts"] >= "2024-11-15" and row["spotify_track_uri"]]
    long = [row for row in month if row["ms_played"] >= 30_000]
    private, rest = long[5::10], [row for number, row in enumerate(long) if number % 10 != 5]
    missed = [row for number, row in enumerate(rest) if number % 7 == 3]
    told = [row for number, row in enumerate(rest) if number % 7 != 3]
    for row in private:
        row["incognito_mode"] = True
    pipeline.write("Streaming_History_Audio_2024_9.json", rows)
    for first in range(0, len(told), 50):
        plays = [
            spotify_play(z(begin_of(row)), uri=row["spotify_track_uri"], name=row["master_metadata_track_name"])
            for row in reversed(told[first : first + 50])
        ]
        put(pipeline, "spotify_api", spotify_body(*plays), range(len(plays)))
    pipeline.build(*ONLY)
    (one,) = compare(pipeline)
    within = {id(row) for row in month if begin_of(told[0]) <= begin_of(row) <= begin_of(told[-1])}
    short = [row for row in month if row["ms_played"] < 30_000 and id(row) in within]
    assert one["both"] == len(told)
    assert one["only_export"] == {
        "short": len(short),
        "private": sum(id(row) in within for row in private),
        "offline": 0,
        "missing": sum(id(row) in within for row in missed),
    }
    assert one["only_polled"] == {"missing": 0}
    assert one["compared"] == one["both"] + sum(one["only_export"].values())
    found = Counter(row["reason"] for row in pipeline.rows("ops.source_comparison"))
    assert found == {reason: number for reason, number in one["only_export"].items() if number}
