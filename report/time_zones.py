"""Whose hours are in UTC because nobody has said where they live: told after a run and under the rows of a table."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.dataset as ds

from lakehouse.cli.here import near, program
from lakehouse.cli.product import Announcement
from lakehouse.declare import Table
from lakehouse.run.report import Report
from lakehouse.settings import Settings
from lakehouse.storage import delta

LISTED = 5
COLUMNS = ["user_id", "timezone_guess", "timezone_guess_from", "timezone_guess_n"]
HOURS = {"hour_of_day", "start_hour", "peak_hour", "typical_hours", "busiest_hour", "local_time", "first_play_local_time"}
"""Columns that mean something else in another time zone."""
ANY_ZONE = "Europe/Berlin"


@dataclass(frozen=True)
class Unknown:
    """A real listener of unknown time zone, and what is guessed."""

    user_id: str
    guess: str | None
    guessed_from: str | None
    n: int | None

    @property
    def reason(self) -> str:
        if self.guess is None:
            return "nothing suggests one"
        why = "the country of {:,} plays" if self.guessed_from == "country" else "the hours without music on {:,} days"
        return f"perhaps {self.guess}, from {why.format(self.n)}"


def unknown_listeners(root: Path) -> list[Unknown]:
    """The real listeners whose time zone is unknown, by name; none where silver.users is not built."""
    path = root / "silver" / "users"
    # A table of an older version does not say.
    if delta.version(path) is None or "timezone_source" not in delta.dataset(path).schema.names:
        return []
    rows = delta.read_rows(path, COLUMNS, (ds.field("timezone_source") == "unknown") & ~ds.field("is_synthetic"))
    return sorted((Unknown(*[row[name] for name in COLUMNS]) for row in rows), key=lambda one: one.user_id)


def announce(settings: Settings, tables: Mapping[str, Table], report: Report) -> Announcement:
    """The hook after a run: each listener of unknown time zone, the guess, and the command that sets it."""
    del tables, report
    unknown = unknown_listeners(settings.dir)
    commands = {one.user_id: _command(settings, one, is_only=len(unknown) == 1) for one in unknown[:LISTED]}
    listed = [asdict(one) | {"command": commands[one.user_id]} for one in unknown[:LISTED]]
    return Announcement({"unknown": len(unknown), "listeners": listed}, _lines(settings, unknown, commands))


def _lines(settings: Settings, unknown: Sequence[Unknown], commands: Mapping[str, str]) -> list[str]:
    if len(unknown) > LISTED:
        guesses = sum(one.guess is not None for one in unknown)
        rows = f"{program()} show silver.users --columns {','.join(COLUMNS)} --lakehouse {shlex.quote(near(settings.dir))}"
        return [
            f"time zones: unknown for {len(unknown):,} listeners, so their hours are in UTC; {guesses:,} guesses: {rows}; "
            f"to set them: {_run(settings)} --timezone-of NAME=ZONE, or --timezone ZONE for all"
        ]
    lines = [
        f"time zone of {one.user_id}: unknown, so hours are in UTC; {one.reason}. To set it: {commands[one.user_id]}"
        for one in unknown
    ]
    return (
        [*lines, "to keep a time zone for later runs, put LAKEHOUSE_TIMEZONE or LAKEHOUSE_TIMEZONES into .env"] if lines else []
    )


def _command(settings: Settings, one: Unknown, *, is_only: bool) -> str:
    zone = one.guess or ANY_ZONE
    option = ["--timezone", zone] if is_only else ["--timezone-of", f"{one.user_id}={zone}"]
    return f"{_run(settings)} {shlex.join(option)}"


def _run(settings: Settings) -> str:
    """`run` over the same landing folder, lakehouse and listener, as it can be typed here."""
    words = []
    without_options = type(settings)()
    for option, name in (("--landing", "landing"), ("--lakehouse", "dir"), ("--user", "user")):
        value = getattr(settings, name)
        if value != getattr(without_options, name):
            words += [option, near(value) if isinstance(value, Path) else value]
    return " ".join([program(), "run", *map(shlex.quote, words)])


def note(settings: Settings, table: Table, listener: str | None) -> str | None:
    """What stands under the rows of a table that has hours: whose of them are in UTC. None where all are in their own zones."""
    if table.scope != "user" or not HOURS & {column.name for column in table.columns}:
        return None
    unknown = [one.user_id for one in unknown_listeners(settings.dir) if listener in (None, one.user_id)]
    if not unknown:
        return None
    whose = f"listener {unknown[0]}" if len(unknown) == 1 else f"{len(unknown):,} listeners"
    return f"hours and dates of {whose} are in UTC: the time zone is unknown (`lakehouse run --timezone ZONE` sets it)"
