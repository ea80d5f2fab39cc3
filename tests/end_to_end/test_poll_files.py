"""Poll files in the inbox beside an export of the same plays: no play twice, none lost, and each with where it comes from."""

from __future__ import annotations

import datetime as dt
import gzip
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from polling.envelope import write_envelope
from polling.inbox_files import loose_files
from polling.packing import pack_inbox
from polling.places import AccountPlace
from polling.state import AccountState, save_state
from tests.end_to_end.pipeline import Pipeline, export_row, track_uri
from tests.polling.envelopes_of import (
    envelope,
    lastfm_body,
    lastfm_track,
    listenbrainz_body,
    listenbrainz_listen,
    spotify_body,
    spotify_play,
)

UTC = dt.timezone.utc
START = dt.datetime(2024, 6, 1, 8, tzinfo=UTC)
LENGTH = dt.timedelta(minutes=3)
PLAYS = 40
ONLY = ("--only", "silver.plays", "--only", "ops.reconciliation")


def start_of(number: int) -> dt.datetime:
    """Plays of 180 s, one every five minutes; every third one is of the track that came before it."""
    return START + number * dt.timedelta(minutes=5)


def track_of(number: int) -> int:
    return 1 + number - (number % 3 == 2)


def z(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def uts(moment: dt.datetime) -> int:
    return int(moment.timestamp())


class Inbox:
    """The inbox of a pipeline, into which answers are written as polls would."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.folder = pipeline.landing / "_api"
        self.sequence = 0

    def put(self, source: str, body: Any, new: Sequence[int], date: dt.datetime, listener: str = "me") -> Path:
        self.sequence += 1
        place = AccountPlace(self.folder, source, "account")
        return write_envelope(place, self.sequence, envelope(source, body, new, listener, date))

    def spotify(self, numbers: Sequence[int], new: Sequence[int], *, ends: bool) -> Path:
        """An answer with the plays of these numbers, newest first; `played_at` is the start or the end, and a little late."""
        shift = (LENGTH if ends else dt.timedelta()) + dt.timedelta(milliseconds=730)
        plays = [spotify_play(z(start_of(number) + shift), track_of(number)) for number in numbers]
        return self.put("spotify_api", spotify_body(*plays), new, start_of(max(numbers)) + 2 * LENGTH)


def polls_of_spotify(inbox: Inbox, *, ends: bool) -> None:
    """Each answer also tells of plays that the one before it told of."""
    for last in range(9, PLAYS, 10):
        shown = list(range(last, max(-1, last - 25), -1))
        inbox.spotify(shown, range(10), ends=ends)


def scrobbles(inbox: Inbox, *, ends: bool) -> None:
    shift = LENGTH if ends else dt.timedelta()
    numbers = list(range(PLAYS - 1, -1, -1))
    tracks = [lastfm_track(None), *[lastfm_track(uts(start_of(one) + shift), track_of(one)) for one in numbers]]
    inbox.put("lastfm_api", lastfm_body(tracks), range(1, PLAYS + 1), start_of(PLAYS))
    listens = [listenbrainz_listen(uts(start_of(one) + shift) + 2, track_of(one)) for one in numbers]
    inbox.put("listenbrainz_api", listenbrainz_body(*listens), range(PLAYS), start_of(PLAYS))


def put_export(pipeline: Pipeline) -> None:
    rows = [export_row(z(start_of(number) + LENGTH), track_of(number)) for number in range(PLAYS)]
    pipeline.write("Streaming_History_Audio_2024.json", rows)


def build(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Run, check that every row is accounted for, and return the kept plays."""
    document = pipeline.build(*ONLY).document
    assert all(one["is_balanced"] for one in document["reconciliation"])
    assert document["problems"] == []
    return pipeline.rows("silver.plays", disposition="kept")


@pytest.mark.parametrize("ends", [False, True], ids=["starts", "ends"])
def test_no_play_twice_beside_an_export_in_any_order(pipeline: Pipeline, ends: bool) -> None:
    inbox = Inbox(pipeline)
    polls_of_spotify(inbox, ends=ends)
    first = build(pipeline)
    assert len(first) == PLAYS
    assert len(pipeline.rows("bronze.listening_history")) == PLAYS
    assert {(row["source"], row["source_kind"], *row["sources"]) for row in first} == {("spotify_api", "api", "api")}
    put_export(pipeline)
    scrobbles(inbox, ends=not ends)
    kept = build(pipeline)
    assert len(kept) == PLAYS
    assert sorted(row["played_at"] for row in kept) == [start_of(number) for number in range(PLAYS)]
    assert {(row["source"], row["source_kind"]) for row in kept} == {("spotify_extended", "export")}
    assert {tuple(row["sources"]) for row in kept} == {("api", "export", "scrobble")}
    # A play keeps the id that it had when it was seen first.
    assert {row["play_id"] for row in kept} == {row["play_id"] for row in first}
    assert {row["source"] for row in pipeline.rows("silver.plays", disposition="duplicate")} == {
        *("spotify_api", "lastfm_api", "listenbrainz_api")
    }


def test_what_only_a_poll_has_stays_and_what_an_answer_repeats_does_not_count(pipeline: Pipeline) -> None:
    inbox = Inbox(pipeline)
    polls_of_spotify(inbox, ends=True)
    put_export(pipeline)
    inbox.spotify(range(PLAYS + 1, PLAYS - 20, -1), [0, 1], ends=True)
    kept = build(pipeline)
    assert len(kept) == PLAYS + 2
    later = [row for row in kept if row["source"] == "spotify_api"]
    assert sorted(row["track_id"] for row in later) == sorted(
        track_uri(track_of(number)).removeprefix("spotify:track:") for number in (PLAYS, PLAYS + 1)
    )
    assert [row["sources"] for row in later] == [["api"], ["api"]]


def test_odd_items_are_set_aside_or_quarantined(pipeline: Pipeline) -> None:
    plays = [
        spotify_play(z(start_of(0))),
        {"track": None, "played_at": z(start_of(1))},
        spotify_play(z(start_of(2)), type="episode", uri="spotify:episode:x", show={"name": "Show"}),
        spotify_play(z(dt.datetime.now(UTC) + dt.timedelta(hours=3))),
        spotify_play(z(start_of(4)), 4, id=None, uri="spotify:local:A:B:C:180", is_local=True),
    ]
    Inbox(pipeline).put("spotify_api", spotify_body(*plays), range(5), start_of(9), "anna")
    pipeline.build(*ONLY)
    found = {row["row_number"]: (row["disposition"], row["reason"]) for row in pipeline.rows("silver.plays", user_id="anna")}
    assert found == {
        1: ("kept", None),
        2: ("quarantined", "no_names_and_no_uri"),
        3: ("set_aside", "podcast"),
        4: ("quarantined", "ts_in_future"),
        5: ("kept", None),
    }


def test_an_answer_of_which_nothing_counts_is_no_failure_of_the_run(pipeline: Pipeline) -> None:
    """Nobody can mend what a service said."""
    put_export(pipeline)
    Inbox(pipeline).put("spotify_api", {"items": [{"track": None, "played_at": "x"}]}, [0], START)
    document = pipeline.build(*ONLY).document
    assert [one["is_balanced"] for one in document["reconciliation"]] == [True, True]
    assert len(pipeline.rows("silver.plays", disposition="quarantined")) == 1


def test_the_listener_is_the_envelopes_whoever_the_run_is_for(pipeline: Pipeline) -> None:
    inbox = Inbox(pipeline)
    inbox.put("spotify_api", spotify_body(spotify_play(z(start_of(0)))), [0], start_of(1), "anna")
    inbox.put("spotify_api", spotify_body(spotify_play(z(start_of(0)))), [0], start_of(1), "ben")
    pipeline.build(*ONLY)
    versions = pipeline.versions()
    assert [row["user_id"] for row in pipeline.rows("bronze.listening_history")] == ["anna", "ben"]
    assert pipeline.build(*ONLY, "--user", "carl").document["new_files"] == []
    assert pipeline.versions() == versions


def test_packing_a_month_reads_no_row_again(pipeline: Pipeline) -> None:
    inbox = Inbox(pipeline)
    polls_of_spotify(inbox, ends=False)
    build(pipeline)
    versions = pipeline.versions()
    place = AccountPlace(inbox.folder, "spotify_api", "account")
    files = [file.folder / file.name for file in loose_files(place)]
    with zipfile.ZipFile(place.folder / "2024-06.zip", "w") as archive:
        for path in files[1:]:
            archive.write(path, path.name)
            path.unlink()
    # One lies unpacked, without its gzip.
    files[0].with_suffix("").write_bytes(gzip.decompress(files[0].read_bytes()))
    files[0].unlink()
    again = pipeline.build(*ONLY)
    assert again.document["new_files"] == []
    assert pipeline.versions() == versions


def test_a_run_packs_older_months_and_builds_nothing_for_it(pipeline: Pipeline) -> None:
    inbox = Inbox(pipeline)
    polls_of_spotify(inbox, ends=False)
    later = dt.datetime(2024, 7, 2, 12, tzinfo=UTC)
    inbox.put("spotify_api", spotify_body(spotify_play(z(later), 7)), [0], later)
    first = build(pipeline)
    place = AccountPlace(inbox.folder, "spotify_api", "account")
    versions, remembered = pipeline.versions(), pipeline.rows("ops.ingestion_state")
    state = AccountState("spotify_api", "account", "me", sequence=inbox.sequence, polled_at=later)
    save_state(place, state)
    for options in ((), ("--full",)):
        again = pipeline.build(*ONLY, *options)
        assert sorted(path.name for path in (place.folder / "2024-06").iterdir()) == ["_packed.zip"]
        assert len(loose_files(place)) == 1
        assert again.document["new_files"] == again.document["problems"] == []
        assert pipeline.rows("ops.ingestion_state") == remembered
        if not options:
            assert again.document["outcomes"] == []
            assert again.document["engine_started"] is False
            assert pipeline.versions() == versions
    assert build(pipeline) == first


def test_only_packed_months_and_an_empty_landing_folder_make_no_demo(pipeline: Pipeline) -> None:
    inbox = Inbox(pipeline)
    polls_of_spotify(inbox, ends=False)
    place = AccountPlace(inbox.folder, "spotify_api", "account")
    later = dt.datetime(2024, 8, 1, tzinfo=UTC)
    save_state(place, AccountState("spotify_api", "account", "me", sequence=inbox.sequence, polled_at=later))
    assert pack_inbox(inbox.folder) == inbox.sequence
    assert len(build(pipeline)) == PLAYS


def test_an_inbox_elsewhere_and_an_empty_landing_folder_make_no_demo(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox(pipeline)
    inbox.folder = tmp_path / "elsewhere"
    inbox.spotify([1, 0], [0, 1], ends=False)
    monkeypatch.setenv("LAKEHOUSE_INBOX", str(inbox.folder))
    assert len(build(pipeline)) == 2
    assert {row["path"].split("!")[0] for row in pipeline.rows("ops.ingestion_state")} == {
        "_api/spotify_api/account/2024-06/00000001-20240601T081100Z.json.gz"
    }


@pytest.mark.parametrize("ends", [False, True], ids=["starts", "ends"])
def test_without_an_export_the_length_of_the_track_tells_which_records_are_one_play(pipeline: Pipeline, ends: bool) -> None:
    """One source has starts, the others have ends, and none says how long a play was."""
    inbox = Inbox(pipeline)
    scrobbles(inbox, ends=not ends)
    assert len(build(pipeline)) == PLAYS
    polls_of_spotify(inbox, ends=ends)
    kept = build(pipeline)
    assert len(kept) == PLAYS
    assert {tuple(row["sources"]) for row in kept} == {("api", "scrobble")}
    assert {row["source"] for row in kept} == {"spotify_api"}
