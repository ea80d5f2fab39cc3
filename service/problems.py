"""What went wrong, as far as it concerns the one who looks, each with what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.people import Person
from service.runs import Result

NEWS = ("refused", "failing", "stale", "unreadable")
# Where the account names none.
REMEDIES = {
    "refused": "Connect the account again.",
    "failing": "The next poll tries again; if it stays, see to the reason.",
    "stale": "Nothing has to be done if nothing was heard.",
    "unreadable": "The admin sees which file to remove.",
}
NEXT_RUN = "The next run tries it again."


@dataclass(frozen=True)
class Problem:
    """Something that is wrong; texts may hold names from outside."""

    title: str
    detail: str
    remedy: str
    is_bad: bool = True
    """not only something to know"""


def problems_for(person: Person, snapshot: Mapping[str, Any] | None, last: Result | None, *, is_idle: bool) -> list[Problem]:
    """The problems that a person may see: their own files, accounts and rows; all of them for an admin.

    `is_idle`: no run is going on, and nothing changed since the snapshot.
    """
    found: list[Problem] = []
    if last is not None and last.exit_code != 0 and person.is_admin and snapshot is not None and not snapshot["tables"]:
        detail = " ".join(last.problems[-3:]) or last.summary
        found.append(Problem("The last run that was started here failed", detail, "Start it again below."))
    if snapshot is not None:
        found += [*_of_run(person, snapshot, is_idle=is_idle), *_of_files(person, snapshot), *_of_accounts(person, snapshot)]
    return found


def _of_run(person: Person, snapshot: Mapping[str, Any], *, is_idle: bool) -> Iterator[Problem]:
    runs = snapshot["runs"]
    if is_idle and runs and runs[0]["status"] in ("running", "killed") and _is_old(runs[0]["started_at"]):
        yield Problem("The last run was broken off", "What it had published stays.", "The next run continues from there.")
    for table in snapshot["tables"]:
        if table["status"] == "not built":
            yield Problem(
                f"{table['table_name']} is not built", table["error"] or "", "The other tables are there.", is_bad=False
            )
        elif table["status"] == "blocked":
            yield Problem(f"{table['table_name']} waits for a table that failed", "", NEXT_RUN)
        else:
            # An error may quote another listener's values.
            detail = table["error"] or "" if person.is_admin else "The admin sees why."
            yield Problem(f"{table['table_name']} could not be built; its earlier rows stay", detail, NEXT_RUN)
    for held in snapshot["held"]:
        if person.is_admin or held["user_id"] == person.user_id:
            title = f"{held['table_name']}: the newest rows of {held['user_id']} are held back"
            yield Problem(title, f"They break the rule: {held['rule']}.", f"The earlier rows stay. {NEXT_RUN}")


def _of_files(person: Person, snapshot: Mapping[str, Any]) -> Iterator[Problem]:
    remedies = {
        "broken": "Bring the file again, whole, as it was downloaded.",
        "unknown": "Bring the export as it was downloaded; if it is no listening history, remove it from the landing folder.",
    }
    titles = {"broken": "cannot be read", "unknown": "is no file that can be used here"}
    for file in snapshot["files"]:
        if person.is_admin or file["listener"] == person.user_id:
            status = file["status"]
            yield Problem(f"{file['path']} {titles[status]}", file["reason"] or "", remedies[status])


def _of_accounts(person: Person, snapshot: Mapping[str, Any]) -> Iterator[Problem]:
    for account in own(person, snapshot["accounts"]):
        name = f"{source_name(account['source'])} of {account.get('user_id') or 'an unknown listener'}"
        if account["status"] in NEWS:
            remedy = account.get("remedy") or REMEDIES[account["status"]]
            yield Problem(
                f"{name}: {account['status']}", account.get("reason") or "", remedy, is_bad=account["status"] != "stale"
            )
        if account.get("consent_notice"):
            yield Problem(name, account["consent_notice"], "Connect the account again.", is_bad=False)


def own(person: Person, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows about a person; all of them for an admin."""
    return [row for row in rows if person.is_admin or row.get("user_id") == person.user_id]


def source_name(source: str) -> str:
    """A live source as people call it."""
    names = {"spotify_api": "Spotify", "lastfm_api": "Last.fm", "listenbrainz_api": "ListenBrainz"}
    return names.get(source, source)


def _is_old(started_at: str) -> bool:
    """Whether a run began so long ago that it would have said how far it is."""
    return dt.datetime.now(dt.timezone.utc) - dt.datetime.fromisoformat(started_at) > dt.timedelta(minutes=2)
