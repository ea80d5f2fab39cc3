"""What needs a person: an account that is refused, a run that failed, a consent that ends, a disk nearly full, a gap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lakehouse.cli.errors import LOCKED, OK
from lakehouse.cli.sanitize import CONTROL
from lakehouse.settings import Settings
from music.consent import ending_notice
from music.envelopes import SPOTIFY_API
from polling.announcement import accounts_and_gaps
from polling.tokens import TokenStore
from service.disks import disks, existing

RUN_FAILED = "run_failed"
TITLES = {
    "account_refused": "An account is refused",
    RUN_FAILED: "A run failed",
    "consent_ending": "A consent ends",
    "disk_nearly_full": "A disk is nearly full",
    "gap": "Plays may be missing",
}
LEAST_FREE, LEAST_SHARE = 2 * 2**30, 0.05
"""a disk is nearly full with less room than both of these, or than a quarter of the first"""
WELL_AGAIN = 1.25
"""a disk that was nearly full is well again with so many times that room"""
LONGEST = 300


@dataclass(frozen=True)
class Need:
    """One thing. `key` is the same as long as it lasts, also when its text changes."""

    kind: str
    key: str
    message: str
    remedy: str

    @property
    def title(self) -> str:
        """What kind of thing it is, for people."""
        return TITLES[self.kind]


def needs(settings: Settings, now: dt.datetime, build_exit_code: int | None, lasting: Collection[str]) -> list[Need]:
    """What needs a person now. `lasting` are the keys of what did when it was last looked.

    Without `build_exit_code` nothing new is known of runs: a failed one stays failed. Raises OSError.
    """
    return [*_accounts(settings, now), *_run(build_exit_code, lasting), *_disks(settings, lasting)]


def _accounts(settings: Settings, now: dt.datetime) -> Iterator[Need]:
    accounts, gaps = accounts_and_gaps(settings, now)
    for row in accounts:
        if row["status"] in ("refused", "unreadable"):
            yield _need("account_refused", _named(row), f"{_named(row)}: {row['reason']}", row.get("remedy") or "")
    for token in TokenStore(settings.state_dir, SPOTIFY_API).accounts():
        notice = ending_notice(SPOTIFY_API, token.listener, token.consent_ends, now)
        if notice is not None and token.refused_at is None:
            message, _, remedy = notice.partition("; ")
            named = f"{SPOTIFY_API} {token.account_id} ({token.listener})"
            yield _need("consent_ending", f"{named} {token.consent_ends:%Y-%m-%d}", f"{named}: {message}", remedy)
    for gap in gaps:
        interval = f"from {gap['gap_from']:%Y-%m-%d %H:%M} to {gap['gap_to']:%Y-%m-%d %H:%M} UTC"
        key, message = f"{_named(gap)} {gap['gap_from'].isoformat()}", f"{_named(gap)}: plays may be missing {interval}"
        yield _need("gap", key, message, "an export of that time brings them")


def _run(exit_code: int | None, lasting: Collection[str]) -> Iterator[Need]:
    says_nothing = exit_code is None or exit_code == LOCKED
    if RUN_FAILED in lasting if says_nothing else exit_code != OK:
        how = f" (exit code {exit_code})" if exit_code is not None else ""
        yield Need(RUN_FAILED, RUN_FAILED, f"the last run failed{how}", "`lakehouse status` says what went wrong")


def _disks(settings: Settings, lasting: Collection[str]) -> Iterator[Need]:
    by_device = {existing(disk.folder).stat().st_dev: (name, disk) for name, disk in reversed(disks(settings).items())}
    for name, disk in by_device.values():
        least = max(min(LEAST_FREE, LEAST_SHARE * disk.total), LEAST_FREE / 4)
        key = f"disk_nearly_full {name}"
        if disk.free < least * (WELL_AGAIN if key in lasting else 1):
            message = f"the disk of the {name} folder {disk.folder} has {disk.free / 2**30:.1f} GiB left"
            yield _need(
                "disk_nearly_full", name, message, "make room: on a full disk runs fail, and what players send is refused"
            )


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['source']} {row['account_id']}" + (f" ({row['user_id']})" if row.get("user_id") else "")


def _need(kind: str, key: str, message: str, remedy: str) -> Need:
    """Names and reasons come from outside: one line, and not without end."""
    return Need(kind, f"{kind} {key}", CONTROL.sub(" ", message)[:LONGEST], CONTROL.sub(" ", remedy)[:LONGEST])
