"""How an account fares, by its state and the time; what a gap takes to be closed."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music.consent import ending_notice
from music.shares import wilson_interval
from polling.account_rows import account_rows, state_files
from polling.compared_plays import common
from polling.gap_rows import Covered, closed, known_gaps, open_gaps, read_again
from polling.places import AccountPlace
from polling.progress import Progress
from polling.state import AccountState, Gap, save_state

UTC = dt.timezone.utc
NOW = dt.datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR, DAY, SECOND = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(seconds=1)
STATE = AccountState("spotify_api", "abc", "anna", cursor=NOW - HOUR, polled_at=NOW - HOUR)
GAP = Gap(NOW - 2 * HOUR, NOW - HOUR, NOW)


def row_of(state: AccountState, inbox: Path) -> dict[str, object]:
    save_state(AccountPlace(inbox, state.source, state.account_id), state)
    (row,) = account_rows(state_files(inbox), NOW)
    return row


@pytest.mark.parametrize(
    ("state", "status", "reason", "remedy"),
    [
        (STATE, "ok", None, None),
        (replace(STATE, polled_at=None), "new", None, "`lakehouse poll` reads its plays"),
        (STATE.waiting(NOW + SECOND, "busy"), "waiting", "busy", None),
        (STATE.waiting(NOW, "busy"), "ok", None, None),
        (STATE.refused(NOW, "no", "ask"), "refused", "no", "ask"),
        (STATE.failed(NOW, "HTTP 503"), "failing", "no poll goes well since 2026-11-30 12:00 UTC: HTTP 503", None),
        (STATE.refused(NOW, "no", "ask").waiting(NOW + DAY, "busy"), "refused", "no", "ask"),
        (replace(STATE, polled_at=NOW - 3 * DAY), "ok", None, None),
        (replace(STATE, cursor=NOW - 3 * DAY), "ok", None, None),
        (
            replace(STATE, polled_at=NOW - 3 * DAY - SECOND),
            "stale",
            "no poll went well since 2026-11-27",
            "run `lakehouse poll`, or start the scheduler",
        ),
        (
            replace(STATE, cursor=NOW - 3 * DAY - SECOND),
            "stale",
            "polls go well, but bring no play since 2026-11-27: nothing heard, or a stalled source",
            None,
        ),
        (replace(STATE, cursor=None), "ok", None, None),
    ],
)
def test_the_status_of_an_account(
    state: AccountState, status: str, reason: str | None, remedy: str | None, tmp_path: Path
) -> None:
    row = row_of(state, tmp_path)
    assert (row["status"], row["reason"], row["remedy"]) == (status, reason, remedy)


def test_a_consent_ends_after_six_months_at_spotify_only(tmp_path: Path) -> None:
    consent = dt.datetime(2026, 8, 31, 9, tzinfo=UTC)
    assert row_of(replace(STATE, consent=consent), tmp_path / "a")["consent_ends_at"] == dt.datetime(2027, 2, 28, 9, tzinfo=UTC)
    assert row_of(replace(STATE, source="lastfm_api", consent=consent), tmp_path / "b")["consent_ends_at"] is None


def test_a_state_that_cannot_be_read_or_is_a_copy_is_told_and_hides_no_other(tmp_path: Path) -> None:
    place = AccountPlace(tmp_path, "spotify_api", "_a/b")
    save_state(place, replace(STATE, account_id="_a/b"))
    place.state.with_name("_copy.json").write_bytes(place.state.read_bytes())
    (tmp_path / "lastfm_api").mkdir()
    (tmp_path / "lastfm_api" / "_x%2Fy.json").write_bytes(b"\xff{")
    rows = {(row["source"], row["account_id"]): row["status"] for row in account_rows(state_files(tmp_path), NOW)}
    assert rows == {("spotify_api", "_a/b"): "ok", ("spotify_api", "copy"): "unreadable", ("lastfm_api", "x/y"): "unreadable"}


@pytest.mark.parametrize(("before", "notice"), [(31 * DAY, None), (30 * DAY, "in 30 days"), (dt.timedelta(0), "ended on")])
def test_the_end_of_consent_is_announced_a_month_before(before: dt.timedelta, notice: str | None) -> None:
    said = ending_notice("spotify_api", "anna b", NOW + before, NOW)
    assert said is None if notice is None else said is not None and notice in said and "--user 'anna b'" in said


def gap_row(**changes: object) -> dict[str, object]:
    (row,) = known_gaps([], [replace(STATE, gaps=(GAP,))])
    return row | changes


@pytest.mark.parametrize(
    ("covered", "is_open"),
    [
        (Covered("spotify_api", "anna", GAP.start, GAP.end, "x"), False),
        # A play may stand in an export by its start or by its end to the second.
        (Covered("spotify_api", "anna", GAP.start, GAP.end - 30 * SECOND, "x"), False),
        (Covered("spotify_api", "anna", GAP.start, GAP.end - 31 * SECOND, "x"), True),
        (Covered("spotify_api", "anna", GAP.start + 31 * SECOND, GAP.end, "x"), True),
        (Covered("spotify_api", "ben", GAP.start, GAP.end, "x"), True),
        (Covered("lastfm_api", "anna", GAP.start, GAP.end, "x"), True),
        (Covered("spotify_api", "anna", GAP.start, GAP.end, "x", account_id="abc"), False),
        (Covered("spotify_api", "anna", GAP.start, GAP.end, "x", account_id="other"), True),
    ],
)
def test_what_closes_a_gap(covered: Covered, is_open: bool) -> None:
    (row,) = closed([gap_row()], [covered], NOW)
    assert row["is_open"] == is_open
    assert (row["closed_at"], row["closed_by"]) == ((None, None) if is_open else (NOW, "x"))


def test_what_a_comparison_has_read_again_closes_gaps_also_before_its_end() -> None:
    """In November; the walk comes from its end on."""
    walk = Progress.begin(NOW + SECOND)
    assert closed([gap_row()], list(read_again([replace(STATE, comparison=walk)])), NOW) == [gap_row()]
    past = replace(walk, month="2026-10")
    (row,) = closed([gap_row()], list(read_again([replace(STATE, comparison=past)])), NOW)
    assert (row["is_open"], row["closed_by"]) == (False, "a comparison with the source")
    ended = replace(walk, is_complete=True, has_all=True)
    assert [row["is_open"] for row in closed([gap_row()], list(read_again([replace(STATE, comparison=ended)])), NOW)] == [False]
    # One that began before the gap was read tells nothing of it.
    early = replace(ended, upper=GAP.start)
    assert closed([gap_row()], list(read_again([replace(STATE, comparison=early)])), NOW) == [gap_row()]


def test_a_closed_gap_stays_closed_and_an_open_one_stays_when_the_state_is_made_anew() -> None:
    done = gap_row(is_open=False, closed_at=NOW - DAY, closed_by="old.zip")
    assert known_gaps([done], [replace(STATE, gaps=(GAP,))]) == [done]
    assert closed([done], [Covered("spotify_api", "anna", GAP.start, GAP.end, "new.zip")], NOW) == [done]
    assert known_gaps([gap_row()], [STATE]) == [gap_row()]
    assert open_gaps([done, gap_row()]) == [gap_row()]


SECONDS = st.integers(0, 60)
INTERVALS = st.tuples(SECONDS, SECONDS).map(sorted)


@given(polled=INTERVALS, exports=st.lists(INTERVALS, max_size=6), at=SECONDS)
def test_the_common_time_holds_a_moment_where_both_do_once(polled: list[int], exports: list[list[int]], at: int) -> None:
    def times(pair: list[int]) -> tuple[dt.datetime, dt.datetime]:
        return NOW + pair[0] * SECOND, NOW + pair[1] * SECOND

    found = common(times(polled), [times(export) for export in exports])
    moment = NOW + at * SECOND
    is_common = polled[0] <= at <= polled[1] and any(start <= at <= end for start, end in exports)
    assert sum(start <= moment <= end for start, end in found) == is_common
    assert found == sorted(found)


def test_wilson_interval() -> None:
    # Newcombe, Stat. Med. 17 (1998) 857-872, table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    assert wilson_interval(0, 20) == (0.0, pytest.approx(0.1611, abs=5e-5))
    assert wilson_interval(0, 0) == (None, None)
