"""What is read out of the documents of polls and builds, as the commands write them."""

from __future__ import annotations

import datetime as dt
import json
import logging
from dataclasses import asdict
from typing import Any

import pytest

from lakehouse.build.task import Outcome
from lakehouse.run.report import Rejected, Report
from lakehouse.storage.held import HeldKey
from lakehouse.storage.landed_files import LandedFile
from polling import poll
from polling.state import Gap
from scheduling.child import Ended
from scheduling.results import build_result, poll_result, said, shortened, unusable

UTC = dt.timezone.utc
AT = dt.datetime(2026, 11, 30, 12, tzinfo=UTC)


def ended(document: Any, exit_code: int = 0, errors: str = "") -> Ended:
    return Ended(exit_code, 1.0, json.dumps(document, default=str), errors)


def texts(lines: Any) -> list[tuple[str, str]]:
    return [(logging.getLevelName(line.level), line.message) for line in lines]


def test_the_document_of_a_poll_as_the_command_writes_it() -> None:
    gap = Gap(AT, AT + dt.timedelta(hours=1), AT + dt.timedelta(hours=2))
    outcomes = [
        poll.Outcome("spotify_api", "a1", "anna", "polled", 50, gaps=(gap,)),
        poll.Outcome("spotify_api", "a2", "ben", "waiting", 3, "429", retry_at=AT),
        poll.Outcome("lastfm_api", "b", "ben", "refused", reason="error 17", remedy="show your listening"),
        poll.Outcome("lastfm_api", "c", "cleo", "failed", reason="no JSON"),
        poll.Outcome("lastfm_api", "d", "dan", "busy", reason="another process is polling this account"),
    ]
    result = poll_result(ended({"accounts": [asdict(one) for one in outcomes]}, 1))
    assert (result.new_plays, result.is_full, result.retry_at) == (53, True, AT)
    counts = {"polled": 1, "waiting": 1, "refused": 1, "failed": 1, "busy": 1}
    assert result.values() == {"accounts": 5, "new_plays": 53, **counts}
    assert result.summary() == "poll: 53 new plays of 5 accounts"
    assert texts(result.lines()) == [
        ("WARNING", f"spotify_api a1 (anna): plays may be missing from {gap.start} to {gap.end}: an export would bring them"),
        ("INFO", f"spotify_api a2 (ben): the source asks to wait until {AT}: 429"),
        ("WARNING", "lastfm_api b (ben): refused: error 17; show your listening, then `lakehouse poll --again`"),
        ("WARNING", "lastfm_api c (cleo): failed: no JSON"),
        ("INFO", "lastfm_api d (dan): another process is polling this account"),
    ]


def file(path: str, **values: Any) -> LandedFile:
    usual = dict.fromkeys(LandedFile.__dataclass_fields__)
    return LandedFile(**{**usual, "path": path, "status": "ingested", **values})  # type: ignore[arg-type]


def test_the_document_of_a_build_as_the_command_writes_it() -> None:
    report = Report(
        "run 1",
        "embedded",
        "auto",
        AT,
        outcomes=[
            Outcome("silver.plays", "built"),
            Outcome("silver.users", "failed", error="ValueError: no"),
            Outcome("gold.top_artists", "blocked", error="needs silver.users, which was not built"),
            Outcome("models.x", "not built", error="it needs Java"),
        ],
        new_files=[file("a.json", rows=7), file("b.json", rows=None)],
        newly_broken=[file("b.json", status="broken", reason="line 3: no JSON")],
        rejected=[Rejected("a.json", 7, 6, "no time", is_failure=False)],
        held=[HeldKey("silver.plays", user, rule, 1, AT, "run 1") for user in ("anna", "ben") for rule in ("r", "s")],
    )
    result = build_result(ended({**asdict(report), "demo": False, "trino": {"problem": "Trino does not answer"}}, 1))
    values = result.values()
    assert (values["run_id"], values["new_files"], values["new_rows"], values["is_empty"]) == ("run 1", 2, 7, False)
    assert {name: values[name] for name in values if name.startswith("tables_")} == {
        "tables_built": 1,
        "tables_failed": 1,
        "tables_blocked": 1,
        "tables_not_built": 1,
    }
    assert result.summary(61.25) == "build ended with exit code 1 in 61.2 s: 1 table built, 2 new files"
    assert texts(result.lines()) == [
        ("ERROR", "silver.users: failed: ValueError: no"),
        ("ERROR", "gold.top_artists: blocked: needs silver.users, which was not built"),
        ("WARNING", "models.x: not built: it needs Java"),
        ("ERROR", "b.json cannot be read: line 3: no JSON"),
        ("WARNING", "a.json: 6 rows count nowhere: no time"),
        ("ERROR", "silver.plays: 2 listeners held back"),
        ("WARNING", "trino: Trino does not answer"),
    ]


@pytest.mark.parametrize(
    "output",
    ["", "no JSON", "[]", "null", '{"accounts": 3}', '{"accounts": ["x"]}', '{"accounts": [{"new_plays": "7"}]}', "\ud800"],
)
def test_what_is_no_such_document_counts_as_nothing(output: str) -> None:
    left = Ended(1, 1.0, output, "")
    assert poll_result(left).new_plays == 0
    assert poll_result(left).retry_at is None
    assert [line for line in poll_result(left).lines() if line.level > logging.INFO] == []
    assert list(build_result(left).lines()) == []
    assert build_result(left).summary(2.0).startswith("build ended with exit code 1 in 2.0 s")


def test_a_time_that_cannot_be_read_is_none() -> None:
    accounts = [{"retry_at": "soon"}, {"retry_at": 7}, {"retry_at": "2026-11-30T12:00:00"}]
    assert poll_result(ended({"accounts": accounts})).retry_at is None


def test_what_a_command_said_is_kept_and_is_an_error_where_it_failed() -> None:
    errors = "error: workers: Input should be a number\n\n  warning: x\n"
    assert texts(said(Ended(2, 1.0, "", errors))) == [("ERROR", "workers: Input should be a number"), ("ERROR", "x")]
    assert texts(said(Ended(0, 1.0, "", "warning: x\n"))) == [("WARNING", "x")]
    assert unusable(Ended(2, 1.0, "", errors)) == "workers: Input should be a number warning: x"
    assert unusable(Ended(1, 1.0, "", errors)) is None


def test_many_lines_are_shortened() -> None:
    accounts = [{"status": "failed", "reason": "no network"}] * 500
    lines = list(shortened(poll_result(ended({"accounts": accounts}, 1)).lines()))
    assert len(lines) == 21
    assert lines[-1].message == "and 480 more like these"
