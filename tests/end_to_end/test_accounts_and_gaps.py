"""Accounts and gaps, from the state of the inbox to ops, status and report, through the commands."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakehouse.storage import delta
from polling.places import AccountPlace
from polling.state import AccountState, Gap, save_state
from tests.end_to_end.pipeline import Pipeline, export_row

UTC = dt.timezone.utc
START = dt.datetime(2024, 6, 1, 8, tzinfo=UTC)
HOUR = dt.timedelta(hours=1)
GAP = Gap(START + 2 * HOUR, START + 3 * HOUR, START + 4 * HOUR)
STATE = AccountState("spotify_api", "abc", "anna", cursor=GAP.end, polled_at=GAP.found_at, gaps=(GAP,))
ONLY = ("--only", "silver.plays", "--only", "silver.coverage", "--only", "ops.reconciliation", "--only", "silver.users")
OPS = ("poll_state", "gaps", "source_comparison")
NAME = "Streaming_History_Audio_2024_1.json"


def export(*hours: float, **changes: Any) -> list[dict[str, Any]]:
    """Plays that end so many hours after START."""
    ends = [START + hour * HOUR for hour in hours]
    return [export_row(f"{end:%Y-%m-%dT%H:%M:%SZ}", number + 1, **changes) for number, end in enumerate(ends)]


def put_state(pipeline: Pipeline, state: AccountState = STATE) -> Path:
    place = AccountPlace(pipeline.landing / "_api", state.source, state.account_id)
    save_state(place, state)
    return place.state


def commits(pipeline: Pipeline) -> dict[str, int | None]:
    return {name: delta.version(pipeline.root / "ops" / name) for name in OPS}


def gaps(pipeline: Pipeline) -> list[tuple[bool, str | None]]:
    return [(row["is_open"], row["closed_by"]) for row in pipeline.rows("ops.gaps")]


def test_without_an_inbox_the_tables_are_there_and_nobody_hears_of_it(pipeline: Pipeline) -> None:
    pipeline.write(NAME, export(1))
    report = pipeline.build(*ONLY).document
    assert report["accounts"] == {"open_gaps": 0, "consent_notices": {}}
    assert [pipeline.rows(f"ops.{name}") for name in OPS] == [[], [], []]
    before = commits(pipeline)
    pipeline.build(*ONLY)
    assert commits(pipeline) == before
    told = pipeline.call("status")
    assert told.code == 0
    assert not {"account", "gap:", "warning"} & set(told.out.split())
    assert pipeline.call("status", "--json").document["accounts"] == []


def test_a_run_with_nothing_else_to_do_copies_what_changed_and_nothing_more(pipeline: Pipeline) -> None:
    pipeline.write(NAME, export(1))
    pipeline.build(*ONLY)
    put_state(pipeline)
    assert pipeline.call("run", "--dry-run", *ONLY).code == 0
    assert pipeline.rows("ops.poll_state") == []
    report = pipeline.build(*ONLY).document
    assert (report["outcomes"], report["engine_started"], report["accounts"]["open_gaps"]) == ([], False, 1)
    (row,) = pipeline.rows("ops.poll_state")
    assert (row["source"], row["account_id"], row["user_id"], row["cursor"]) == ("spotify_api", "abc", "anna", GAP.end)
    assert gaps(pipeline) == [(True, None)]
    before = commits(pipeline)
    pipeline.build(*ONLY)
    assert commits(pipeline) == before
    put_state(pipeline, STATE.refused(GAP.end, "the allow-list lacks the account", "add it"))
    pipeline.build(*ONLY)
    (row,) = pipeline.rows("ops.poll_state")
    assert (row["status"], row["reason"], row["remedy"]) == ("refused", "the allow-list lacks the account", "add it")
    assert commits(pipeline)["gaps"] == before["gaps"]


def test_a_gap_is_closed_by_an_export_of_its_listener_that_encloses_it_and_stays_closed(pipeline: Pipeline) -> None:
    state = put_state(pipeline)
    pipeline.write(f"listeners/anna/{NAME}", export(1, 2.9))
    pipeline.write(f"listeners/ben/{NAME}", export(1, 9))
    pipeline.build(*ONLY)
    assert gaps(pipeline) == [(True, None)]
    # Videos alone reach over that time, and tell nothing of its music.
    pipeline.write("listeners/anna/Streaming_History_Video_2024.json", export(0.5, 7.5))
    pipeline.build(*ONLY)
    assert gaps(pipeline) == [(True, None)]
    file = pipeline.write("listeners/anna/later.json", export(1.5, 8))
    report = pipeline.build(*ONLY).document
    assert gaps(pipeline) == [(False, "listeners/anna/later.json")]
    assert report["accounts"]["open_gaps"] == 0
    before = commits(pipeline)
    file.unlink()
    pipeline.build(*ONLY)
    state.unlink()
    pipeline.build(*ONLY)
    assert gaps(pipeline) == [(False, "listeners/anna/later.json")]
    assert commits(pipeline)["gaps"] == before["gaps"]
    assert pipeline.rows("ops.poll_state") == []


def test_files_of_one_archive_cover_what_lies_between_them(pipeline: Pipeline) -> None:
    put_state(pipeline)
    path = pipeline.landing / "listeners" / "anna" / "my_spotify_data.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        for number, hours in enumerate([(1, 2.5), (2.6, 3.2)]):
            archive.writestr(f"data/Streaming_History_Audio_2024_{number}.json", json.dumps(export(*hours)))
    pipeline.build(*ONLY)
    assert gaps(pipeline) == [(False, "listeners/anna/my_spotify_data.zip")]


def account_data(*hours: float) -> list[Mapping[str, Any]]:
    ends = [START + hour * HOUR for hour in hours]
    return [{"endTime": f"{end:%Y-%m-%d %H:%M}", "artistName": "A", "trackName": "T", "msPlayed": 180_000} for end in ends]


def test_account_data_closes_a_gap_of_spotify_and_none_of_lastfm(pipeline: Pipeline) -> None:
    put_state(pipeline)
    put_state(pipeline, replace(STATE, source="lastfm_api"))
    pipeline.write("listeners/anna/StreamingHistory_music_0.json", account_data(1, 4))
    pipeline.build(*ONLY)
    assert {row["source"]: row["is_open"] for row in pipeline.rows("ops.gaps")} == {"spotify_api": False, "lastfm_api": True}


def test_status_tells_of_accounts_and_gaps_as_text(pipeline: Pipeline) -> None:
    now = dt.datetime.now(UTC)
    consent = now - dt.timedelta(days=170)
    put_state(pipeline, replace(STATE, consent=consent, cursor=now, polled_at=now))
    hostile = replace(
        STATE, source="lastfm_api", account_id="x[bold]\x1b[31m", listener="ben", cursor=now, polled_at=now, gaps=()
    )
    put_state(pipeline, hostile.waiting(now + HOUR, "too\x1bmany"))
    pipeline.root.mkdir()
    early = pipeline.call("status", "--landing", str(pipeline.landing))
    assert "there has been no run" in early.out
    assert "account spotify_api abc (anna): ok" in early.out
    pipeline.write(NAME, export(1))
    pipeline.build(*ONLY)
    told = pipeline.call("status")
    assert told.code == 0
    assert "account spotify_api abc (anna): ok; polled" in told.out
    assert "gap: spotify_api abc (anna): plays may be missing from 2024-06-01 10:00 to 2024-06-01 11:00 UTC" in told.out
    assert "renew it with `lakehouse connect spotify --user anna`" in told.out
    assert "account lastfm_api x[bold] [31m (ben): waiting until" in told.out
    assert "\x1b" not in told.out
    document = pipeline.call("status", "--json").document
    assert [one["status"] for one in document["accounts"]] == ["waiting", "ok"]
    assert "the consent ends on" in document["accounts"][1]["consent_notice"]
    assert [one["user_id"] for one in document["gaps"]] == ["anna"]


def test_a_state_that_cannot_be_read_fails_no_run(pipeline: Pipeline) -> None:
    put_state(pipeline).write_text("{")
    pipeline.write(NAME, export(1))
    answer = pipeline.call("run", *ONLY)
    assert answer.code == 0
    assert "remove spotify_api/_abc.json from the inbox" in answer.out
    assert [row["status"] for row in pipeline.rows("ops.poll_state")] == ["unreadable"]


@pytest.mark.parametrize("table", [f"ops.{name}" for name in OPS])
def test_the_tables_stand_in_the_catalogue(pipeline: Pipeline, table: str) -> None:
    pipeline.write(NAME, export(1))
    pipeline.build(*ONLY)
    assert table in pipeline.call("tables", "ops").out
    assert pipeline.call("show", table).code == 0


def test_the_report_tells_of_open_gaps_and_of_what_the_listener_has_to_do(pipeline: Pipeline) -> None:
    pipeline.write(f"listeners/anna/{NAME}", export(1))
    pipeline.write(f"listeners/ben/{NAME}", export(2))
    pipeline.build(*ONLY)
    out = pipeline.home / "page.html"

    def page(listener: str) -> str:
        answer = pipeline.call("report", "--user", listener, "--out", str(out))
        assert answer.code == 0, answer.err
        return out.read_text("utf-8")

    title = "Is anything missing from this history?"
    assert title not in page("anna")
    consent = dt.datetime.now(UTC) - dt.timedelta(days=170)
    put_state(pipeline, replace(STATE, consent=consent).refused(GAP.end, "<script>alert(1)</script>", "add <b>it</b>"))
    pipeline.build(*ONLY)
    told = page("anna")
    assert title in told
    assert "<td>Spotify</td><td>2024-06-01 10:00</td><td>2024-06-01 11:00</td>" in told
    assert "refused: &lt;script&gt;alert(1)&lt;/script&gt;; add &lt;b&gt;it&lt;/b&gt;" in told
    assert "<script>alert(1)" not in told
    assert "renew it with `lakehouse connect spotify --user anna`" in told
    assert title not in page("ben")
