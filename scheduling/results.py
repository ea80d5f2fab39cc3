"""What a poll, a build and an upkeep said with --json, as figures and as lines of the log."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lakehouse.cli.errors import LOCKED, USAGE
from scheduling.child import Ended

# Of the 50 plays that Spotify tells at most. With all 50 new, some before them may be lost already.
NEARLY_FULL = 40
# Lines about the parts of one poll or build.
MOST_LINES = 20
NOT_BUILT = ("failed", "refused", "blocked", "not built")


@dataclass(frozen=True)
class Line:
    """A line of the log: a message for people, and values for programs."""

    level: int
    event: str
    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    notice: str | None = None
    """a line with such a key is logged once a day"""


@dataclass(frozen=True)
class PollResult:
    """What came of a poll: its outcomes as `lakehouse poll --json` writes them, and why metadata was not fetched."""

    exit_code: int
    accounts: Sequence[Mapping[str, Any]] = ()
    metadata: Sequence[str] = ()

    @property
    def new_plays(self) -> int:
        """Of all accounts."""
        return sum(_count(one) for one in self.accounts)

    @property
    def is_full(self) -> bool:
        """Whether an account had about as many new plays as its source tells: at this pace, the next poll may miss some."""
        return any(_count(one) >= NEARLY_FULL or one.get("gaps") for one in self.accounts)

    @property
    def retry_at(self) -> dt.datetime | None:
        """When the first account that waits may be asked again."""
        return min((at for one in self.accounts if (at := _moment(one.get("retry_at"))) is not None), default=None)

    def summary(self) -> str:
        """One line."""
        return f"poll: {_counted(self.new_plays, 'new play')} of {_counted(len(self.accounts), 'account')}"

    def values(self) -> dict[str, Any]:
        """Its counts."""
        statuses = Counter(str(one.get("status")) for one in self.accounts)
        return {"accounts": len(self.accounts), "new_plays": self.new_plays, **statuses}

    def lines(self) -> Iterator[Line]:
        """What a person should know about single accounts, and about metadata."""
        for one in self.accounts:
            values = {
                name: one.get(name) for name in ("source", "account_id", "listener", "status", "reason", "remedy", "retry_at")
            }
            known = {name: value for name, value in values.items() if value is not None}
            who = f"{one.get('source')} {one.get('account_id')} ({one.get('listener')})"
            status, reason = one.get("status"), one.get("reason")
            if status == "refused":
                text = f"{who}: refused: {reason}; {one.get('remedy')}, then `lakehouse poll --again`"
                yield Line(logging.WARNING, "account", text, known, notice=f"refused {who}: {reason}")
            elif status == "waiting":
                text = f"{who}: the source asks to wait until {one.get('retry_at')}: {reason}"
                yield Line(logging.INFO, "account", text, known, notice=f"waiting {who}: {one.get('retry_at')}")
            elif status == "failed":
                yield Line(logging.WARNING, "account", f"{who}: failed: {reason}", known)
            elif status == "busy":
                yield Line(logging.INFO, "account", f"{who}: {reason}", known)
            for gap in one.get("gaps") or ():
                text = f"{who}: plays may be missing from {gap.get('start')} to {gap.get('end')}: an export would bring them"
                yield Line(logging.WARNING, "gap", text, {**known, "start": gap.get("start"), "end": gap.get("end")})
        for text in self.metadata:
            yield Line(logging.INFO, "metadata", text, notice=text)


@dataclass(frozen=True)
class BuildResult:
    """What came of a build; `report` is the document of `lakehouse run --json`, None where it wrote none."""

    exit_code: int
    report: Mapping[str, Any] | None = None

    def summary(self, seconds: float) -> str:
        """One line; a build that crashed, or whose report is too long to be read, has no counts."""
        if self.exit_code == LOCKED:
            return "another run is building"
        values, text = self.values(), f"build ended with exit code {self.exit_code} in {seconds:.1f} s"
        if not values:
            return text
        if values["is_empty"]:
            return "there is nothing to build yet"
        return f"{text}: {_counted(values.get('tables_built', 0), 'table')} built, {_counted(values['new_files'], 'new file')}"

    def values(self) -> dict[str, Any]:
        """Its counts."""
        if self.report is None:
            return {}
        statuses = Counter(str(one.get("status")) for one in self.report.get("outcomes") or ())
        files = self.report.get("new_files") or ()
        counts = {"new_files": len(files), "new_rows": sum(one.get("rows") or 0 for one in files)}
        tables = {f"tables_{status.replace(' ', '_')}": number for status, number in statuses.items()}
        return {"run_id": self.report.get("run_id"), **counts, **tables, "is_empty": bool(self.report.get("is_empty"))}

    def lines(self) -> Iterator[Line]:
        """What went wrong, a line each."""
        report = self.report or {}
        for one in report.get("outcomes") or ():
            if one.get("status") in NOT_BUILT:
                values = {"table": one.get("table"), "status": one.get("status"), "error": one.get("error")}
                level = logging.WARNING if one.get("status") == "not built" else logging.ERROR
                yield Line(level, "table", f"{one.get('table')}: {one.get('status')}: {one.get('error')}", values)
        for one in report.get("newly_broken") or ():
            values = {"path": one.get("path"), "reason": one.get("reason")}
            yield Line(logging.ERROR, "file", f"{one.get('path')} cannot be read: {one.get('reason')}", values)
        for one in report.get("rejected") or ():
            level = logging.ERROR if one.get("is_failure") else logging.WARNING
            values = {name: one.get(name) for name in ("path", "rows", "rejected", "because")}
            yield Line(
                level, "file", f"{one.get('path')}: {one.get('rejected')} rows count nowhere: {one.get('because')}", values
            )
        held = {(str(one.get("table_name")), one.get("user_id")) for one in report.get("held") or ()}
        for table, number in Counter(table for table, _ in held).items():
            yield Line(logging.ERROR, "held", f"{table}: {number} listeners held back", {"table": table, "listeners": number})
        for name, hook in report.items():
            if isinstance(hook, dict) and isinstance(hook.get("problem"), str):
                # A hook after the run, such as the registration in Trino, whose server is down.
                yield Line(logging.WARNING, name, f"{name}: {hook['problem']}")


@dataclass(frozen=True)
class MaintainResult:
    """What came of an upkeep; `report` is the document of `lakehouse maintain --json`, None where it wrote none."""

    exit_code: int
    report: Mapping[str, Any] | None = None

    def summary(self) -> str:
        """One line."""
        if self.exit_code == LOCKED:
            return "another run is building"
        values, text = self.values(), f"upkeep ended with exit code {self.exit_code}"
        if not values:
            return text
        return f"{text}: {values['files_before']:,} files before, {values['files_after']:,} now"

    def values(self) -> dict[str, int]:
        """Files and bytes of all tables, before and after."""
        tables = [one for one in _list((self.report or {}).get("tables")) if isinstance(one, dict)]
        sizes = {"before": [one["before"] for one in tables], "after": [one["after"] or one["before"] for one in tables]}
        if not tables:
            return {}
        return {
            **{f"files_{when}": sum(size["files"] + size["log_files"] for size in found) for when, found in sizes.items()},
            **{f"bytes_{when}": sum(size["bytes"] for size in found) for when, found in sizes.items()},
        }


def poll_result(ended: Ended) -> PollResult:
    """The result of `lakehouse poll --json`; without accounts where it wrote no document."""
    document = _document(ended.output) or {}
    accounts = [one for one in _list(document.get("accounts")) if isinstance(one, dict)]
    return PollResult(ended.exit_code, accounts, [one for one in _list(document.get("metadata")) if isinstance(one, str)])


def build_result(ended: Ended) -> BuildResult:
    """The result of `lakehouse run --json`."""
    return BuildResult(ended.exit_code, _document(ended.output))


def maintain_result(ended: Ended) -> MaintainResult:
    """The result of `lakehouse maintain --json`."""
    return MaintainResult(ended.exit_code, _document(ended.output))


def said(ended: Ended) -> Iterator[Line]:
    """What a command wrote to standard error, a line each, the last ones; errors where it failed."""
    level = logging.WARNING if ended.exit_code == 0 else logging.ERROR
    for text in [line.strip() for line in ended.errors.splitlines() if line.strip()][-MOST_LINES:]:
        yield Line(level, "said", text.removeprefix("error: ").removeprefix("warning: "))


def unusable(ended: Ended) -> str | None:
    """Why there was nothing to poll with, such as no account; None where that was not the trouble."""
    return " ".join(ended.errors.removeprefix("error: ").split()) if ended.exit_code == USAGE else None


def shortened(lines: Iterable[Line]) -> Iterator[Line]:
    """The first lines, and how many more there are."""
    every = list(lines)
    yield from every[:MOST_LINES]
    if len(every) > MOST_LINES:
        yield Line(max(line.level for line in every), "more", f"and {len(every) - MOST_LINES} more like these")


def _document(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _count(account: Mapping[str, Any]) -> int:
    number = account.get("new_plays")
    return number if isinstance(number, int) else 0


def _moment(text: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else None
