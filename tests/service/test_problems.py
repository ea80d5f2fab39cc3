"""What went wrong is shown to whom it concerns, with what to do, and nothing of it to others."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from service.people import Person
from service.problems import Problem, problems_for
from service.runs import Result

ANNA, BEN, ADMIN = Person("anna", False), Person("ben", False), Person("me", True)
NOW = dt.datetime.now(dt.timezone.utc)


def snapshot(**changes: Any) -> dict[str, Any]:
    ended = {"status": "succeeded", "started_at": (NOW - dt.timedelta(hours=1)).isoformat()}
    return {"runs": [ended], "tables": [], "files": [], "held": [], "accounts": [], "gaps": [], **changes}


def shown(person: Person, found: dict[str, Any], *, is_idle: bool = True) -> list[Problem]:
    problems = problems_for(person, found, None, is_idle=is_idle)
    assert all(one.title and one.remedy for one in problems)
    return problems


def test_nothing_wrong_is_nothing_shown() -> None:
    assert shown(ADMIN, snapshot()) == []
    assert problems_for(ADMIN, None, None, is_idle=True) == []


@pytest.mark.parametrize(
    "of_anna",
    [
        {"files": [{"path": "listeners/anna/secret.json", "listener": "anna", "status": "broken", "reason": "cut off"}]},
        {"held": [{"table_name": "gold.secret", "user_id": "anna", "rule": "at most 1"}]},
        {
            "accounts": [
                {"source": "spotify_api", "user_id": "anna", "status": "refused", "reason": "secret", "remedy": "consent"}
            ]
        },
        {"accounts": [{"source": "lastfm_api", "user_id": "anna", "status": "ok", "consent_notice": "secret"}]},
    ],
)
def test_what_concerns_a_listener_is_shown_to_them_and_the_admin(of_anna: dict[str, Any]) -> None:
    assert len(shown(ANNA, snapshot(**of_anna))) == 1
    assert shown(ADMIN, snapshot(**of_anna)) == shown(ANNA, snapshot(**of_anna))
    assert shown(BEN, snapshot(**of_anna)) == []


@pytest.mark.parametrize("status", ["failed", "refused", "blocked", "not built"])
def test_an_error_that_may_quote_another_listener_is_for_the_admin(status: str) -> None:
    table = {"table_name": "gold.top_artists", "status": status, "error": "the row of ben: 4711"}
    [admins] = shown(ADMIN, snapshot(tables=[table]))
    [annas] = shown(ANNA, snapshot(tables=[table]))
    assert "gold.top_artists" in annas.title
    if status in ("failed", "refused"):
        assert "4711" in admins.detail
        assert "4711" not in repr(annas)
    assert admins.is_bad == (status != "not built")


@pytest.mark.parametrize(
    ("minutes", "status", "is_idle", "is_told"),
    [
        (10, "running", True, True),
        (10, "killed", True, True),
        (10, "running", False, False),
        (1, "running", True, False),
        (10, "failed", True, False),
    ],
)
def test_a_run_that_was_broken_off_is_told_once_it_is_sure(minutes: int, status: str, is_idle: bool, is_told: bool) -> None:
    run = {"status": status, "started_at": (dt.datetime.now(dt.timezone.utc) - dt.timedelta(minutes=minutes)).isoformat()}
    assert bool(shown(ANNA, snapshot(runs=[run]), is_idle=is_idle)) == is_told


def test_a_run_that_fails_before_any_table_is_told_to_the_admin() -> None:
    last = Result(NOW, 1, "build ended with exit code 1", ["No space left on device: /lake"])
    [problem] = problems_for(ADMIN, snapshot(), last, is_idle=True)
    assert "No space left" in problem.detail
    assert problems_for(ANNA, snapshot(), last, is_idle=True) == []
