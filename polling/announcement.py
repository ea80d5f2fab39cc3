"""How the connected accounts fare, for people: in `status`, and after a run what they have to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from lakehouse.cli.product import Announcement
from lakehouse.settings import Settings
from music.consent import ending_notice
from polling.account_rows import account_rows, state_files, states
from polling.gap_rows import Row, known_gaps, open_gaps
from polling.ops_rows import stored_rows
from validators.gaps import GAPS
from validators.poll_state import POLL_STATE

NEWS = ("refused", "failing", "stale", "unreadable")
SHOWN = 10


def status(settings: Settings) -> Announcement:
    """What `status` says: a line for each account and each open gap, and what a person has to do.

    The states are those of the inbox, which polls change between two runs; those that the last run saw where there is no inbox.
    """
    now = dt.datetime.now(dt.timezone.utc)
    accounts, gaps = accounts_and_gaps(settings, now)
    data = {"accounts": [row | {"consent_notice": _notice(row, now)} for row in accounts], "gaps": gaps}
    lines = [*[_account_line(row) for row in accounts], *_gap_lines(gaps)]
    return Announcement(data, lines, _warnings(accounts, now))


def after_run(settings: Settings, tables: Mapping[str, Any], report: Any) -> Announcement:
    """The hook after a run: only what a person has to do, and the gaps that are open."""
    del tables, report
    now = dt.datetime.now(dt.timezone.utc)
    # The run has just brought the tables up to date.
    accounts, gaps = _stored(settings)
    notices = {f"{row['source']} {row['account_id']}": notice for row in accounts if (notice := _notice(row, now)) is not None}
    return Announcement({"open_gaps": len(gaps), "consent_notices": notices}, _gap_lines(gaps), _warnings(accounts, now))


def accounts_and_gaps(settings: Settings, now: dt.datetime) -> tuple[list[Row], list[Row]]:
    """The accounts as rows of ops.poll_state, and the open gaps as rows of ops.gaps."""
    if not settings.inbox_folder.is_dir():
        return _stored(settings)
    found = state_files(settings.inbox_folder)
    return account_rows(found, now), open_gaps(known_gaps(stored_rows(settings.dir, GAPS), states(found)))


def _stored(settings: Settings) -> tuple[list[Row], list[Row]]:
    """The accounts and the open gaps, as the last run found them."""
    accounts = sorted(stored_rows(settings.dir, POLL_STATE), key=lambda row: (row["source"], row["account_id"]))
    return accounts, open_gaps(stored_rows(settings.dir, GAPS))


def _notice(row: Mapping[str, Any], now: dt.datetime) -> str | None:
    ends = row.get("consent_ends_at")
    return None if ends is None else ending_notice(row["source"], row["user_id"], ends, now)


def _warnings(accounts: Sequence[Row], now: dt.datetime) -> list[str]:
    problems = [f"{_named(row)}: {_problem(row)}" for row in accounts if row["status"] in NEWS]
    notices = [f"{_named(row)}: {notice}" for row in accounts if (notice := _notice(row, now)) is not None]
    return [*problems, *notices]


def _account_line(row: Row) -> str:
    polled = row.get("polled_at")
    last = f"polled {polled:%Y-%m-%d %H:%M} UTC" if polled else "never polled"
    wait = f" until {row['retry_at']:%Y-%m-%d %H:%M} UTC: {row['reason']}" if row["status"] == "waiting" else ""
    return f"account {_named(row)}: {row['status']}{wait}; {last}"


def _problem(row: Row) -> str:
    remedy = f"; {row['remedy']}" if row.get("remedy") else ""
    return f"{row['status']}: {row['reason']}{remedy}"


def _gap_lines(gaps: Sequence[Row]) -> list[str]:
    lines = [
        f"gap: {_named(gap)}: plays may be missing from {gap['gap_from']:%Y-%m-%d %H:%M} to {gap['gap_to']:%Y-%m-%d %H:%M} UTC;"
        " an export would bring them"
        for gap in gaps[:SHOWN]
    ]
    more = len(gaps) - SHOWN
    return [*lines, f"... and {more:,} more gaps: `lakehouse show ops.gaps`"] if more > 0 else lines


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['source']} {row['account_id']}" + (f" ({row['user_id']})" if row.get("user_id") else "")
